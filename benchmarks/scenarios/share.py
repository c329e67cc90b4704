"""One account's quota, shared by several processes, some of which are killed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import MIB, folder_for, sheet_of
from benchmarks.process import ROOT, ClientFailed
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink
from tests.support.emulator import RunningEmulator
from turboupload.operations import SEND_PART

__all__ = ["share"]

PER_S = SEND_PART.per_s
PART_BYTES = 16 * 1024
"""The quota counts parts, not bytes."""

PARTS = 40
LOOK_S = 0.25
SETTLED_S = 5.0
"""How soon the others must have what a killed process leaves, in seconds."""

END_S = 280.0
COMMAND = [sys.executable, "-m", "turboupload"]


@dataclass(frozen=True, slots=True)
class Case:
    """What is played.

    Attributes:
        processes: How many.
        kind: `own`: a sheet each; `same`: all the same sheet; `apart`: a sheet each, and no share.
        rows: Of each sheet.
        killed_after_s: How long after the first part the first process is killed, in seconds; None
            kills nobody.
    """

    processes: int
    kind: str
    rows: int
    killed_after_s: float | None = None

    @property
    def name(self) -> str:
        killed = ", one killed" if self.killed_after_s is not None else ""
        return f"{self.processes} processes, {self.kind}{killed}"


CASES = (
    Case(4, "own", 5),
    Case(4, "same", 20),
    Case(4, "own", 6, killed_after_s=6.0),
    Case(4, "same", 20, killed_after_s=20.0),
    Case(10, "own", 3),
    Case(10, "same", 40),
    Case(10, "own", 3, killed_after_s=6.0),
    Case(10, "same", 40, killed_after_s=40.0),
    Case(4, "apart", 8),
    Case(10, "apart", 4),
)
QUICK_CASES = (Case(3, "same", 3, killed_after_s=2.0),)


@dataclass(slots=True)
class Seen:
    """What was seen of a case, at moments in seconds from its start.

    Attributes:
        marks: Moments, and how many parts the service had stored by then.
        sent: What each process has sent between the moment from which all did (Create has one turn
            a second) and the end of the first, in bytes.
    """

    marks: list[tuple[float, int]] = field(default_factory=list)
    first_part_at: float | None = None
    killed_at: float | None = None
    first_end_at: float | None = None
    sent: list[int] = field(default_factory=list)
    ended_at: float = 0.0

    def rate(self, after: float, before: float) -> float:
        """Parts a second between two moments."""
        inside = [mark for mark in self.marks if after <= mark[0] <= before]
        if len(inside) < 2:
            return 0.0
        (first, had), (last, has) = inside[0], inside[-1]
        return (has - had) / (last - first)


def share(sink: Sink, *, quick: bool) -> Outcome:
    """Batches side by side at the service's own quotas, which the emulator enforces."""
    columns = (
        "case", "s", "parts/s", "of the quota", "refused", "extra bytes", "fairness", "after a kill"
    )  # fmt: skip
    table = Table(f"one quota of {PER_S:g} parts a second", columns)
    figures: list[Figure] = []
    measured: dict[str, Any] = {}
    for case in QUICK_CASES if quick else CASES:
        measured[case.name] = found = _play(case)
        table.rows.append(_row(case, found))
        figures += _figures(case, found)
    return [table], figures, measured


def _row(case: Case, found: Mapping[str, Any]) -> list[str]:
    after = found["after_kill"]
    return [
        case.name,
        f"{found['seconds']:.1f}",
        f"{found['of_quota'] * PER_S:.2f}",
        f"{found['of_quota']:.1%}",
        str(found["refused"]),
        f"{found['extra_bytes']:.2%}",
        f"{found['jain']:.3f}",
        "" if after is None else f"{after:.1%}",
    ]


def _figures(case: Case, found: Mapping[str, Any]) -> list[Figure]:
    shares = case.kind != "apart"
    figures = [
        Figure(f"{case.name}: extra bytes", found["extra_bytes"], "x", 0.01 if shares else None)
    ]
    for what, label in (
        ("of_quota", "of the quota"),
        ("jain", "fairness (Jain)"),
        ("after_kill", f"of the quota {SETTLED_S:g} s after a kill"),
    ):
        if found[what] is not None:
            target = (0.9 if what == "jain" else 0.95) if shares else None
            figures.append(Figure(f"{case.name}: {label}", found[what], "", target, at_least=True))
    return figures


def _play(case: Case) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as name,
        RunningEmulator("--quotas", "real", "--ingest-delay", "0") as emulator,
    ):
        folder = Path(name)
        sheets = _sheets(folder, case)
        commands = [_command(emulator, folder, case, each) for each in enumerate(sheets)]
        seen = _watch(emulator, folder, case, commands)
        stats = emulator.stats()
        if seen.killed_at is not None:
            _run(commands[0], emulator)
        rows = case.rows * len(set(sheets))
        names = _read_sets(emulator)
        if not len(names) == len(set(names)) == rows:
            raise ClientFailed(f"{case.name}: {rows} rows, but the read sets are {sorted(names)}")
        file = next(sheets[0].parent.glob("*.fastq.gz"))
        return _found(seen, stats, file.stat().st_size)


def _sheets(folder: Path, case: Case) -> list[Path]:
    """The sheet of each process; all their read sets have names of their own."""
    found = []
    for number in range(1 if case.kind == "same" else case.processes):
        below = folder / f"p{number}"
        below.mkdir()
        sheet = sheet_of(below, case.rows, PARTS * PART_BYTES)
        text = sheet.read_text().replace(",subject,row", f",subject,p{number}-row")
        sheet.write_text(text)
        found.append(sheet)
    return found * (case.processes if case.kind == "same" else 1)


