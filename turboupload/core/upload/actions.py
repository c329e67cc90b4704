"""What an upload's state may ask for; the engine carries it out and reports facts."""

from __future__ import annotations

from dataclasses import dataclass

from turboupload.core.records import UploadPart
from turboupload.core.upload.events import Event

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


@dataclass(frozen=True, slots=True)
class Survey:
    """Ask the service for open uploads and read sets with our metadata.

    Attributes:
        after_s: Wait so long first, in seconds.
        probe: Look into the parts of the open uploads that are not ours.
    """

    after_s: float = 0.0
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Declare:
    """Make this fact durable, then receive it."""

    event: Event


@dataclass(frozen=True, slots=True)
class Create:
    """Create the upload under this token."""

    token: str


@dataclass(frozen=True, slots=True)
class ListParts:
    """List every part that the service has of this upload.

    Attributes:
        send: While listing, send the parts that no other run can have sent; then the rest, as
            `SendParts` does.
    """

    upload_id: str
    send: bool = False


@dataclass(frozen=True, slots=True)
class SendParts:
    """Take parts from the ledger until all are proven.

    Attributes:
        compare_only: Send none; compare those that the service has, and that we never read, until
            one of them is of other files or none is left.
    """

    upload_id: str
    compare_only: bool = False


@dataclass(frozen=True, slots=True)
class Complete:
    """Complete the upload with exactly these parts."""

    upload_id: str
    parts: tuple[UploadPart, ...]


@dataclass(frozen=True, slots=True)
class PollReadSet:
    """Look at the read set, and again, until its status is final."""

    read_set_id: str


@dataclass(frozen=True, slots=True)
class Prove:
    """Compute the ETag of our files.

    Attributes:
        family: Such as `MD5up`, as the service made the one to compare it with.
    """

    family: str


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""


Action = Survey | Declare | Create | ListParts | SendParts | Complete | PollReadSet | Prove | Done
