"""Watched run folders: which are ready, the outcome of each, and when it is tried again."""
