"""A session whose events get their names in less time; they are the same names.

botocore gives each event the name that it has now, where somebody uses one of earlier years. For
each name it goes through all 65 that have changed: 130 handlers of its own and some hundred events
of a client take 7 ms before anything can be sent. Hardly any name has changed, and that can be told
at once.

Where another botocore does this elsewhere, `Session` is as any session of aiobotocore.
"""

from __future__ import annotations

from typing import Any

from aiobotocore.session import AioSession
from botocore.hooks import EventAliaser
from botocore.utils import EVENT_ALIASES

__all__ = ["Session"]

_WORDS = frozenset(old for old in EVENT_ALIASES if "." not in old)
_PHRASES = tuple(old for old in EVENT_ALIASES if "." in old)


class _QuickAliaser(EventAliaser):
    """Leaves it to botocore to rename what has an earlier name in it."""

    def _alias_event_name(self, event_name: str) -> str:
        if _WORDS.isdisjoint(event_name.split(".")) and not any(
            old in event_name for old in _PHRASES
        ):
            return event_name
        renamed: str = super()._alias_event_name(event_name)  # type: ignore[misc] # of botocore's own
        return renamed


class Session(AioSession):  # type: ignore[misc] # aiobotocore ships no types
    """An `AioSession` that finds its events' names in less time."""

    def _register_builtin_handlers(self, events: Any) -> None:
        if type(events) is EventAliaser:
            events.__class__ = _QuickAliaser
        super()._register_builtin_handlers(events)
