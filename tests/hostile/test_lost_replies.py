"""Lost replies, by the installed command: `tests/engine` and `tests/faults` have the table."""

from __future__ import annotations

from typing import Any

from tests.hostile.conftest import COMPLETE, CREATE, PARTS, SEND, Trial


def lose(operation: str, times: int | None, **more: Any) -> dict[str, Any]:
    return {"operation": operation, "times": times, "action": {"type": "lose_reply"}, **more}


def test_lost_replies_make_nothing_twice(trial: Trial) -> None:
    trial.faults(lose(CREATE, 1), lose(SEND, None, partNumber=2))
    ending = trial.run("--give-up-after", "1s")
    assert (ending.code, ending.last["outcome"]) == (5, "stopped")
    assert "to go on, run the same command again" in ending.err
    assert trial.count(CREATE) == 2
    before = trial.stored
    assert before[2] > 1
    dropped = {"operation": COMPLETE, "times": 1, "action": {"type": "drop"}}
    trial.faults(dropped, lose(COMPLETE, 1))
    trial.goes_on(reused=len(before))
    assert trial.count(COMPLETE) == 2
    assert trial.stored == {number: before.get(number, 1) for number in range(1, PARTS + 1)}
