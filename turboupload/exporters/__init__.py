"""Where the process's telemetry may go, one module for each; imported only when asked for."""
