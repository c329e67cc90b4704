"""How much at once, how fast, and when again: retries, windows, token buckets, schedules."""
