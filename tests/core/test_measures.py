"""What is measured: every figure adds up, and labels stay few whatever a service says."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.events_schema import sample
from turboupload.core.batch import BatchProgress
from turboupload.core.measures import (
    IN_FLIGHT,
    LIMITED,
    MEASURES,
    ROWS,
    SENT,
    UNDER_WAY,
    Measure,
    Measuring,
    Sample,
    Vocabulary,
)
from turboupload.core.notices import Calling, Notice, Progress
from turboupload.core.rows import RowStatus
from turboupload.errors import Stopped


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        ({"active": 2, "exists": 1}, "active"),
        ({"active": 2, "processing": 1}, "processing"),
        ({"active": 2, "stopped": 1}, "stopped"),
        ({"waiting": 2, "rejected": 1}, "some_failed"),
    ],
)
def test_a_batch_ends_as_its_rows_did(counts: dict[RowStatus, int], outcome: str) -> None:
    measuring = Measuring("batch", Vocabulary())
    list(measuring.hear(dataclasses.replace(sample(BatchProgress), counts=counts)))
    list(measuring.ended(None, 1.0))
    assert measuring.outcome(None) == outcome
    assert measuring.outcome(KeyboardInterrupt()) == "interrupted"


def progress(sent: int, in_flight: int, limited: str | None) -> Progress:
    return Progress(
        total_bytes=100, done_bytes=0, bytes_sent=sent, parts=1, done_parts=0, bytes_per_s=0.0,
        eta_s=None, in_flight=in_flight, window=4, limited_by=limited,  # type: ignore[arg-type]
    )  # fmt: skip


NOTICES = st.builds(
    progress,
    st.integers(0, 1000),
    st.integers(0, 5),
    st.sampled_from([None, "disk", "network", "quota"]),
)


@given(st.lists(NOTICES), st.booleans())
def test_levels_return_to_zero_and_bytes_add_up(notices: list[Progress], failed: bool) -> None:
    measuring = Measuring("upload", Vocabulary())
    samples = list(measuring.began())
    for notice in notices:
        samples += measuring.hear(notice)
    samples += measuring.ended(Stopped("x") if failed else None, 1.0)
    sums: Counter[tuple[Measure, tuple[str, ...]]] = Counter()
    for measure, value, labels in samples:
        assert measure in MEASURES
        assert len(labels) == len(measure.labels)
        sums[measure, labels] += value  # type: ignore[assignment]
    for (measure, _), total in sums.items():
        if measure in (IN_FLIGHT, LIMITED, UNDER_WAY, ROWS):
            assert total == 0
    assert sums[SENT, ()] == max((each.bytes_sent for each in notices), default=0)


@given(st.lists(st.text(), max_size=200))
def test_a_service_that_says_anything_makes_few_labels(words: list[str]) -> None:
    measuring = Measuring("calls", Vocabulary(most=5))
    told: list[Sample] = []
    for word in [*words, *(f"Error{n}" for n in range(50))]:
        notice: Notice = Calling(operation="ListReadSets", seconds=0.1, outcome=word)
        told += measuring.hear(notice)
    outcomes = {each.labels[1] for each in told}
    assert len(outcomes) <= 6
    assert "other" in outcomes
    assert all(each.isascii() and len(each) <= 64 for each in outcomes)
