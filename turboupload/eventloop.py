"""Which event loop runs a coroutine from code without one."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["BACKEND_OPTIONS"]

BACKEND_OPTIONS = {"use_uvloop": find_spec("uvloop") is not None}
"""anyio's: uvloop where it is installed. It is a dependency, and everything works without it."""
