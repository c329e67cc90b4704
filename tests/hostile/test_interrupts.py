"""Ctrl-C and SIGTERM where only the installed command shows it: 130 in time, and how to go on.

Each call and each pause that a cancellation may come in is in the tables of
`tests/engine/test_faults.py` and `tests/http/test_cancel.py`; `tests/soak` has every edge.
"""

from __future__ import annotations

import shlex
import signal

from tests.hostile.conftest import (
    COMPLETE,
    PARTS,
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


def test_a_signal_while_completes_reply_does_not_come(trial: Trial) -> None:
    trial.faults(stall(COMPLETE))
    run = trial.start()
    wait_until(lambda: trial.under_way(COMPLETE))
    interrupt(run, signal.SIGTERM)
    trial.well()
    trial.goes_on(reused=PARTS)
    assert set(trial.stored.values()) == {1}


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


def test_a_signal_after_the_last_line_does_not_change_how_it_ended(trial: Trial) -> None:
    run = trial.start(watched=False)
    wait_until(lambda: any(event["event"] == "upload.finished" for event in run.events))
    run.signal(signal.SIGINT)
    trial.verify(run.wait())
