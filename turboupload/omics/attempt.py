"""The state of a running attempt at a call, beside botocore's arguments.

botocore prepares, signs and sends a request and parses the reply in one call, and calls event
handlers meanwhile. They run in the call's task, so a context variable gives them the attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from msgspec import Struct

from turboupload.http.body import OpenBody
from turboupload.value import Value

__all__ = ["ATTEMPT", "Attempt", "Payload"]


class Payload(Value, frozen=True):
    """A part's body, for the part transport; botocore sees an empty one.

    Attributes:
        open_body: Makes the body.
        on_bytes: Called with the number of its bytes just handed to the network.
    """

    open_body: OpenBody
    on_bytes: Callable[[int], None]


class Attempt(Struct):
    """The stage of an attempt; the meaning of an exception depends on it.

    Attributes:
        payload: The part's body, for UploadReadSetPart only.
        place: The endpoint and the Region that it goes to, for messages.
        answered: Whether a complete reply has arrived, which is parsed next.
        page: The beginning of that reply where it is an HTML page, which the service never sends.
    """

    payload: Payload | None = None
    place: str = ""
    answered: bool = False
    page: str | None = None


ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")
"""The current task's attempt."""
