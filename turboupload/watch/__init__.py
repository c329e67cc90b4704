"""Watches a folder of run folders: each run becomes a batch, once."""

from turboupload.watch.loop import RESULTS, Send, Watcher
from turboupload.watch.waking import Waker, waker_for

__all__ = ["RESULTS", "Send", "Waker", "Watcher", "waker_for"]
