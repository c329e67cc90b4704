"""What a process has: event loop, tasks, threads, stack, processors; and running out of them."""
