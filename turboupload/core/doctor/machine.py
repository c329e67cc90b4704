"""Judges what is here: the program, its settings, the state folder, the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from turboupload.core.doctor.facts import FileLook, FolderLook, Machine, Setting, Speeds
from turboupload.core.doctor.line import Line, failure_of
from turboupload.operations import SEND_PART, TRANSACTIONS_PER_S
from turboupload.units import MIB, format_rate, format_size

__all__ = [
    "judge_file",
    "judge_folder",
    "judge_machine",
    "judge_quotas",
    "judge_settings",
    "judge_speeds",
    "judge_variables",
]

LITTLE_ROOM: Final = 64 * MIB
"""Free space below which the journal may soon fail: one of the largest upload takes 5 MB."""

OPTIONAL: Final = frozenset({"awscrt", "isal", "numpy", "pysam"})
"""Packages that needn't be there."""

_LACKING: Final[Mapping[str, str]] = {
    "uvloop": "everything works without it, a little slower: pip install uvloop",
}


def judge_machine(machine: Machine) -> Iterator[Line]:
    """The versions of what matters, and the processors."""
    yield Line(
        topic="version",
        level="ok",
        text=f"turboupload {machine.version}, Python {machine.python}, {machine.openssl}",
        facts={
            "turboupload": machine.version,
            "python": machine.python,
            "openssl": machine.openssl,
        },
    )
    lacking = [
        name
        for name, version in machine.packages.items()
        if version is None and name not in OPTIONAL
    ]
    shown = ", ".join(
        f"{name} {version or 'not installed'}" for name, version in machine.packages.items()
    )
    yield Line(
        topic="packages",
        level="warning" if lacking else "ok",
        text=shown,
        advice="; ".join(_LACKING.get(name, f"pip install {name}") for name in lacking) or None,
        facts=dict(machine.packages),
    )
    yield _processors(machine)


def _processors(machine: Machine) -> Line:
    sha = {True: "with SHA instructions", False: "without SHA instructions", None: ""}
    told = sha[machine.sha_instructions] or "; whether it has SHA instructions is not known"
    return Line(
        topic="processor",
        level="ok",
        text=f"{machine.processors} usable{told if told[0] == ';' else f', {told}'}",
        facts={
            "processors": machine.processors,
            "sha_instructions": machine.sha_instructions,
        },
    )


def judge_settings(settings: Iterable[Setting]) -> Iterator[Line]:
    """Each setting that has a value, and where it came from."""
    for each in settings:
        yield Line(
            topic="setting",
            level="ok",
            text=f"{each.name}: {each.value} ({each.origin})",
            facts={"name": each.name, "value": each.value, "origin": each.origin},
        )


def judge_variables(names: Iterable[str], known: Iterable[str]) -> Iterator[Line]:
    """Environment variables that look like ours and aren't read by any command.

    Args:
        names: Those that are set.
        known: Those that are read.
    """
    readable = set(known)
    for name in sorted(set(names) - readable):
        alike = get_close_matches(name, readable, n=1)
        yield Line(
            topic="setting",
            level="warning",
            text=f"{name} is set, and no command reads it",
            advice=f"did you mean {alike[0]}?" if alike else f"unset {name}",
            facts={"name": name},
        )


def judge_quotas(configured: Mapping[str, float]) -> Line:
    """The quotas that calls keep to.

    Args:
        configured: Those that differ from the service's defaults, by operation.
    """
    rates = {**TRANSACTIONS_PER_S, **configured}
    others = ", ".join(f"{name}={rate:g}" for name, rate in configured.items())
    return Line(
        topic="quotas",
        level="ok",
        text=f"{rates[SEND_PART.name]:g} parts a second; "
        + (f"configured: {others}" if others else "all are the service's defaults"),
        facts=rates,
    )


def judge_folder(look: FolderLook) -> Line:
    """The state folder, which can be written and locked."""
    size = format_size(look.free_bytes)
    journal = (
        "no journal yet"
        if look.journal_bytes is None
        else f"a journal of {format_size(look.journal_bytes)}"
    )
    state = f"can be written and locked, {journal}" if look.exists else "will be made"
    little = look.free_bytes < LITTLE_ROOM
    return Line(
        topic="state",
        level="warning" if little else "ok",
        text=f"{look.path} {state}, {size} free",
        advice="make room on its disk, or set TURBOUPLOAD_STATE_DIR to a folder on another"
        if little
        else None,
        facts={
            "path": look.path,
            "exists": look.exists,
            "free_bytes": look.free_bytes,
            "journal_bytes": look.journal_bytes,
        },
    )


def judge_file(look: FileLook) -> Line:
    """A file: what it is, and how fast it can be read."""
    facts = {
        "path": look.path,
        "size": look.size,
        "file_type": look.file_type,
        "bytes_per_s": look.bytes_per_s,
    }
    if look.problem == "slow":
        return Line(
            topic="file",
            level="failure",
            text=f"{look.path}: its disk did not answer in time",
            advice="check the disk, or the network file system",
            blame="files",
            facts=facts,
        )
    if look.error is not None and not look.undecided:
        return failure_of("file", look.error, **facts)
    rate = "its disk was not measured: it is too small"
    if look.bytes_per_s is not None:
        rate = f"read at {format_rate(look.bytes_per_s)} by one reader"
    return Line(
        topic="file",
        level="warning" if look.undecided else "ok",
        text=f"{look.path}: {look.detail or look.file_type}, {format_size(look.size)}, {rate}",
        advice=look.error.hint if look.error is not None else None,
        facts=facts,
    )


def judge_speeds(speeds: Speeds) -> Line:
    """What one processor hashes and encrypts."""
    named = (("SHA-256", speeds.sha256), ("xxh3", speeds.xxh3), ("TLS", speeds.tls))
    shown = [f"{name} {format_rate(rate)}" for name, rate in named if rate is not None]
    missing = [name for name, rate in named if rate is None]
    text = f"of one processor: {', '.join(shown)}" if shown else "nothing could be measured"
    return Line(
        topic="speed",
        level="unknown" if missing else "ok",
        text=text + (f"; {', '.join(missing)} can't be measured here" if missing else ""),
        facts={"sha256": speeds.sha256, "xxh3": speeds.xxh3, "tls": speeds.tls},
    )
