"""Room on the interpreter's stack: calls across the edge of a chunk map no memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from turboupload.runtime.stack import with_room

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def leaf(number):
    return number

def at(depth):
    # Wherever the edge of a chunk lies, one of these depths is right before it.
    before = faults()
    for number in range(300):
        leaf(number)
    here = faults() - before
    return max(here, at(depth - 1)) if depth else here

print(with_room(at, 250) if sys.argv[1] == "room" else at(250))
"""


def most_faults(how: str) -> int:
    """The most page faults of 300 calls, at any of 250 depths."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


def test_no_depth_is_at_the_edge_of_a_chunk() -> None:
    assert most_faults("room") < 100


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="of CPython 3.11's chunks")
def test_without_room_one_is() -> None:
    assert most_faults("none") >= 300
