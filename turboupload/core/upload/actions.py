"""What an upload's state may ask for; the engine carries it out and reports facts."""

from __future__ import annotations

from turboupload.core.records import UploadPart
from turboupload.core.upload.events import Event
from turboupload.value import Value

__all__ = [
    "Action",
    "Complete",
    "Create",
    "Declare",
    "Done",
    "ListParts",
    "PollReadSet",
    "Prove",
    "SendParts",
    "Survey",
]


class Survey(Value, frozen=True):
    """Ask the service for open uploads and read sets with our metadata.

    Attributes:
        after_s: Wait so long first, in seconds.
        probe: Look into the parts of the open uploads that are not ours.
    """

    after_s: float = 0.0
    probe: bool = False


class Declare(Value, frozen=True):
    """Make this fact durable, then receive it."""

    event: Event


class Create(Value, frozen=True):
    """Create the upload under this token."""

    token: str


class ListParts(Value, frozen=True):
    """List every part that the service has of this upload.

    Attributes:
        send: While listing, send the parts that no other run can have sent; then the rest, as
            `SendParts` does.
    """

    upload_id: str
    send: bool = False


class SendParts(Value, frozen=True):
    """Take parts from the ledger until all are proven.

    Attributes:
        compare_only: Send none; compare those that the service has, and that we never read, until
            one of them is of other files or none is left.
    """

    upload_id: str
    compare_only: bool = False


class Complete(Value, frozen=True):
    """Complete the upload with exactly these parts."""

    upload_id: str
    parts: tuple[UploadPart, ...]


class PollReadSet(Value, frozen=True):
    """Look at the read set, and again, until its status is final."""

    read_set_id: str


class Prove(Value, frozen=True):
    """Compute the ETag of our files.

    Attributes:
        family: Such as `MD5up`, as the service made the one to compare it with.
    """

    family: str


class Done(Value, frozen=True):
    """Nothing is left to do."""


Action = Survey | Declare | Create | ListParts | SendParts | Complete | PollReadSet | Prove | Done
