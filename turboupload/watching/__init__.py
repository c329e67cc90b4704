"""Watches a folder of run folders: each run becomes a batch, once."""

from turboupload.watching.api import watch, watch_status, watch_sync

__all__ = ["watch", "watch_status", "watch_sync"]
