"""Every answer of the table to every operation of an upload under way: lasting, and passing."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.faults.answers import (
    ABORT,
    ANSWERS,
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    OPERATIONS,
    SEND,
    SPECIAL,
    Answer,
    Special,
)
from tests.support.scripted import Rule
from turboupload.cli.ui.errors import exit_code_for
from turboupload.errors import Stopped, TurbouploadError

SIZE = 3000
GIVE_UP_S = 60.0
LAG_S = 5.0
SHORTLY_S = 400.0
"""What does not last is over in less than this, by the engine's clock."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# One of each sort that the engine treats alike; the sentences of all are `test_wire`'s.
SORTS = (
    "429", "500", "400 Val", "403 Acc", "403 Exp", "404 Res", "409", "502 with HTML", "a redirect",
    "407", "200 with HTML", "a reset before",
)  # fmt: skip
KINDS = [each for each in ANSWERS if each.comes.startswith(SORTS)]
IN_AN_UPLOAD = [operation for operation in OPERATIONS if operation != ABORT]
SPECIALS = {(each.operation, each.comes): each for each in SPECIAL}


async def interrupted(bench: Bench) -> None:
    """An upload with one part there, so that the next run asks for its parts."""
    bench.script.rules = [Rule(SEND, None, skip=1)]
    with bench.engine(concurrency=1) as engine:
        async with anyio.create_task_group() as group:
            read_set = bench.read_set(bench.folder / "reads.fastq.gz")
            group.start_soon(engine.upload, read_set, bench.store, bench.told.append)
            with anyio.fail_after(10):
                await bench.script.hanging.wait()
            group.cancel_scope.cancel()


async def meet(
    bench: Bench, operation: str, answer: Answer, *, times: int | None
) -> TurbouploadError | None:
    """Uploads through an answer; the error that it ends with, None where it succeeds."""
    path = bench.file(size=SIZE)
    if operation == LIST_PARTS:
        await interrupted(bench)
    # Parts meet it after one is there.
    skip = 1 if operation == SEND else 0
    bench.script.rules = [Rule(operation, answer.failure, times=times, skip=skip)]
    try:
        more = {"give_up_after_s": GIVE_UP_S, "listing_lag_s": LAG_S}
        with bench.engine(concurrency=1, **more) as engine:
            engine.calls._caller.answered = True
            result = await engine.upload(bench.read_set(path), bench.store, bench.told.append)
    except TurbouploadError as error:
        return error
    assert result.status == "ACTIVE"
    return None


def check_words(error: TurbouploadError, answer: Answer, special: Special | None) -> None:
    if special is not None:
        assert special.reads in error.message
        return
    assert answer.reads in error.message
    assert answer.advice in str(error.hint)


@pytest.mark.parametrize("answer", KINDS, ids=[each.comes for each in KINDS])
@pytest.mark.parametrize("operation", IN_AN_UPLOAD)
async def test_an_answer_that_lasts_ends_as_the_table_says(
    bench: Bench, operation: str, answer: Answer
) -> None:
    special = SPECIALS.get((operation, answer.comes))
    before = bench.fast.time
    error = await meet(bench, operation, answer, times=None)
    took = bench.fast.time - before
    if error is None:
        assert special is not None
        assert special.exit is None
        return
    assert exit_code_for(error) == (answer.exit if special is None else special.exit)
    assert error.path == str(bench.folder / "reads.fastq.gz")
    assert error.operation == (special.names if special and special.names else operation)
    check_words(error, answer, special)
    assert took < (GIVE_UP_S + SHORTLY_S if answer.again else SHORTLY_S)
    assert took >= GIVE_UP_S or not answer.again
    # Whatever it was, once it is gone the same call goes on, and no part is sent again.
    bench.script.rules = []
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert result.status == "ACTIVE"
    assert bench.resent == 0
    assert len(bench.service._read_sets) == 1


PASSING = [each for each in KINDS if each.again]


@pytest.mark.parametrize("answer", PASSING, ids=[each.comes for each in PASSING])
@pytest.mark.parametrize("operation", IN_AN_UPLOAD)
async def test_an_answer_that_passes_costs_nothing_but_time(
    bench: Bench, operation: str, answer: Answer
) -> None:
    assert await meet(bench, operation, answer, times=3) is None
    assert bench.resent == 0
    assert len(bench.service._read_sets) == 1


AMBIGUOUS = [each for each in KINDS if each.comes.startswith(("500", "200", "a reset"))]


@pytest.mark.parametrize("times", [1, 2, None], ids=["once", "twice", "always"])
@pytest.mark.parametrize("answer", AMBIGUOUS, ids=[each.comes for each in AMBIGUOUS])
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET])
async def test_a_lost_reply_to_what_was_carried_out_makes_one_read_set(
    bench: Bench, operation: str, answer: Answer, times: int | None
) -> None:
    bench.script.rules = [Rule(operation, answer.failure, times=times, after=True)]
    read_set = bench.read_set(bench.file(size=SIZE))
    if times is None and operation != COMPLETE:
        with pytest.raises(Stopped):
            await bench.upload(read_set, give_up_after_s=GIVE_UP_S)
        bench.script.rules = []
    there = dict(bench.service.received)
    await bench.upload(read_set, give_up_after_s=GIVE_UP_S)
    assert len(bench.service._read_sets) == 1
    assert bench.service._uploads == {}
    if times is None:
        assert there == {part: bench.service.received[part] for part in there}
    assert bench.script.calls[CREATE] == 1 or operation == CREATE


def test_every_special_is_an_answer_of_a_sort() -> None:
    assert {each.comes for each in SPECIAL} <= {answer.comes for answer in KINDS}
    assert all(any(each.comes.startswith(sort) for each in KINDS) for sort in SORTS)
    assert (len(PASSING), len(AMBIGUOUS)) == (6, 3)
