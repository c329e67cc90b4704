"""The receipt: what was sent, what the service reports, and what that proves.

A document of plain JSON (`docs/receipt.schema.json`). Everything in it about the files can be
computed again with standard tools; `docs/receipts.md` says how.

Two digests are defined here, each by one sentence. A file's *tree* is the SHA-256 of its parts'
SHA-256s in lower-case hexadecimal, in order, each followed by a newline. A receipt's own digest is
the SHA-256 of the document without that member, as ASCII JSON with sorted keys and no white space.
That digest detects accidents; it is no signature.

A source that was merged of several files is what `cat` makes of them; the receipt names each. Only
such receipts are of version 2, so that an older program, which knows no merged files, says so.

The receipts of a journal are a chain: each holds its number and the digest of the one before, so
one that is edited, dropped or moved contradicts the next (`core.proof.chain`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal

from msgspec import field

from turboupload.core.model import FileIdentity, PartSource
from turboupload.core.proof.checksum import Digest
from turboupload.core.proof.manifest import Compared
from turboupload.value import Value

__all__ = [
    "FORMAT",
    "MERGED_VERSION",
    "VERSION",
    "ChainLink",
    "Comparison",
    "FileRecord",
    "PartRecord",
    "Receipt",
    "RecordedFile",
    "Verdict",
    "judge",
    "own_digest",
    "tree_digest",
]

FORMAT: Final = "turboupload-receipt"
VERSION: Final = 1
MERGED_VERSION: Final = 2
"""The version of a receipt in which a source has several files."""

STORED: Final = frozenset({"ACTIVE", "ARCHIVED", "ACTIVATING"})
"""The statuses of a read set that the service has accepted."""

_PROVEN: Final = 4
"""What a proof adds to a receipt's strength; more than everything without a proof."""

Subject = Literal["part-checksums", "etag", "stored-sizes", "read-count", "manifest"]
Outcome = Literal["equal", "different", "not-comparable", "not-made"]

_WEIGHTS: Final[Mapping[Subject, int]] = {"part-checksums": 1, "etag": 4}
"""What each proof adds to a receipt's strength; an ETag covers the stored content."""

_OTHER_SIZES: Final = _PROVEN + 3
"""The strength of a refutation by stored sizes: between part checksums and an ETag."""

_MOST: Final = _PROVEN + 6
"""The strength of a receipt that knows the parts and is proven by their checksums and the ETag."""


class Comparison(Value, frozen=True):
    """One comparison between the files and the service's data.

    Attributes:
        subject: What was compared.
        outcome: The outcome.
        proof: Whether the outcome is certain.
        sentence: The same in words.
    """

    subject: Subject
    outcome: Outcome
    proof: bool
    sentence: str

    @property
    def proves_equal(self) -> bool:
        """Whether this alone proves that the service has these bytes, or these reads."""
        return self.proof and self.outcome == "equal"

    @property
    def disproves(self) -> bool:
        """Whether this alone proves that the service has other content."""
        return self.proof and self.outcome == "different"


class Verdict(Value, frozen=True):
    """Whether the local copy is proven to be in the store.

    Attributes:
        proven: Whether it is proven.
        by: The comparisons that prove it.
        statement: The same in words.
    """

    proven: bool
    by: tuple[Subject, ...]
    statement: str


def judge(status: str, comparisons: Sequence[Comparison]) -> Verdict:
    """Draws the conclusion from all comparisons together.

    Args:
        status: The read set's status, as the service reports it.
        comparisons: All comparisons.
    """
    wrong = [each for each in comparisons if each.disproves]
    if wrong and wrong[0].subject == "stored-sizes":
        return Verdict(
            False,
            (),
            f"Not proven: {wrong[0].sentence}; the store holds something else than these files, "
            "unless an equal ETag shows that it has their content. Keep them.",
        )
    if wrong:
        return Verdict(False, (), f"Not proven, but disproven: {wrong[0].sentence}.")
    good = [each for each in comparisons if each.proves_equal]
    by = tuple(each.subject for each in good)
    why = "; ".join(each.sentence for each in good)
    if not good:
        return Verdict(
            False,
            (),
            "Not proven: nothing that was compared proves that the store holds these files. "
            "Keep them.",
        )
    if status not in STORED:
        return Verdict(
            False,
            (),
            f"Not proven yet: {why}; but the read set was {status} and not yet ACTIVE. "
            "Keep the files until it is.",
        )
    return Verdict(True, by, f"Proven: {why}; and the read set is {status}.")


class PartRecord(Value, frozen=True):
    """One part of a file.

    Attributes:
        number: 1 to 10,000.
        offset: Its offset in the file, in bytes.
        size: In bytes.
        digest: The digest of its bytes.
        service_checksum: The service's string for it, if it gave one.
    """

    number: int
    offset: int
    size: int
    digest: Digest
    service_checksum: str | None = None


class RecordedFile(Value, frozen=True):
    """One file of a source.

    Attributes:
        path: Its absolute path at that time.
        identity: The file's identity.
        sha256: Its SHA-256 in hexadecimal, if it was computed.
    """

    path: str
    identity: FileIdentity
    sha256: str | None = None


class FileRecord(Value, frozen=True, kw_only=True):
    """One source: a file, or several whose bytes follow each other.

    Attributes:
        source: Its place in the read set.
        files: Its files, in order.
        parts: All parts; none if the files weren't read.
        sha256: SHA-256 of the whole source, in hexadecimal, if it was computed.
        etag: The ETag computed here, in hexadecimal, if it was.
    """

    source: PartSource
    files: tuple[RecordedFile, ...]
    parts: tuple[PartRecord, ...] = ()
    sha256: str | None = None
    etag: str | None = None

    @property
    def size(self) -> int:
        """In bytes, of all files together."""
        return sum(file.identity.size for file in self.files)

    @property
    def name(self) -> str:
        """The path of its file, or of the first and how many follow it, for people."""
        more = len(self.files) - 1
        return self.files[0].path + (f" and {more:,} more" if more else "")

    @property
    def tree(self) -> str | None:
        """The SHA-256 of the parts' SHA-256s; None if one is unknown."""
        return tree_digest(part.digest.get("sha256") for part in self.parts)


