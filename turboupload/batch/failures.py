"""Errors of a row: whether they concern the others, too, and what to do about them."""

from __future__ import annotations

from typing import Literal

from turboupload.core.rate.retry import concerns_the_account
from turboupload.errors import (
    CallFailed,
    ConfigError,
    InputError,
    IntegrityError,
    LinkFailed,
    ReadSetRejected,
    ServiceRefused,
    Stopped,
    TurbouploadError,
)

__all__ = ["Reach", "reach_of", "what_to_do"]

_ABOUT_THE_STORE = frozenset(
    {"ListReadSets", "ListMultipartReadSetUploads", "CreateMultipartReadSetUpload"}
)

Reach = Literal["row", "outage", "all"]
"""Whom an error concerns.

- `row`: this row alone.
- `outage`: this row, or all: the service did not answer, or only with errors that should pass.
- `all`: every other row would fail in the same way: wrong credentials, an unknown store, a quota
  that is used up, a full disk under the journal. To go on would only bring the same error ten
  thousand times.
"""


def reach_of(error: TurbouploadError) -> Reach:
    """Whom an error concerns."""
    cause = error.__cause__
    if isinstance(error, ConfigError) or error.operation == "journal":
        return "all"
    if not isinstance(cause, CallFailed | LinkFailed):
        return "row"
    if isinstance(error, Stopped):
        return "outage"
    unknown_store = (
        isinstance(cause, CallFailed)
        and cause.code == "ResourceNotFoundException"
        and cause.operation in _ABOUT_THE_STORE
    )
    return "all" if unknown_store or concerns_the_account(cause) else "row"


def what_to_do(error: TurbouploadError) -> str:
    """What to do about a row that failed, in a sentence."""
    match error:
        case ReadSetRejected():
            return (
                "mend the file or its type, then run the same command again; to upload the very "
                "same file anew, use `turboupload upload --force`"
            )
        case ServiceRefused() if error.code == "ReadSetExists":
            return (
                "if it holds these files, nothing is left to do; if it is another data set, choose "
                "another name; to upload these files all the same, use `turboupload upload --force`"
            )
        case _ if error.hint:
            return error.hint
        case InputError():
            return "mend the file or the row, then run the same command again"
        case Stopped():
            return "run the same command again: it goes on where it stopped"
        case IntegrityError():
            return "check the file and its disk, then run the same command again"
        case _:
            return "mend what the message says, then run the same command again"
