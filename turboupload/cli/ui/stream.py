"""Whether a command's bytes come from a stream, and errors about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["STDIN", "is_streamed"]

STDIN: Final = "-"
"""The FILE that stands for standard input."""


def is_streamed(given: Mapping[str, Any]) -> bool:
    """Whether the upload's bytes come from standard input or a command.

    Args:
        given: The options' values by name.
    """
    return bool(given.get("from_command")) or tuple(given.get("files") or ()) == (STDIN,)
