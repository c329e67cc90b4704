"""The command line: argv to configuration, library calls, rendering, exit code; nothing more."""
