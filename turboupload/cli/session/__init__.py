"""A command while it runs: signals, jobs, observation, and the one exit."""
