"""Watches a folder of run folders: each run becomes a batch, once."""

from turboupload.watch.loop import Send, Watcher
from turboupload.watch.waking import Waker, waker_for

__all__ = ["Send", "Waker", "Watcher", "waker_for"]
