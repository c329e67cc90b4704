"""Watching a folder of run folders."""
