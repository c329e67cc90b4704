"""Reads BAM, uBAM and CRAM files: whether they are whole, their counts and their ETag."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turboupload.emulator.reading.cram import (
    CRAM_MAGIC,
    copy_without_lookups,
    records_begin,
    walk_containers,
)
from turboupload.emulator.reading.findings import IngestFailure

__all__ = ["AlignmentFindings", "examine_alignments"]

BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block at the end of a whole BGZF file (SAM format specification, section 4.1.2)."""

_WORKER = Path(__file__).with_name("alignment_worker.py")
_SNIFF_BYTES = 65_536
_POLL_S = 0.2
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class AlignmentFindings:
    """What one alignment file holds.

    Attributes:
        digest: The hex hash of its records as SAM text; for a CRAM file without its reference, of
            the file after its header.
        reads: Its primary records; for such a CRAM file, all records.
        bases: The bases in them.
        aligned: Whether any of them is aligned.
        indexed: Whether an index was written.
    """

    digest: str
    reads: int
    bases: int
    aligned: bool
    indexed: bool


def examine_alignments(
    path: Path,
    file_type: str,
    *,
    hash_name: str,
    reference: Path | None,
    index: Path,
    check: Callable[[], None],
) -> AlignmentFindings:
    """Read one BAM, UBAM or CRAM file.

    A CRAM file can be converted to text only with pysam and with its reference: an embedded one, or
    `reference`. Without it, the hash covers the bytes after its header, which the service doesn't
    change, and the counts come from its containers' headers. A BAM file needs pysam.

    Arguments:
        path: The file.
        file_type: BAM, UBAM or CRAM.
        hash_name: The hash of the ETag, as hashlib calls it.
        reference: The FASTA file of its reference, if there is one.
        index: Where to write its index.
        check: Called now and then; raises to stop.

    Raises:
        IngestFailure: The file isn't a complete file of this type.
    """
    found = _sniff(path)
    expected = "CRAM" if file_type == "CRAM" else "BAM"
    if found != expected:
        raise IngestFailure(f"the file is {found}, not {expected}")
    if file_type == "CRAM":
        return _examine_cram(path, hash_name, reference, index, check)
    _check_bgzf_end(path)
    findings = _run_worker(path, hash_name, None, index, check, aligned=file_type == "BAM")
    if "failure" in findings:
        raise IngestFailure(f"the BAM file can't be read: {findings['failure']}")
    result = _result(findings)
    if file_type == "UBAM" and result.aligned:
        raise IngestFailure("the file has aligned reads, which an unaligned BAM must not have")
    return result


def _result(findings: dict[str, Any]) -> AlignmentFindings:
    if not findings["reads"]:
        raise IngestFailure("the file has no reads")
    return AlignmentFindings(
        digest=findings["digest"],
        reads=findings["reads"],
        bases=findings["bases"],
        aligned=findings["alignedReads"] > 0,
        indexed=findings["index"],
    )


def _examine_cram(
    path: Path, hash_name: str, reference: Path | None, index: Path, check: Callable[[], None]
) -> AlignmentFindings:
    with path.open("rb") as file:
        counts = walk_containers(file)
    # Don't open or fetch anything that the header names: it may be any file of this machine.
    plain = index.with_name(f"{index.name}.plain")
    try:
        with path.open("rb") as file, plain.open("wb") as copy:
            readable = copy_without_lookups(file, copy)
        if readable:
            findings = _run_worker(
                plain, hash_name, reference, index, check, aligned=True, indexed=path
            )
        else:
            findings = {"failure": "its header can't be read"}
    finally:
        plain.unlink(missing_ok=True)
    if "failure" not in findings:
        return _result(findings)
    if reference is not None:
        raise IngestFailure(f"the CRAM file does not fit its reference: {findings['failure']}")
    if not counts.records:
        raise IngestFailure("the file has no reads")
    with path.open("rb") as file:
        file.seek(records_begin(file))
        digest = hashlib.file_digest(file, lambda: hashlib.new(hash_name, usedforsecurity=False))
    return AlignmentFindings(
        digest.hexdigest(), counts.records, counts.bases, aligned=True, indexed=False
    )


def _sniff(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_SNIFF_BYTES)
    if head.startswith(CRAM_MAGIC):
        return "CRAM"
    if not head.startswith(b"\x1f\x8b"):
        return "neither BAM nor CRAM"
    try:
        text = zlib.decompressobj(wbits=31).decompress(head, 4)
    except zlib.error:
        return "damaged gzip data"
    return "BAM" if text == b"BAM\1" else "gzip data of another kind"


def _check_bgzf_end(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - len(BGZF_EOF), 0))
        if file.read() != BGZF_EOF:
            raise IngestFailure("the BAM file is truncated: its BGZF EOF block is missing")


def _run_worker(
    path: Path,
    hash_name: str,
    reference: Path | None,
    index: Path,
    check: Callable[[], None],
    *,
    aligned: bool,
    indexed: Path | None = None,
) -> dict[str, Any]:
    findings, findings_end = os.pipe()
    with os.fdopen(findings, "rb") as output:
        job = {
            "path": str(path),
            "indexed": str(indexed or path),
            "aligned": aligned,
            "reference": str(reference) if reference else None,
            "index": str(index),
            "findings": findings_end,
        }
        try:
            worker = _start(job)
        finally:
            os.close(findings_end)
        with worker:
            digest = _hash_output(worker, hash_name, check)
        # A few hundred bytes: they fit into the pipe, so the worker doesn't block.
        text = output.read()
    if worker.returncode or not text:
        return {"failure": f"the reader ended with code {worker.returncode}"}
    return {**json.loads(text), "digest": digest}


def _start(job: dict[str, Any]) -> subprocess.Popen[bytes]:
    # htslib searches unknown references in REF_PATH, whose default is a network server. A path that
    # can't exist prevents that.
    environment = {**os.environ, "REF_PATH": f"{os.devnull}/none", "REF_CACHE": ""}
    return subprocess.Popen(
        [sys.executable, "-P", str(_WORKER), json.dumps(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[job["findings"]],
        env=environment,
    )


def _hash_output(worker: subprocess.Popen[bytes], hash_name: str, check: Callable[[], None]) -> str:
    digest = hashlib.new(hash_name, usedforsecurity=False)
    assert worker.stdout is not None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(worker.stdout, selectors.EVENT_READ)
            while True:
                check()
                if not selector.select(_POLL_S):
                    continue
                data = os.read(worker.stdout.fileno(), _READ_BYTES)
                if not data:
                    return digest.hexdigest()
                digest.update(data)
    except BaseException:
        worker.kill()
        raise
