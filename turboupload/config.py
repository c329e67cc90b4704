"""Configuration: frozen, keyword-only, built once at the edge.

Memory: a worker streams a part through one buffer, so an engine holds at most
`concurrency × chunk_bytes` of file content (64 × 512 KiB = 32 MiB at the most by default),
for files of any size, plus about 250 bytes for each part of an open upload
(5 MB for the largest pair of files the service takes).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from turboupload.errors import ConfigError
from turboupload.limits import MAX_PART_BYTES
from turboupload.operations import require_quota
from turboupload.settings import Count, Duration, Rate, Size
from turboupload.units import KIB

__all__ = [
    "CHECKSUMS",
    "MAX_CONCURRENCY",
    "Checksum",
    "UploadConfig",
    "config_of",
    "default_state_dir",
]

Checksum = Literal["sha256", "xxh3"]
"""What is computed of a part while it is read: `sha256` is compared with the service's checksum;
`xxh3` is cheaper, and gives that comparison up."""

CHECKSUMS: Final[tuple[Checksum, ...]] = get_args(Checksum)

MAX_CONCURRENCY: Final = 1000
"""Parts in flight that a user may ask for: each takes a connection and a thread."""


def default_state_dir() -> Path:
    """The folder of the journal: `TURBOUPLOAD_STATE_DIR`, else under the XDG state folder.

    Raises:
        ConfigError: No folder is configured, and this user has no home, as in some containers.
    """
    told = os.environ.get("TURBOUPLOAD_STATE_DIR")
    if told:
        return _at_home(told)
    xdg = os.environ.get("XDG_STATE_HOME")
    if xdg:
        return Path(xdg) / "turboupload"
    return _at_home("~/.local/state/turboupload")


def _at_home(path: str | os.PathLike[str]) -> Path:
    """The path with the home that its `~` means.

    Raises:
        ConfigError: There is no such home, as in some containers.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        if (user := Path(path).parts[0]) != "~":
            raise ConfigError(
                f"{os.fspath(path)}: there is no home folder of user {user[1:]}",
                hint="name the whole path",
            ) from None
        raise ConfigError(
            "there is no folder for the journal: HOME is not set, and this user has no home",
            hint="set TURBOUPLOAD_STATE_DIR, or --state-dir, to a folder that is kept",
        ) from None


_LONGEST_TIMEOUT_S: Final = 7 * 86400
"""A socket counts milliseconds in 31 bits, which is 24 days."""

_FLAGS = ("verify_tls", "preflight", "resume", "force", "prove", "md5_beside", "wait")
_TEXTS = ("region", "profile", "endpoint_url", "upload_id")
_PATHS = ("ca_bundle", "reference_fasta", "state_dir", "quota_share")

_REDIS = ("redis://", "rediss://", "unix://")
"""What redis-py takes."""


def _is_text(value: object, kind: type | tuple[type, ...]) -> bool:
    return value is None or isinstance(value, kind)


def _gives_credentials(source: object) -> bool:
    names = ("get_credentials", "load_credentials", "load")
    return callable(source) or any(hasattr(source, name) for name in names)


def _wrong(label: str, form: str, value: object) -> ConfigError:
    return ConfigError(f"{label} is {form}, not {value!r}")


def _paths(label: str, value: object) -> tuple[str, ...]:
    """One path or several as a tuple of text.

    Raises:
        ConfigError: It is something else.
    """
    paths = [value] if isinstance(value, str | os.PathLike) else value
    if not isinstance(paths, Sequence) or not all(_is_path(each) for each in paths):
        raise _wrong(label, "a path, or a list of paths", value)
    return tuple(os.fspath(each) for each in paths)


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


