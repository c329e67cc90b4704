"""What is known of the attempt at a call that is being made, beside what botocore is handed.

botocore prepares and signs a request, sends it and parses the reply in one go, and calls handlers
on the way (its events). A context variable leads from those back to the call: they run in its task.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from turboupload.http.body import OpenBody

__all__ = ["ATTEMPT", "Attempt", "Payload"]


@dataclass(frozen=True, slots=True)
class Payload:
    """A part's body, for the part transport; botocore sees an empty one.

    Attributes:
        open_body: Makes it.
        on_bytes: Told how many of its bytes were just handed to the network.
    """

    open_body: OpenBody
    on_bytes: Callable[[int], None]


@dataclass(slots=True)
class Attempt:
    """How far an attempt has come; what is raised means something else at each stage.

    Attributes:
        payload: The part's body, of UploadReadSetPart alone.
        place: The endpoint and the Region that it goes to, for people.
        answered: Whether a whole reply has come, which is read next.
        page: The beginning of that reply where it is an HTML page, which the service never sends.
    """

    payload: Payload | None = None
    place: str = ""
    answered: bool = False
    page: str | None = None


ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")
"""The attempt of this task."""
