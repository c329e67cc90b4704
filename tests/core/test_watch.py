"""Watched runs: what ends them, which rule holds, and what follows from how a batch ended."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.watch.records import (
    MOST_FAILURES,
    Ending,
    RunRecord,
    after,
    is_due,
    read_record,
    run_key,
    written,
)
from turboupload.core.watch.rules import WatchRule, rule_for
from turboupload.core.watch.sentinels import SENTINELS, sentinel_for, sentinels_of
from turboupload.errors import ConfigError

RECORD = RunRecord(
    run="exp/run 1", sentinel="CopyComplete.txt", sentinel_ns=5, store_id="1234567890", rule=0,
    output="/out", sheet="sheet.csv", rows=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "names", "first"),
    [
        ("", ["RunInfo.xml", "RTAComplete.txt", "CopyComplete.txt"], "CopyComplete.txt"),
        ("", ["RTAComplete.txt"], "RTAComplete.txt"),
        ("", ["RTAComplete.xml", "FastqComplete.txt"], None),
        ("Logs", ["Info.log", "FastqComplete.txt"], "FastqComplete.txt"),
        ("", ["final_summary_FAX1_a.txt", "sequencing_summary.txt"], "final_summary_FAX1_a.txt"),
        ("", [".m64001_220722_1.transferdone"], ".m64001_220722_1.transferdone"),
        ("metadata", ["m84001_s1.transferdone"], "m84001_s1.transferdone"),
        ("metadata", ["CopyComplete.txt"], None),
    ],
)
def test_each_instrument_has_its_sentinel(inside: str, names: list[str], first: str | None) -> None:
    found = sentinel_for(names, inside)
    assert (found and found[1]) == first


def test_a_sentinel_of_one_s_own_stands_alone() -> None:
    wanted = sentinels_of("Logs/done.txt")
    assert sentinel_for(["done.txt"], "Logs", wanted) == (0, "done.txt")
    assert sentinel_for(["done.txt", "CopyComplete.txt"], "", wanted) is None
    assert len(SENTINELS) == 6


def test_the_first_rule_that_fits_holds() -> None:
    rules = (WatchRule(match="*_NB55*", skip=True), WatchRule(match="exp*"))
    assert rule_for(rules, "2301_NB55_1") == (1, rules[0])
    assert rule_for(rules, "exp/sample/run") == (2, rules[1])
    assert rule_for(rules, "other") is None
    assert rule_for((), "other") is None


def test_what_a_rule_leaves_open_is_as_the_call_says() -> None:
    otherwise = WatchRule(store_id="1234567890", settle_s="5min", sentinel="done.txt")
    rule = WatchRule(match="a*", settle_s=timedelta(seconds=0), sentinel="none").over(otherwise)
    assert (rule.match, rule.store_id) == ("a*", "1234567890")
    assert (rule.settle_s, rule.sentinel) == (0, "none")
    assert pickle.loads(pickle.dumps(rule)) == rule  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"match": ""}, "match is a pattern"),
        ({"skip": 1}, "skip is True or False"),
        ({"store_id": 1234567890}, "is not the id of a store"),
        ({"config": {}}, "config is an UploadConfig, or None"),
        ({"defaults": "HG002"}, "defaults is SheetDefaults, or None"),
        ({"sentinel": ""}, "sentinel is text, or None"),
        ({"settle_s": "soon"}, "settle_s: "),
        ({"settle_s": -1}, "settle_s can't be less than zero"),
        ({"results_format": "csv"}, "results_format is nf-core or healthomics-run"),
        ({"mates": "R1"}, "mates is "),
        ({"mates": ("R1", "R1")}, "mates is "),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        WatchRule(**wrong)


def ended(code: int) -> Ending:
    return Ending(
        done=code == 0, stopped=code == 5, message="m" if code else "", counts={"active": 2}
    )


def test_a_failing_run_is_tried_at_growing_distances_and_then_left_to_a_person() -> None:
    record, now, pauses = RECORD, 1000.0, []
    while record.status != "failed":
        assert is_due(record, now)
        record = after(record, ended(8), now)
        if record.status == "retrying":
            assert not is_due(record, record.next_at - 1)
            pauses.append(record.next_at - now)
            now = record.next_at
    assert pauses == [60, 300, 900, 3600, 14_400]
    assert record.failures == MOST_FAILURES
    assert not is_due(record, now + 1e9)


def test_an_outage_of_days_costs_no_run_and_success_forgets_failures() -> None:
    record = after(RECORD, ended(8), 0.0)
    for count in range(500):
        record = after(record, ended(5), 0.0)
        assert record.next_at == [60, 300, 900][min(count, 2)]
    assert record.failures == 1
    record = after(record, ended(0), 7.0)
    assert (record.status, record.failures, record.stops, record.message) == ("done", 0, 0, "")
    assert not is_due(record, 1e12)


def test_a_clock_that_was_wrong_holds_no_run_up() -> None:
    record = after(RECORD, ended(8), 4e9)
    assert not is_due(record, 4e9)
    assert is_due(record, 1.8e9)


@given(
    run=st.text(min_size=1),
    ns=st.integers(0, 2**62),
    message=st.text(),
    counts=st.none() | st.dictionaries(st.text(), st.integers(0)),
)
def test_a_record_is_read_as_it_was_written(
    run: str, ns: int, message: str, counts: dict[str, int] | None
) -> None:
    record = replace(RECORD, run=run, sentinel_ns=ns, message=message, counts=counts)
    assert read_record(written(record)) == record
    assert record.key == run_key(run, ns)
    assert run_key(run, ns + 1) != record.key


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"run": 1}'])
def test_what_is_no_record_is_none(text: str) -> None:
    assert read_record(text) is None
