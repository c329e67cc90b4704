"""Asks a person before something is done that can't be undone, or costs something."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from turboupload.cli.ui.output import say

__all__ = ["can_ask", "confirmed"]


def can_ask(given: Mapping[str, Any]) -> bool:
    """Whether a person is there to be asked.

    Args:
        given: The options' values by name.
    """
    return not given["as_json"] and sys.stdin is not None and sys.stdin.isatty()


async def confirmed(question: str) -> bool:
    """Asks, and waits for the answer; anything but yes is no."""
    import anyio.to_thread

    say(f"{question} [y/N]: ", end="")
    # In a thread that is left behind by an interrupt: a signal ends the wait at once.
    answer = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return answer.strip().lower() in ("y", "yes")
