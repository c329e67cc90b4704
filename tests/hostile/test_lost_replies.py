"""Ambiguity is settled by looking: a reply lost once, twice, always."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hostile.conftest import COMPLETE, CREATE, PARTS, SEND, Trial

SOON = ("--give-up-after", "1s")


def lose(operation: str, times: int | None, **more: Any) -> dict[str, Any]:
    return {"operation": operation, "times": times, "action": {"type": "lose_reply"}, **more}


def drop(operation: str, times: int | None) -> dict[str, Any]:
    return {"operation": operation, "times": times, "action": {"type": "drop"}}


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_reply_to_create_opens_no_second_upload(trial: Trial, times: int) -> None:
    trial.faults(lose(CREATE, times))
    ending = trial.run()
    trial.verify(ending)
    assert trial.count(CREATE) == times + 1
    assert ending.last["retries"] == times


def test_a_create_whose_every_reply_is_lost_stops_and_the_same_command_has_its_upload(
    trial: Trial,
) -> None:
    trial.faults(lose(CREATE, None))
    ending = trial.run(*SOON)
    assert (ending.code, ending.last["outcome"]) == (5, "stopped")
    assert "to go on, run the same command again" in ending.err
    tries = trial.count(CREATE)
    assert tries > 1
    trial.well()
    trial.goes_on(reused=0)
    assert trial.count(CREATE) == tries + 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_reply_to_a_part_costs_that_part(trial: Trial, times: int) -> None:
    trial.faults(lose(SEND, times, partNumber=2))
    trial.verify(trial.run())
    assert trial.stored == {number: 1 + times * (number == 2) for number in range(1, PARTS + 1)}


def test_a_part_whose_every_reply_is_lost_is_found_in_the_listing(trial: Trial) -> None:
    trial.faults(lose(SEND, None, partNumber=2))
    ending = trial.run(*SOON)
    assert (ending.code, ending.last["outcome"]) == (5, "stopped")
    before = trial.stored
    assert before[2] > 1
    trial.well()
    trial.goes_on(reused=len(before))
    assert trial.stored == {number: before.get(number, 1) for number in range(1, PARTS + 1)}


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([lose(COMPLETE, 1)], id="once, applied"),
        pytest.param([drop(COMPLETE, 1)], id="once, not applied"),
        pytest.param([drop(COMPLETE, 1), lose(COMPLETE, 1)], id="twice, then applied"),
        pytest.param([lose(COMPLETE, None)], id="always, applied"),
    ],
)
def test_a_lost_reply_to_complete_is_settled_by_looking(
    trial: Trial, rules: list[dict[str, Any]]
) -> None:
    trial.faults(*rules)
    trial.verify(trial.run())
    dropped = sum(rule["action"]["type"] == "drop" for rule in rules)
    assert trial.count(COMPLETE) == dropped + 1
    assert set(trial.stored.values()) == {1}


def test_a_complete_that_never_arrives_stops_and_the_same_command_completes(trial: Trial) -> None:
    trial.faults(drop(COMPLETE, None))
    ending = trial.run(*SOON)
    assert (ending.code, ending.last["outcome"]) == (5, "stopped")
    assert trial.count(COMPLETE) > 1
    trial.well()
    trial.goes_on(reused=PARTS)
    assert set(trial.stored.values()) == {1}
