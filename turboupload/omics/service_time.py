"""The service's clock, from its replies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["ServiceTime"]


class ServiceTime:
    """Knows the service's time from the Date of its last reply (RFC 9110, section 6.6.1).

    Times in replies, such as when a part arrived, are the service's. Compare them with this, and
    never with this machine's clock, which may be minutes off: the service accepts signatures within
    15 minutes.

    Args:
        steady: Seconds of a monotonic clock.
    """

    def __init__(self, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._heard: tuple[datetime, float] | None = None

    def update(self, reply: Mapping[str, Any]) -> None:
        """Takes the Date of a reply from botocore; a reply without one changes nothing."""
        metadata = reply.get("ResponseMetadata")
        headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
        date = headers.get("date") if isinstance(headers, Mapping) else None
        if isinstance(date, str):
            self.heard(date)

    def heard(self, date: str) -> None:
        """Takes a Date in; one that can't be read changes nothing."""
        try:
            moment = parsedate_to_datetime(date)
        except (ValueError, OverflowError):
            return
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        self._heard = aware, self._steady()

    def earliest_now(self) -> datetime | None:
        """The service's time, or a little later: by the reply's travel time.

        None if no reply had a Date.
        """
        if self._heard is None:
            return None
        moment, at = self._heard
        return moment + timedelta(seconds=self._steady() - at)
