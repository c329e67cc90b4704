"""`python -m benchmarks [--quick] [SCENARIO…]`: measures, prints, keeps and draws."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import plots
from benchmarks.machine import machine
from benchmarks.process import ROOT, ClientFailed
from benchmarks.report import Figure, Outcome, targets_table, write_json
from benchmarks.scenarios.batch import batch
from benchmarks.scenarios.cap import cap
from benchmarks.scenarios.check import check
from benchmarks.scenarios.engine import memory, overhead, startup
from benchmarks.scenarios.growth import growth
from benchmarks.scenarios.links import far, faults, narrow
from benchmarks.scenarios.many import many
from benchmarks.scenarios.proof import proof
from benchmarks.scenarios.quota import quota
from benchmarks.scenarios.raw import raw
from benchmarks.scenarios.resume import resume
from benchmarks.sink import MissingTool, Sink

SCENARIOS: dict[str, Callable[..., Outcome]] = {
    scenario.__name__: scenario
    for scenario in (
        raw,
        narrow,
        far,
        faults,
        quota,
        cap,
        memory,
        growth,
        many,
        batch,
        resume,
        check,
        proof,
        overhead,
        startup,
    )
}
RESULTS = Path(__file__).parent / "results"
QUICK_RESULTS = ROOT / "build" / "bench-quick"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="for correctness, not for speed")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    folder = QUICK_RESULTS if arguments.quick else RESULTS
    began = time.monotonic()
    try:
        with Sink() as sink:
            names = arguments.scenarios or list(SCENARIOS)
            figures = _run(sink, names, folder, quick=arguments.quick)
    except MissingTool as error:
        raise SystemExit(f"missing: {error}") from None
    targets_table(figures, judged=not arguments.quick).print()
    drawn = plots.draw_all(folder)
    shown = folder.relative_to(ROOT)
    print(f"\n{time.monotonic() - began:.0f} s; figures kept in {shown}/*.json, {drawn}")


def _run(sink: Sink, names: list[str], folder: Path, *, quick: bool) -> list[Figure]:
    """One scenario after the other; one that fails in full mode does not cost the others' work."""
    about = machine()
    figures: list[Figure] = []
    for name in names:
        began = time.monotonic()
        load = os.getloadavg()[0]
        try:
            tables, found, measured = SCENARIOS[name](sink, quick=quick)
        except ClientFailed as error:
            if quick:
                raise
            print(f"\n{name}: FAILED: {error}")
            continue
        for table in tables:
            table.print()
        print(f"\n[{name}: {time.monotonic() - began:.0f} s]", flush=True)
        figures += found
        measured["load_average_before"] = load
        write_json(folder / f"{name}.json", found, measured, about)
    return figures


if __name__ == "__main__":
    main()
