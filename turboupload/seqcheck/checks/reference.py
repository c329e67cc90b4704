"""Compares a header's reference sequences with a reference FASTA.

A FASTA's own index (`.fai`) and dictionary (`.dict`) beside it are used if they exist: both hold
names and lengths, the dictionary also MD5 sums. Otherwise the FASTA itself is read.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from turboupload.errors import InputError
from turboupload.paths import regular_size
from turboupload.seqcheck.checks.findings import Finding, Severity
from turboupload.seqcheck.sam_header import ReferenceSequence, SamHeader, parse_header

__all__ = ["compare_reference", "read_reference"]

_SHOWN = 5
_WHITE = bytes(range(0x21)) + b"\x7f"
_UPPER = bytes.maketrans(bytes(range(97, 123)), bytes(range(65, 91)))


def read_reference(path: str | os.PathLike[str]) -> tuple[ReferenceSequence, ...]:
    """The sequences of a reference FASTA (gzipped or not), or of its `.fai` or `.dict`.

    Raises:
        InputError: The file can't be read, or holds no sequences.
    """
    name = os.fspath(path)
    regular_size(path)
    try:
        sequences = _read(Path(path))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(
            f"can't be read as a reference: {error}", path=name, hint=_REFERENCE_HINT
        ) from error
    if not sequences:
        raise InputError("holds no reference sequences", path=name, hint=_REFERENCE_HINT)
    return sequences


_REFERENCE_HINT = "give the reference FASTA, its .fai or its .dict"


def compare_reference(
    path: str, header: SamHeader, reference: tuple[ReferenceSequence, ...]
) -> Iterator[Finding]:
    """Compares a file's @SQ lines with a reference: names, lengths, and MD5 if both have it."""
    known = {s.name: s for s in reference}
    ours = tuple(header.sequences)
    missing = [s.name for s in ours if s.name not in known]
    if missing:
        yield _error(path, "reference.names", "names that the reference doesn't have", missing)
        hint = _other_style(missing, known)
        if hint:
            yield Finding(severity=Severity.NOTE, code="reference.style", path=path, sentence=hint)
    shared = [(s, known[s.name]) for s in ours if s.name in known]
    lengths = [f"{s.name} ({s.length}, not {k.length})" for s, k in shared if s.length != k.length]
    if lengths:
        yield _error(path, "reference.lengths", "lengths that differ from the reference", lengths)
    sums = [s.name for s, k in shared if s.md5 and k.md5 and s.md5 != k.md5]
    if sums:
        yield _error(path, "reference.md5", "MD5 sums (M5) that differ from the reference", sums)
    if not (missing or lengths or sums):
        order = {s.name: i for i, s in enumerate(reference)}
        places = [order[s.name] for s in ours]
        if places != sorted(places):
            yield Finding(
                severity=Severity.NOTE,
                code="reference.order",
                path=path,
                sentence="lists its reference sequences in another order than the reference",
            )


def _error(path: str, code: str, what: str, names: list[str]) -> Finding:
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return Finding(
        severity=Severity.ERROR,
        code=code,
        path=path,
        sentence=f"{len(names)} of its reference sequences have {what}: {shown}",
        advice="name the reference that the reads were aligned to",
    )


def _other_style(missing: list[str], known: dict[str, ReferenceSequence]) -> str | None:
    if all(f"chr{name}" in known for name in missing[:_SHOWN]):
        return "the reference has the same names with 'chr' in front"
    if all(name.removeprefix("chr") in known for name in missing[:_SHOWN]):
        return "the reference has the same names without 'chr' in front"
    return None


def _read(path: Path) -> tuple[ReferenceSequence, ...]:
    if path.suffix == ".fai":
        return _read_fai(path)
    if path.suffix == ".dict":
        return tuple(parse_header(path.read_bytes()).sequences)
    base = path.with_suffix("") if path.suffix == ".gz" else path
    for dictionary in (base.with_suffix(".dict"), Path(f"{path}.dict")):
        if dictionary.is_file() and (listed := parse_header(dictionary.read_bytes()).sequences):
            return tuple(listed)
    index = Path(f"{path}.fai")
    if index.is_file() and (found := _read_fai(index)):
        return found
    return tuple(_read_fasta(path))


def _read_fai(path: Path) -> tuple[ReferenceSequence, ...]:
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines() if line.strip()]
    if any(len(row) < 5 for row in rows):
        raise ValueError("a line of the index has fewer than five columns")
    return tuple(ReferenceSequence(row[0], int(row[1])) for row in rows)


def _read_fasta(path: Path) -> Iterator[ReferenceSequence]:
    """Reads the FASTA itself; M5 is the MD5 of the bases in upper case without white space."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with cast(BinaryIO, gzip.open(path) if zipped else path.open("rb")) as text:
        name: str | None = None
        length, digest = 0, hashlib.md5(usedforsecurity=False)
        for line in itertools.chain(text, [b">"]):
            if line[:1] != b">":
                if name is None:
                    raise ValueError("it doesn't start with '>'")
                bases = line.translate(_UPPER, _WHITE)
                length += len(bases)
                digest.update(bases)
                continue
            if name is not None:
                yield ReferenceSequence(name, length, digest.hexdigest())
            words = line[1:].split(None, 1)
            name = words[0].decode("utf-8", "replace") if words else ""
            length, digest = 0, hashlib.md5(usedforsecurity=False)
