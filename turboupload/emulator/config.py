"""The configuration of an emulator: frozen, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from turboupload.emulator.world import World

__all__ = [
    "MAX_PART_BYTES",
    "Durability",
    "EmulatorConfig",
    "QuotaMode",
]

MAX_PART_BYTES = 100 * 1024 * 1024
"""The largest part, and the size of the parts that GetReadSet serves.

Source: https://docs.aws.amazon.com/omics/latest/dev/service-quotas.html says 100 MB; the guide's
`split -b 100MiB` and its listing with partSize 104857600 show that this means MiB (read 2026-11).
"""

Durability = Literal["process", "power"]
QuotaMode = Literal["real", "off"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatorConfig:
    """The configuration.

    Attributes:
        root: The data folder; created if it is missing.
        host: The address to listen on.
        port: The TCP port; 0 takes a free one.
        tls: Serve HTTPS with a certificate of the emulator's own authority.
        access_key: The only access key that is accepted.
        secret_key: Its secret.
        region: The Region in credential scopes and ARNs.
        account: The 12-digit account in ARNs.
        quotas: `real` enforces the documented transactions per second, `off` none.
        quota_tps: Transactions per second by operation; overrides `quotas`.
        s3_root: The folder whose sub-folders are the buckets that imports read.
        references: FASTA files by reference ARN, for decoding CRAM.
        faults: Fault rules to start with, as in `POST /_emulator/faults`.
        world: How the service behaves at the start, where that is uncertain.
        durability: `process`: acknowledged data survives the end of the process. `power`: it
            survives a power failure, too (fsync of file, folder and database before a reply).
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    access_key: str = "local"
    secret_key: str = field(default="local", repr=False)
    region: str = "us-east-1"
    account: str = "000000000000"
    quotas: QuotaMode = "real"
    quota_tps: Mapping[str, float] = field(default_factory=dict)
    s3_root: Path | None = None
    references: Mapping[str, Path] = field(default_factory=dict)
    faults: tuple[Mapping[str, object], ...] = ()
    world: World = field(default_factory=World)
    durability: Durability = "process"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{12}", self.account):
            raise ValueError(f"an account is 12 digits, not {self.account!r}")
        if not re.fullmatch(r"[a-z0-9-]{1,32}", self.region):
            raise ValueError(f"not a Region: {self.region!r}")
        if not (self.access_key and self.secret_key):
            raise ValueError("the access key and the secret key must not be empty")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"not a TCP port: {self.port}")
        if any(rate <= 0 for rate in self.quota_tps.values()):
            raise ValueError("a quota must be more than 0 transactions a second")
        if self.s3_root is not None and not self.s3_root.is_dir():
            raise ValueError(f"no such folder: {self.s3_root}")
        for path in self.references.values():
            if not path.is_file():
                raise ValueError(f"no such reference file: {path}")
