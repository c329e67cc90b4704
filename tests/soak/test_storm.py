"""A short storm; `scripts/soak` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.soak.site import Site
from tests.soak.storm import Report, Storm

SEED = "a short one"
ROUNDS = 2


def test_a_storm_of_kills_and_faults_loses_nothing(tmp_path: Path) -> None:
    report = Report(SEED)
    with Site(tmp_path) as site:
        storm = Storm(site, SEED, most_deaths=2)
        report.rounds += [storm.play(number) for number in range(ROUNDS)]
    print("\n".join(report.describe()))  # noqa: T201 - the seed and the figures of a failure
    assert not [each.describe() for each in report.failed]
    assert sum(each.deaths.total() for each in report.rounds) > 0
