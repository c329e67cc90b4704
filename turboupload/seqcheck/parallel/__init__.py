"""Checks a file's records in several processes."""
