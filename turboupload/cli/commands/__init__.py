"""One module a group of commands: its options, what it calls, what it says."""
