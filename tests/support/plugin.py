"""How a pytest of its own gets our plugin: as whoever has installed it, or by name."""

from __future__ import annotations

from importlib.metadata import entry_points

__all__ = ["options"]


def options() -> list[str]:
    """Of `pytest`: the plugin, and none that would have a say in what a test shows."""
    installed = any(each.name == "turboupload" for each in entry_points(group="pytest11"))
    ours = [] if installed else ["-p", "turboupload.pytest_plugin"]
    others = ["-p", "no:asyncio", "-p", "no:hypothesispytest"]
    return [*ours, *others, "-W", "error", "--strict-markers"]
