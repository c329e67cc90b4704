"""`python -m benchmarks [--quick] [SCENARIO…]`: measures, prints, keeps and draws."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.machine import machine
from benchmarks.process import ROOT, ClientFailed
from benchmarks.report import Figure, Outcome, targets_table, write_json
from benchmarks.scenarios.batch import batch
from benchmarks.scenarios.cap import cap
from benchmarks.scenarios.check import check
from benchmarks.scenarios.engine import memory, overhead, startup
from benchmarks.scenarios.growth import growth
from benchmarks.scenarios.install import install
from benchmarks.scenarios.kill import kill
from benchmarks.scenarios.links import far, faults, narrow
from benchmarks.scenarios.lock import lock
from benchmarks.scenarios.many import many
from benchmarks.scenarios.pairs import pairs
from benchmarks.scenarios.proof import proof
from benchmarks.scenarios.proven import proven
from benchmarks.scenarios.quota import quota
from benchmarks.scenarios.raw import raw
from benchmarks.scenarios.resume import resume
from benchmarks.scenarios.scaling import scaling
from benchmarks.scenarios.share import share
from benchmarks.sink import MissingTool, Sink, SinkFailed
from benchmarks.soundness import faults_of

SCENARIOS: dict[str, Callable[..., Outcome]] = {
    scenario.__name__: scenario
    for scenario in (
        raw,
        proven,
        narrow,
        far,
        faults,
        quota,
        cap,
        kill,
        memory,
        growth,
        many,
        batch,
        pairs,
        resume,
        check,
        proof,
        overhead,
        lock,
        share,
        scaling,
        install,
        startup,
    )
}
WITHOUT_SINK = {
    "many", "batch", "pairs", "resume", "check", "proof", "overhead", "lock", "kill",
    "share", "scaling", "install",
}  # fmt: skip
"""Those that upload to the emulator, to memory or not at all."""

RESULTS = Path(__file__).parent / "results"
QUICK_RESULTS = ROOT / "build" / "bench-quick"


@dataclass(slots=True)
class Report:
    """What came of the scenarios.

    Attributes:
        figures: All of them, in their order.
        ran: The scenarios that ran to their end.
        left_out: A sentence for each client and scenario that could not take part.
        failed: A sentence for each scenario that failed.
    """

    figures: list[Figure] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="for correctness, not for speed")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    names = arguments.scenarios or list(SCENARIOS)
    quick = arguments.quick
    folder = QUICK_RESULTS if quick else RESULTS
    if quick:
        # What an earlier run left would hide what this one lacks.
        shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    try:
        report = _run_all(names, folder, quick=quick)
    except MissingTool as error:
        raise SystemExit(f"missing: {error}") from None
    except SinkFailed as error:
        raise SystemExit(f"failed: {error}") from None
    targets_table(report.figures, judged=not quick).print()
    drawn = plots.draw_all(folder)
    shown = folder.relative_to(ROOT)
    print(f"\n{time.monotonic() - began:.0f} s; figures kept in {shown}/*.json, {drawn}")
    for sentence in dict.fromkeys(report.left_out):
        print(sentence)
    if quick:
        report.failed += faults_of(folder, report.ran, report.figures)
    if not report.ran:
        report.failed.append("nothing could run")
    if report.failed:
        raise SystemExit("\n".join(["failed:", *report.failed]))


def _run_all(names: Sequence[str], folder: Path, *, quick: bool) -> Report:
    """One scenario after the other; one that fails does not cost the others' work.

    Raises:
        MissingTool: In full mode. The quick one leaves out what needs it, and says so.
    """
    report = Report()
    about = machine()
    with ExitStack() as stack:
        sink = Sink()
        reason = None
        try:
            stack.enter_context(sink)
        except MissingTool as error:
            if not quick:
                raise
            reason = str(error)
        for name in names:
            if reason is not None and name not in WITHOUT_SINK:
                report.left_out.append(f"{name}: left out: missing: {reason}")
                continue
            try:
                _run(name, sink, folder, about, report, quick=quick)
            except MissingTool as error:
                if not quick:
                    raise
                report.left_out.append(f"{name}: left out: missing: {error}")
            except (ClientFailed, subprocess.CalledProcessError) as error:
                print(f"\n{name}: FAILED: {error}", flush=True)
                report.failed.append(f"{name}: {error}")
    return report


def _run(
    name: str, sink: Sink, folder: Path, about: dict[str, Any], report: Report, *, quick: bool
) -> None:
    began = time.monotonic()
    load = os.getloadavg()[0]
    tables, figures, measured = SCENARIOS[name](sink, quick=quick)
    for table in tables:
        table.print()
    print(f"\n[{name}: {time.monotonic() - began:.1f} s]", flush=True)
    report.figures += figures
    report.ran.append(name)
    report.left_out += measured.get("left_out", [])
    measured["load_average_before"] = load
    write_json(folder / f"{name}.json", figures, measured, about)


if __name__ == "__main__":
    main()
