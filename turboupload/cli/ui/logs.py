"""Logs on stderr: one line an event, key-value fields; none unless asked."""

from __future__ import annotations

import logging
from collections.abc import Callable

from turboupload.telemetry import set_logging

__all__ = ["configure_logs"]


class _Lines:
    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = write


def configure_logs(verbosity: int, write: Callable[[str], None]) -> None:
    """Nothing, `-v` what a user may want to know, `-vv` every call and part.

    Warnings (retries, remarks) reach the user through the command's own lines, so they are
    logged from `-v` on. Other libraries' logs stay off: they could show headers.

    Args:
        verbosity: How often `-v` was given.
        write: Where a line goes; a progress bar wants it above itself.
    """
    # Without any handler Python prints warnings itself, tracebacks and all.
    logging.getLogger().addHandler(logging.NullHandler())
    set_logging(enabled=verbosity > 0)
    if verbosity == 0:
        return
    import structlog  # only where there is a log: it imports rich, which takes 60 ms with it

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.INFO if verbosity == 1 else logging.DEBUG
        ),
        logger_factory=lambda *_: _Lines(write),
    )
