"""Watched run folders: which are ready, what became of each, when it is tried again."""