def _command(
    emulator: RunningEmulator, folder: Path, case: Case, numbered: tuple[int, Path]
) -> list[str]:
    number, sheet = numbered
    state = folder / (f"state{number}" if case.kind == "apart" else "state")
    return [
        *COMMAND, "batch", str(sheet), "--store", emulator.store_id, "--part-size", str(PART_BYTES),
        "--state-dir", str(state), "--json", "--no-wait", "--listing-lag", "1s",
    ]  # fmt: skip


def _run(command: Sequence[str], emulator: RunningEmulator) -> list[dict[str, Any]]:
    """Runs a command to its end; returns its lines."""
    environment = aws_environment(emulator.endpoint_url, None)
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _read_sets(emulator: RunningEmulator) -> list[str]:
    command = [*COMMAND, "readsets", "list", "--store", emulator.store_id, "--json"]
    return [row["name"] for row in _run(command, emulator) if "name" in row]


def _watch(
    emulator: RunningEmulator, folder: Path, case: Case, commands: Sequence[Sequence[str]]
) -> Seen:
    """Starts the processes, kills one where that is to be, and looks on until all have ended.

    Raises:
        ClientFailed: One of them failed, or they take too long.
    """
    outs = [folder / f"out{number}" for number in range(len(commands))]
    environment = aws_environment(emulator.endpoint_url, None)
    processes = []
    try:
        for command, out in zip(commands, outs, strict=True):
            with out.open("wb") as file:
                processes.append(
                    subprocess.Popen(command, env=environment, cwd=ROOT, stdout=file, stderr=file)
                )
        seen = _look_on(emulator, case, processes, outs)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, out in zip(processes, outs, strict=True):
        if process.returncode not in (0, -9):
            raise ClientFailed(f"{case.name}: {out.read_text()[-2000:]}")
    return seen


def _look_on(
    emulator: RunningEmulator,
    case: Case,
    processes: Sequence[subprocess.Popen[bytes]],
    outs: Sequence[Path],
) -> Seen:
    seen, began = Seen(), time.monotonic()
    alive = list(zip(processes, outs, strict=True))
    had: list[int] = []
    while (now := time.monotonic() - began) < END_S:
        operations = emulator.stats()["operations"]
        parts = operations.get(SEND_PART.name, {}).get("successes", 0)
        seen.marks.append((now, parts))
        if parts and seen.first_part_at is None:
            seen.first_part_at = now
        if seen.killed_at is None and _due(case, seen, now):
            processes[0].kill()
            seen.killed_at = now
            del alive[0]
            had = []
        if not had and all(sent := [_sent_bytes(out) for _, out in alive]):
            had = sent
        over = [each.poll() is not None for each, _ in alive]
        if seen.first_end_at is None and any(over):
            seen.first_end_at = now
            before = had or [0] * len(alive)
            after = [_sent_bytes(out) for _, out in alive]
            seen.sent = [each - at for each, at in zip(after, before, strict=True)]
        if all(over):
            seen.ended_at = now
            return seen
        time.sleep(LOOK_S)
    raise ClientFailed(f"{case.name}: not over within {END_S:g} s")


def _due(case: Case, seen: Seen, now: float) -> bool:
    """Whether it is time to kill."""
    if case.killed_after_s is None or seen.first_part_at is None:
        return False
    return now - seen.first_part_at > case.killed_after_s


def _sent_bytes(out: Path) -> int:
    """What a process has sent, as it said last."""
    lines = [line for line in out.read_bytes().split(b"\n")[:-1] if b'"bytes_sent"' in line]
    said = [json.loads(line) for line in lines if line.startswith(b"{")]
    return max((int(each["bytes_sent"]) for each in said if "bytes_sent" in each), default=0)


def _found(seen: Seen, stats: Mapping[str, Any], file_bytes: int) -> dict[str, Any]:
    assert seen.first_part_at is not None
    assert seen.first_end_at is not None
    calls = stats["operations"][SEND_PART.name]
    last = -(-file_bytes // PART_BYTES)
    # A part that a killed process had begun may never have been stored.
    needed = sum(
        PART_BYTES if part["partNumber"] < last else file_bytes - (last - 1) * PART_BYTES
        for part in stats["parts"]
        if part["stored"]
    )
    after_kill = None
    if seen.killed_at is not None:
        after_kill = seen.rate(seen.killed_at + SETTLED_S, seen.first_end_at) / PER_S
    return {
        "seconds": seen.ended_at,
        "of_quota": seen.rate(seen.first_part_at + 1.0, seen.first_end_at) / PER_S,
        "refused": calls["errorCodes"].get("ThrottlingException", 0),
        "refused_of_all": stats["errors"],
        "extra_bytes": max(0.0, calls["bodyBytes"] / needed - 1.0),
        "jain": _jain(seen.sent),
        "sent_bytes": seen.sent,
        "after_kill": after_kill,
        "calls": {name: each["requests"] for name, each in stats["operations"].items()},
    }


def _jain(sent: Sequence[int]) -> float:
    """Jain's index: 1 where all have sent as much, 1/N where one has sent everything."""
    squares = sum(each**2 for each in sent)
    return sum(sent) ** 2 / (len(sent) * squares) if squares else 0.0
