"""The engine: reads, sends, remembers and retries as the pure core decides."""

from turboupload.engine.loop import Engine
from turboupload.engine.run import OnNotice

__all__ = ["Engine", "OnNotice"]
