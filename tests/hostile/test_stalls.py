"""A server that stops reading, or never replies, costs one stall time-out each time."""

from __future__ import annotations

from tests.e2e.conftest import MIB, stored_fastq
from tests.hostile.conftest import COMPLETE, SEND, Trial, stall
from tests.soak.site import Subject

STALL_S = 0.8
AT_MOST_S = 20.0
"""Far less than the time for which the service stalls, in seconds."""

OPTIONS = ("--stall-timeout", f"{STALL_S}s")


def test_a_server_that_never_replies_costs_one_stall_time_out(trial: Trial) -> None:
    trial.faults(stall(COMPLETE))
    ending = trial.run(*OPTIONS)
    trial.verify(ending)
    assert ending.last["retries"] >= 1
    assert STALL_S < ending.last["seconds"] < AT_MOST_S


def test_a_server_that_stops_reading_costs_one_stall_time_out(trial: Trial) -> None:
    path = stored_fastq(trial.folder / "long.fastq.gz", 24 * MIB)
    trial.subject = Subject("stops reading", (path,), 24 * MIB, 1, trial.folder / "state")
    action = {"type": "stall", "seconds": 600, "afterBytes": MIB}
    trial.faults({"operation": SEND, "partNumber": 1, "action": action})
    ending = trial.run(*OPTIONS, watched=False)
    assert ending.code == 0, ending.err
    assert ending.last["retries"] >= 1
    assert STALL_S < ending.last["seconds"] < AT_MOST_S