@dataclass(frozen=True, kw_only=True)
class UploadConfig:
    """How to upload; what to upload is a `ReadSet`.

    Sizes and rates are numbers of bytes, or text as the command takes it (`8MiB`, `200MiB/s`);
    durations are seconds, text (`10min`) or a `timedelta`. They are read as numbers.

    Attributes:
        region: AWS Region; None takes it from the environment or the profile, as everywhere.
        profile: Name of an AWS profile; None takes `AWS_PROFILE` or the default.
        endpoint_url: Another endpoint than AWS's own, such as the emulator's.
        ca_bundle: File with the certificate authorities to trust; None takes `AWS_CA_BUNDLE` or
            the usual ones.
        verify_tls: False accepts any certificate: for a laboratory of one's own only.
        part_size_bytes: Size of all parts but the last; None takes 100 MiB, or less where the
            link is slow, so that an interruption loses little (`core.rate.risk`). The service
            refuses parts over 100 MiB; smaller ones cost transactions (10 a second).
        concurrency: Parts in flight; None lets the window find its own size, from 2 up to 64. More
            than 64 never helped where we measured, and each costs a connection and a thread.
        chunk_bytes: Size of a worker's buffer. Larger ones fall out of the processor's cache
            between hashing and sending.
        preflight: Look at the files before anything is sent (type, wholeness, pair, header): under
            a second a file. False looks at nothing but type and size.
        checksum: `sha256` compares each part with the service's checksum; `xxh3` is cheaper and
            gives that comparison up.
        resume: False leaves what earlier runs sent alone and starts anew.
        upload_id: Continue the upload with this id.
        force: Upload anew even if the read set exists.
        prove: Compute the files' ETag while they are sent, and compare it with the read set's.
        reference_fasta: The reference FASTA of a CRAM whose ETag is to be computed.
        md5: Manifests, as md5sum or sha256sum write them: one, or several. Each file must be in
            one, and is compared in the pass that sends it; a difference stops it before Complete.
        md5_beside: Whether each file must have a manifest of its own beside it: `FILE.md5` or
            `FILE.sha256`.
        wait: Follow the read set until it is ACTIVE or failed.
        wait_timeout_s: Longest wait for that, in seconds; None waits for ever.
        poll_interval_s: Longest pause between two looks at the read set, in seconds.
        connect_timeout_s: For DNS, TCP and TLS together, in seconds.
        stall_timeout_s: Closes a connection on which no byte moves for so long, in seconds.
        give_up_after_s: A call that has failed for so long, over all its retries, stops the
            upload (resumable), in seconds.
        listing_lag_s: How long listings may lag behind the service's state, in seconds; no
            documentation says it. For this long, a read set is looked for before Complete is called
            again or a new upload is begun.
        max_bandwidth: Cap for all uploads of this engine, in bytes a second; None is no cap.
        transactions_per_s: Quotas that differ from the service's defaults, in transactions a second
            by the API's name of the operation, such as `UploadReadSetPart`.
        quota_share: Where the quota is shared with other processes: a file, such as one on the file
            system of a cluster's nodes, or `redis://HOST:PORT/DB` (extra `redis`; `rediss://` is
            TLS). None takes a file in the state folder, so that all processes of a machine share.
        state_dir: Folder of the journal; None takes `default_state_dir()`.
        session: Whose credentials are used, beside the usual chain: a session of boto3, botocore or
            aiobotocore, whose Region and profile are taken, too; a credentials provider; or a
            function, plain or `async`, that returns credentials. Those are an object with
            `get_frozen_credentials`, a mapping with `AccessKeyId`, `SecretAccessKey`,
            `SessionToken` and `Expiration`, as STS answers, or a tuple of access key, secret and
            token. It is asked again before they expire, every few minutes where they don't say
            when. A configuration can be pickled if its session can.

    Raises:
        ConfigError: A value makes no sense; the message begins with the attribute's name.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    ca_bundle: str | os.PathLike[str] | None = None
    verify_tls: bool = True
    part_size_bytes: Size[int | None] = Size(None, most=MAX_PART_BYTES)
    concurrency: Count[int | None] = Count(None, most=MAX_CONCURRENCY)
    chunk_bytes: Size[int] = Size(512 * KIB)
    preflight: bool = True
    checksum: Checksum = "sha256"
    resume: bool = True
    upload_id: str | None = None
    force: bool = False
    prove: bool = False
    reference_fasta: str | os.PathLike[str] | None = None
    md5: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = ()
    md5_beside: bool = False
    wait: bool = True
    wait_timeout_s: Duration[float | None] = Duration(None)
    poll_interval_s: Duration[float] = Duration(30.0)
    connect_timeout_s: Duration[float] = Duration(20.0, most=_LONGEST_TIMEOUT_S)
    stall_timeout_s: Duration[float] = Duration(60.0, most=_LONGEST_TIMEOUT_S)
    give_up_after_s: Duration[float] = Duration(900.0)
    listing_lag_s: Duration[float] = Duration(60.0, may_be_zero=True)
    max_bandwidth: Rate[int | None] = Rate(None)
    transactions_per_s: Mapping[str, float] = field(default_factory=dict, hash=False)
    quota_share: str | os.PathLike[str] | None = field(default=None, repr=False)  # has a password
    state_dir: str | os.PathLike[str] | None = None
    session: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for label in _FLAGS:
            if not isinstance(getattr(self, label), bool):
                raise _wrong(label, "True or False", getattr(self, label))
        for label in _TEXTS:
            if not _is_text(getattr(self, label), str):
                raise _wrong(label, "text, or None", getattr(self, label))
        for label in _PATHS:
            value = getattr(self, label)
            if value == "" or not _is_text(value, (str, os.PathLike)):
                raise _wrong(label, "a path, or None", value)
        if not (isinstance(self.checksum, str) and self.checksum in CHECKSUMS):
            raise _wrong("checksum", " or ".join(CHECKSUMS), self.checksum)
        object.__setattr__(self, "md5", _paths("md5", self.md5))
        if self.upload_id is not None and (self.force or not self.resume):
            raise ConfigError("upload_id can't go with force, or without resume")
        told = str(self.quota_share or "")
        if "://" in told and not self.shares_in_redis:
            # What was given isn't shown: it may have a password in it.
            raise ConfigError("quota_share is a file, or a URL such as redis://HOST:6379/0")
        if not isinstance(self.transactions_per_s, Mapping):
            raise _wrong(
                "transactions_per_s",
                "a mapping, such as {'UploadReadSetPart': 20}",
                self.transactions_per_s,
            )
        object.__setattr__(self, "transactions_per_s", dict(self.transactions_per_s))
        try:
            for operation, per_s in self.transactions_per_s.items():
                require_quota(operation, per_s)
        except ValueError as error:
            raise ConfigError(f"transactions_per_s: {error}") from None
        if self.session is not None:
            self._check_session()
        if self.prove and not self.wait:
            raise ConfigError(
                "prove needs wait: a read set has no ETag before it is ACTIVE",
                hint="leave one of the two out; `turboupload readsets verify` compares later",
            )

    def _check_session(self) -> None:
        if not _gives_credentials(self.session):
            # What was given isn't shown: it may be a secret.
            raise ConfigError(
                "session is a session, a credentials provider or a function, not of type "
                f"{type(self.session).__name__}",
                hint="credentials themselves are what a function returns: session=lambda: (…, …)",
            )
        if self.profile is not None:
            raise ConfigError("profile can't go with session, which has its own")

    @property
    def manifests(self) -> tuple[str, ...]:
        """`md5`, as a tuple of text."""
        return _paths("md5", self.md5)

    @property
    def shares_in_redis(self) -> bool:
        """Whether the quota is shared in a Redis server."""
        return str(self.quota_share or "").startswith(_REDIS)

    @property
    def quota_file(self) -> Path | None:
        """The file that the quota is shared in, where somebody named one."""
        if self.quota_share is None or self.shares_in_redis:
            return None
        return _at_home(self.quota_share)

    @property
    def state_folder(self) -> Path:
        """The folder of the journal."""
        if self.state_dir is None:
            return default_state_dir()
        return _at_home(self.state_dir)


def config_of(given: UploadConfig | None) -> UploadConfig:
    """The configuration of a call; by default, with every default.

    Raises:
        ConfigError: It is something else.
    """
    if given is None:
        return UploadConfig()
    if not isinstance(given, UploadConfig):
        raise ConfigError(
            f"config must be of type UploadConfig, not {type(given).__name__}",
            hint="write: config=turboupload.UploadConfig(...)",
        )
    return given
