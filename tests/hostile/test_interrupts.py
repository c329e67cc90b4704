"""Ctrl-C and SIGTERM while the command waits for something: 130 in time, and how to go on."""

from __future__ import annotations

import shlex
import signal
from typing import Any

import pytest

from tests.hostile.conftest import (
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    LIST_READ_SETS,
    PARTS,
    SEND,
    Trial,
    stall,
    wait_until,
)
from tests.support.launcher import Ending, Launched, in_time_s


def interrupt(run: Launched, number: signal.Signals) -> Ending:
    at = run.signal(number)
    ending = run.wait()
    assert ending.at - at < in_time_s()
    assert (ending.code, ending.last["outcome"]) == (130, "interrupted"), ending.err
    assert "Traceback" not in ending.err
    *_, words, command = ending.err.splitlines()
    assert words == "to go on, run the same command again:"
    assert shlex.split(command)[:2] == ["turboupload", "upload"]
    return ending


@pytest.mark.parametrize(
    ("operation", "number", "reused"),
    [
        (LIST_READ_SETS, signal.SIGINT, 0),
        (CREATE, signal.SIGTERM, 0),
        (SEND, signal.SIGINT, 2),
        (COMPLETE, signal.SIGTERM, PARTS),
        (GET, signal.SIGINT, PARTS),
    ],
)
def test_a_signal_while_a_reply_does_not_come(
    trial: Trial, operation: str, number: signal.Signals, reused: int
) -> None:
    trial.faults(stall(operation, after=reused if operation == SEND else 0))
    run = trial.start()
    wait_until(lambda: len(trial.stored) == reused and trial.under_way(operation))
    interrupt(run, number)
    trial.well()
    trial.goes_on(reused=reused)
    assert set(trial.stored.values()) == {1}


def test_a_signal_while_an_upload_is_looked_at_again(trial: Trial) -> None:
    assert trial.run(edge="after the row part 1/3").killed
    trial.faults(stall(LIST_PARTS))
    run = trial.start()
    wait_until(lambda: trial.under_way(LIST_PARTS))
    interrupt(run, signal.SIGTERM)
    trial.well()
    trial.goes_on(reused=3)


def test_a_signal_while_parts_are_hashed_again(trial: Trial) -> None:
    assert trial.run(edge="after the row part 1/3").killed
    trial.subject.forget()
    run = trial.start(edge="part 1/2 from byte 4096", deed="stop")
    assert run.wait().code is None
    run.signal(signal.SIGINT)
    run.go_on()
    ending = run.wait()
    assert (ending.code, ending.last["outcome"]) == (130, "interrupted"), ending.err
    trial.goes_on(reused=3)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        pytest.param(
            (),
            {"operation": SEND, "times": None, "action": {"type": "error", "status": 500}},
            id="the pause before a retry",
        ),
        pytest.param(("--max-bandwidth", "2KiB/s"), None, id="the bandwidth cap"),
    ],
)
def test_a_signal_in_a_pause(
    trial: Trial, options: tuple[str, ...], rule: dict[str, Any] | None
) -> None:
    if rule is not None:
        trial.faults(rule)
    run = trial.start(*options, "-v")
    wait_until(lambda: ("call.retrying" if rule else "upload.planned") in run.said)
    interrupt(run, signal.SIGINT)
    trial.well()
    ending = trial.run()
    trial.verify(ending)


def test_a_signal_while_the_service_is_gone(trial: Trial) -> None:
    run = trial.start("-v", edge="after the row part 1/3", deed="stop")
    assert run.wait().code is None
    trial.site.emulator.kill()
    run.go_on()
    wait_until(lambda: "call.retrying" in run.said)
    interrupt(run, signal.SIGTERM)
    trial.site.emulator.restart()
    trial.goes_on(reused=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_last_line_does_not_change_how_it_ended(
    trial: Trial, number: signal.Signals
) -> None:
    run = trial.start(watched=False)
    wait_until(lambda: any(event["event"] == "upload.finished" for event in run.events))
    run.signal(number)
    trial.verify(run.wait())
