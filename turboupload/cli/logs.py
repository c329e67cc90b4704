"""Logs on stderr: one line an event, key-value fields; none unless asked."""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["configure_logs"]

_LEVELS = (logging.CRITICAL, logging.INFO, logging.DEBUG)


class _Stderr:
    """Writes to what stderr is at that moment: a progress bar puts itself in its place."""

    def msg(self, message: str) -> None:
        sys.stderr.write(message + "\n")

    debug = info = warning = error = critical = msg


def configure_logs(verbosity: int) -> None:
    """Nothing, `-v` what a user may want to know, `-vv` every call and part.

    Warnings (retries, remarks) reach the user through the command's own lines, so they are
    logged from `-v` on. Other libraries' logs stay off: they could show headers.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[min(verbosity, 2)]),
        logger_factory=lambda *_: _Stderr(),
    )