def tree_digest(digests: Iterable[bytes | None]) -> str | None:
    """The SHA-256 of SHA-256s, each as hexadecimal and a newline; None if one is missing."""
    tree, count = hashlib.sha256(), 0
    for digest in digests:
        if digest is None:
            return None
        tree.update(f"{digest.hex()}\n".encode())
        count += 1
    return tree.hexdigest() if count else None


class ChainLink(Value, frozen=True):
    """A receipt's place in its journal's chain.

    Attributes:
        chain: The chain's own id, drawn at random for each journal.
        number: Its number, from 1.
        previous: The digest of the receipt before it; None for the first.
    """

    chain: str
    number: int
    previous: str | None = None


class Receipt(Value, frozen=True, kw_only=True):
    """A receipt.

    Attributes:
        file_type: As uploaded.
        files: The sources, in order.
        part_size: Size of every part but the last of a source, in bytes.
        read_set: The service's metadata and the read set's location; ready for JSON.
        comparisons: All comparisons.
        began: When the run that wrote it started, as ISO 8601 text in UTC with milliseconds.
        ended: When that run ended, likewise.
        versions: Of the software, by name.
        link: Its place in the chain; None before it is kept, and of older versions.
        manifest: The files that were compared with manifests.
    """

    file_type: str
    files: tuple[FileRecord, ...]
    part_size: int
    read_set: Mapping[str, Any]
    comparisons: tuple[Comparison, ...]
    began: str
    ended: str
    versions: Mapping[str, str] = field(default_factory=dict)
    link: ChainLink | None = None
    manifest: tuple[Compared, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The receipt's verdict."""
        return judge(str(self.read_set.get("status")), self.comparisons)

    @property
    def local_files(self) -> tuple[tuple[str, FileIdentity], ...]:
        """The path and the identity of each file that was sent, in the order of the sources."""
        return tuple((file.path, file.identity) for each in self.files for file in each.files)

    @property
    def strength(self) -> int:
        """The receipt's strength: a weaker receipt doesn't replace a stronger one.

        A proof that the store holds other content is as strong as the best proof, so that no weaker
        proof replaces or hides it. If only the stored sizes say so, an equal ETag is stronger.
        """
        refuted_by = {each.subject for each in self.comparisons if each.disproves}
        if refuted_by:
            return _OTHER_SIZES if refuted_by == {"stored-sizes"} else _MOST
        verdict = self.verdict
        known = any(each.parts for each in self.files)
        return _PROVEN * verdict.proven + sum(_WEIGHTS.get(each, 0) for each in verdict.by) + known

    @property
    def has_merged(self) -> bool:
        """Whether a source has several files."""
        return any(len(each.files) > 1 for each in self.files)

    def document(self) -> dict[str, Any]:
        """The receipt as JSON's own values, with its digest."""
        verdict = self.verdict
        document: dict[str, Any] = {
            "format": FORMAT,
            "version": MERGED_VERSION if self.has_merged else VERSION,
            "proven": verdict.proven,
            "proven_by": list(verdict.by),
            "statement": verdict.statement,
            "file_type": self.file_type,
            "read_set": dict(self.read_set),
            "part_size": self.part_size,
            "files": [_file(each) for each in self.files],
            "comparisons": [
                {
                    "subject": each.subject,
                    "outcome": each.outcome,
                    "proof": each.proof,
                    "sentence": each.sentence,
                }
                for each in self.comparisons
            ],
            "times": {"began": self.began, "ended": self.ended},
            "versions": dict(self.versions),
        }
        if self.manifest:
            document["manifest"] = [each.as_dict() for each in self.manifest]
        if self.link is not None:
            document["chain"] = asdict(self.link)
        return {**document, "receipt_sha256": own_digest(document)}

    def facts(self) -> str:
        """A digest of what it says, but when, by which software, and its place in the chain."""
        passing = ("times", "versions", "chain")
        return own_digest({k: v for k, v in self.document().items() if k not in passing})


def _file(record: FileRecord) -> dict[str, Any]:
    if len(record.files) == 1:
        about = _place(record.files[0])
    else:
        merged = [{**_place(file), "sha256": file.sha256} for file in record.files]
        about = {"size": record.size, "merged": merged}
    return {
        "source": str(record.source),
        **about,
        "sha256": record.sha256,
        "sha256_tree": record.tree,
        "etag": record.etag,
        "parts": [
            {
                "number": part.number,
                "offset": part.offset,
                "size": part.size,
                **dict(sorted(part.digest.as_hex().items())),
                "service_checksum": part.service_checksum,
            }
            for part in record.parts
        ],
    }


def _place(file: RecordedFile) -> dict[str, Any]:
    identity = file.identity
    return {
        "path": file.path,
        "size": identity.size,
        # Strings: these can exceed what JSON readers keep exactly (2^53).
        "identity": {
            "device": str(identity.device),
            "inode": str(identity.inode),
            "mtime_ns": str(identity.mtime_ns),
        },
    }


def own_digest(document: Mapping[str, Any]) -> str:
    """The digest of a receipt's document, without its member `digest`."""
    bare = {key: value for key, value in document.items() if key != "receipt_sha256"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
