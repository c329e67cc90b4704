"""`python -m benchmarks [--quick] [SCENARIO…]`: runs scenarios, prints tables, keeps JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, Table, write_json
from benchmarks.scenarios import engine, peers
from benchmarks.sink import MissingTool, Sink

Scenario = Callable[..., tuple[list[Table], list[Figure], dict[str, Any]]]

SCENARIOS: dict[str, Scenario] = {
    "raw": peers.raw,
    "links": peers.links,
    "quota": engine.quota,
    "memory": engine.memory,
    "overhead": engine.overhead,
    "startup": engine.startup,
}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="for correctness, not for speed")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - SCENARIOS.keys()
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    measurements: dict[str, Any] = {}
    try:
        with Sink() as sink:
            for name in arguments.scenarios or SCENARIOS:
                tables, found, measured = SCENARIOS[name](sink, quick=arguments.quick)
                for table in tables:
                    table.print()
                figures += found
                measurements[name] = measured
    except MissingTool as error:
        raise SystemExit(f"missing: {error}") from None
    summary = Table(
        "targets",
        ("figure", "measured", "target", ""),
        rows=[
            (
                figure.name,
                f"{figure.measured:.2f} {figure.unit}",
                f"{'>=' if figure.at_least else '<='} {figure.target:g} {figure.unit}",
                "met" if figure.met else "MISSED",
            )
            for figure in figures
        ],
    )
    summary.print()
    label = "-".join(arguments.scenarios) or "all"
    path = RESULTS / f"{label}{'-quick' if arguments.quick else ''}.json"
    write_json(path, figures, measurements)
    print(f"\nkept in benchmarks/results/{path.name}")


if __name__ == "__main__":
    main()
