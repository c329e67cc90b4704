"""What a process has: event loop, tasks, threads, processors; how running out of them is told."""
