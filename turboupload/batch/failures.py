"""Errors of a row: whether they concern the others, too, and what to do about them."""

from __future__ import annotations

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

__all__ = ["concerns_all", "what_to_do"]

_CREATE = "CreateMultipartReadSetUpload"


def concerns_all(error: TurbouploadError) -> bool:
    """Whether every other row would fail in the same way.

    Wrong or expired credentials, an unknown store, a quota that is used up, a service that hasn't
    answered for a quarter of an hour, a full disk under the journal: to go on would only bring the
    same error ten thousand times, each after its own wait.
    """
    cause = error.__cause__
    match error:
        case ConfigError():
            return True
        case ServiceRefused() if error.code == "ResourceNotFoundException":
            return isinstance(cause, CallFailed) and cause.operation in (
                "ListReadSets",
                "ListMultipartReadSetUploads",
                _CREATE,
            )
        case ServiceRefused() if error.code in ("ValidationException", "ReadSetExists"):
            return False
        case ServiceRefused():
            return True
        case Stopped():
            return isinstance(cause, CallFailed | LinkFailed) or error.operation == "journal"
        case _:
            return False


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
                "if it is another data set, choose another name; to upload these files all the "
                "same, use `turboupload upload --force`"
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
