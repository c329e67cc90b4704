"""What the doctor finds out, before it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from turboupload.core.records import SequenceStoreDetails
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError

__all__ = [
    "Asked",
    "Caller",
    "Credentials",
    "FileLook",
    "FolderLook",
    "HostLook",
    "Machine",
    "ServiceLook",
    "Setting",
    "Speeds",
    "masked",
]


def masked(key_id: str) -> str:
    """An access key's id, as much of it as tells it from others."""
    if len(key_id) < 16:
        return f"{key_id[:2]}..."
    return f"{key_id[:4]}...{key_id[-4:]}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that has a value.

    Attributes:
        name: As the option calls it, without its dashes.
        value: As text, without user and password.
        origin: The option, the variable or the profile that it came from.
    """

    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The program, and what it runs on.

    Attributes:
        version: Of turboupload.
        python: Of the interpreter.
        openssl: Of the library that Python's `ssl` uses.
        packages: Versions by package; None where it isn't installed.
        processors: How many may be used.
        sha_instructions: Whether the processor has them; None if that can't be told.
    """

    version: str
    python: str
    openssl: str
    packages: Mapping[str, str | None]
    processors: int
    sha_instructions: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """What one processor does alone, in bytes a second of its time; None if not measured."""

    sha256: float | None = None
    xxh3: float | None = None
    tls: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The credentials that sign requests.

    Attributes:
        provider: Where botocore found them, in words.
        key_id: The access key's id, masked.
        expires_at: When they expire; None if that isn't known.
    """

    provider: str
    key_id: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose credentials they are, by GetCallerIdentity.

    Attributes:
        arn: Of the user or the role's session.
        account: The account's id.
        unknown: Why that isn't known, in words; empty where it is.
    """

    arn: str | None = None
    account: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLook:
    """One try to reach a host, as a part would.

    Attributes:
        role: What it is for: `control`, `storage`, or both.
        host: Its name or address.
        port: Its TCP port.
        proxy: Host and port of the proxy before it.
        addresses: What its name, or the proxy's, was resolved to.
        resolve_s: How long that took, in seconds.
        connect_s: How long the TCP connection took: a round trip.
        tls_s: How long tunnel and TLS handshake took; None without TLS.
        tls: Protocol and cipher.
        failed: What failed (a `TransportError`'s kind); None if nothing did.
        message: Why, in words.
    """

    role: str
    host: str
    port: int
    proxy: str | None = None
    addresses: tuple[str, ...] = ()
    resolve_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    tls: str | None = None
    failed: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A harmless call that was made once.

    Attributes:
        operation: The API's name.
        made_up: Whether it named something that isn't there, so that "not found" is a good answer.
        failure: What it ended with; None where it was answered.
    """

    operation: str
    made_up: bool = False
    failure: CallFailed | LinkFailed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLook:
    """What was found out over the network.

    Attributes:
        place: Region, or endpoint.
        endpoint: The custom endpoint, if there is one.
        credentials: None where none are configured.
        credentials_error: Why they could not be obtained.
        caller: Who they are.
        hosts: The hosts that parts and other calls go to.
        skew_s: How much this machine's clock is ahead of the service's; None if no reply had a
            Date.
        asked: The calls that were made.
        named: Whether a store was named.
        store: As the service describes it.
        store_error: Why there is none, beside what the calls say.
    """

    place: str
    endpoint: str | None
    credentials: Credentials | None
    credentials_error: TurbouploadError | None = None
    caller: Caller = field(default_factory=Caller)
    hosts: tuple[HostLook, ...] = ()
    skew_s: float | None = None
    asked: tuple[Asked, ...] = ()
    named: bool = True
    store: SequenceStoreDetails | None = None
    store_error: TurbouploadError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLook:
    """The state folder.

    Attributes:
        path: Where it is.
        exists: False where it will be made.
        free_bytes: On its disk.
        journal_bytes: The journal's size; None where there is none.
        link_bytes_per_s: What the way to the service gave within the last day, if that is known.
    """

    path: str
    exists: bool
    free_bytes: int
    journal_bytes: int | None = None
    link_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLook:
    """A file that is to be uploaded.

    Attributes:
        path: Where it is.
        size: In bytes.
        file_type: The service's type; None where it takes no such file, or is undecided.
        detail: What it is, in words.
        bytes_per_s: How fast it was read; None where too little was read to tell.
        error: Why it is refused.
        undecided: Whether it may be BAM or uBAM.
        problem: Whether it wasn't looked at in time, or the reading failed.
    """

    path: str
    size: int = 0
    file_type: str | None = None
    detail: str = ""
    bytes_per_s: float | None = None
    error: TurbouploadError | None = None
    undecided: bool = False
    problem: Literal["", "slow"] = ""
