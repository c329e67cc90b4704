"""Calls that fail: for a while, for good, and with an answer that leaves open what came of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.conftest import Bench
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    LIST_READ_SETS,
    LIST_UPLOADS,
    SEND,
    Rule,
    lost,
    refused,
)
from turboupload.core.notices import Remark, Retrying
from turboupload.errors import (
    LinkFailed,
    ServiceRefused,
    Stopped,
)
from turboupload.omics.base import NOT_FOUND

THROTTLED = refused("ThrottlingException", 429)
BROKEN = refused("InternalServerException", 500)


# --- failures that pass -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [THROTTLED, BROKEN, lost])
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET, LIST_READ_SETS])
async def test_what_may_pass_is_tried_again(bench: Bench, operation: str, error: object) -> None:
    bench.script.rules = [Rule(operation, error, times=3)]  # type: ignore[arg-type] # either factory
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert result.retries >= 3
    assert len(bench.service._read_sets) == 1


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET])
async def test_a_lost_reply_makes_nothing_twice(bench: Bench, operation: str, times: int) -> None:
    bench.script.rules = [Rule(operation, lost, times=times, after=True)]
    result = await bench.upload(bench.read_set(bench.file()), concurrency=1)
    assert result.status == "ACTIVE"
    assert len(bench.service._read_sets) == 1
    assert bench.service._uploads == {}
    assert bench.resent == (times if operation == SEND else 0)


@pytest.mark.parametrize("dropped", [0, 1])
async def test_a_complete_whose_every_reply_is_lost_is_found_by_looking(
    bench: Bench, dropped: int
) -> None:
    bench.script.rules = [
        Rule(COMPLETE, lost, times=dropped),
        Rule(COMPLETE, lost, times=None, after=True),
    ]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert bench.script.calls[COMPLETE] == dropped + 1
    assert (len(bench.service._read_sets), bench.resent) == (1, 0)


async def test_a_long_outage_ends_as_stopped_and_the_same_call_goes_on(bench: Bench) -> None:
    path = bench.file()
    bench.script.rules = [Rule(SEND, lost, times=None, skip=3)]
    with pytest.raises(Stopped, match=r"no answer for 1[5-9] min") as caught:
        await bench.upload(bench.read_set(path), concurrency=1)
    assert "same command" in str(caught.value.hint)
    assert caught.value.upload_id is not None
    assert caught.value.path == str(path)
    bench.script.rules = []
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [(BROKEN, "kept answering InternalServerException"), (lost, "no answer for")],
)
async def test_a_complete_that_never_works_ends_as_stopped(
    bench: Bench, error: Callable[[str], Exception], words: str
) -> None:
    bench.script.rules = [Rule(COMPLETE, error, times=None)]
    with pytest.raises(Stopped, match=words):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.script.calls[COMPLETE] > 1
    bench.script.rules = []
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert result.bytes_sent == 0


async def test_retries_are_told(bench: Bench) -> None:
    bench.script.rules = [Rule(SEND, THROTTLED, times=2)]
    await bench.upload(bench.read_set(bench.file()))
    assert {(each.operation, each.reason) for each in bench.heard(Retrying)} == {
        (SEND, "ThrottlingException")
    }


async def test_a_service_that_grants_less_than_the_quota_is_told_once(bench: Bench) -> None:
    bench.script.rules = [Rule(SEND, THROTTLED, times=40)]
    await bench.upload(bench.read_set(bench.file()), concurrency=1)
    (told,) = [each for each in bench.heard(Remark) if each.code == "quota-lower"]
    assert "the quota here is 10" in told.text
    assert f"--quota {SEND}=0.1 keeps to that" in told.text


# --- failures that don't ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 403),
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 402),
        ("ExpiredTokenException", 403),
    ],
)
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET, LIST_READ_SETS])
async def test_a_refusal_is_not_tried_again(
    bench: Bench, operation: str, code: str, status: int
) -> None:
    bench.script.rules = [Rule(operation, refused(code, status), times=None)]
    with pytest.raises(ServiceRefused) as caught:
        await bench.upload(bench.read_set(bench.file()), concurrency=1)
    assert caught.value.code == code
    assert caught.value.operation == operation
    # A Complete may be refused because it is done already: that is looked into, once.
    again = operation == COMPLETE and status == 400
    assert bench.script.calls[operation] == 1 + again


async def test_an_unknown_store_is_named(bench: Bench) -> None:
    bench.script.rules = [Rule(LIST_READ_SETS, refused("ResourceNotFoundException", 404))]
    with pytest.raises(ServiceRefused, match=f"store {bench.store} was not found"):
        await bench.upload(bench.read_set(bench.file()))


async def test_a_service_that_was_never_reached_is_given_up_soon(bench: Bench) -> None:
    bench.script.rules = [Rule(LIST_UPLOADS, lost, times=None)]
    with pytest.raises(Stopped):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.fast.time < 1000 + 60


# --- Complete is refused ------------------------------------------------------------------------


async def test_a_lasting_refusal_says_what_to_do_and_that_works(bench: Bench) -> None:
    bench.script.rules = [
        Rule(COMPLETE, lost),
        Rule(COMPLETE, refused("ValidationException", 400), times=None),
    ]
    read_set = bench.read_set(bench.file())
    with pytest.raises(ServiceRefused, match=r"refused 2 times.*still open") as caught:
        await bench.upload(read_set)
    assert caught.value.code == "ValidationException"
    hint = str(caught.value.hint)
    assert "--no-resume --part-size 100MiB" in hint
    assert f"uploads abort {caught.value.upload_id} --store {bench.store}" in hint
    assert bench.script.calls[COMPLETE] == 3
    assert bench.resent == 0
    bench.script.rules = []
    anew = await bench.upload(read_set, resume=False)
    assert anew.upload_id != caught.value.upload_id
    assert anew.parts_reused == 0
    assert len(bench.service._read_sets) == 1


async def test_after_a_lasting_refusal_the_same_command_goes_on_where_it_passed(
    bench: Bench,
) -> None:
    bench.script.rules = [Rule(COMPLETE, refused("ValidationException", 400), times=2)]
    read_set = bench.read_set(bench.file())
    with pytest.raises(ServiceRefused):
        await bench.upload(read_set)
    result = await bench.upload(read_set)
    assert (result.bytes_sent, result.status) == (0, "ACTIVE")


async def test_a_conflict_is_looked_into_for_as_long_as_calls_are_tried(bench: Bench) -> None:
    bench.script.rules = [Rule(COMPLETE, refused("Conflict", 409), times=None)]
    with pytest.raises(Stopped, match=r"conflict for 1\d min"):
        await bench.upload(bench.read_set(bench.file()))
    bench.script.rules = [Rule(COMPLETE, refused("Conflict", 409), times=2)]
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert (result.bytes_sent, result.status) == (0, "ACTIVE")


@pytest.mark.parametrize("error", [BROKEN, lost, refused("ValidationException", 400)])
async def test_no_resume_goes_on_with_the_upload_that_it_has_opened(
    bench: Bench, error: Callable[[str], Exception]
) -> None:
    bench.script.rules = [Rule(COMPLETE, error)]
    result = await bench.upload(bench.read_set(bench.file()), resume=False)
    assert (result.status, bench.script.calls[CREATE]) == ("ACTIVE", 1)
    assert bench.resent == 0


async def test_no_resume_says_why_complete_is_refused_for_good(bench: Bench) -> None:
    bench.script.rules = [Rule(COMPLETE, refused("ValidationException", 400), times=None)]
    with pytest.raises(ServiceRefused):
        await bench.upload(bench.read_set(bench.file()))
    for _ in range(2):
        with pytest.raises(ServiceRefused, match=r"refused 2 times.*still open") as caught:
            await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"), resume=False)
        assert caught.value.code == "ValidationException"


async def test_a_refusal_is_looked_into_however_long_complete_has_failed(bench: Bench) -> None:
    """Another host completed the upload while this one was told that there is a conflict."""
    bench.script.rules = [Rule(COMPLETE, refused("Conflict", 409), times=None)]
    with pytest.raises(Stopped):
        await bench.upload(bench.read_set(bench.file()))
    bench.script.rules = [
        Rule(COMPLETE, refused("Conflict", 409), times=bench.script.calls[COMPLETE] - 1),
        Rule(COMPLETE, refused("ResourceNotFoundException", 404), after=True),
    ]
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert (result.bytes_sent, result.status) == (0, "ACTIVE")
    assert len(bench.service._read_sets) == 1


async def test_a_complete_that_fails_is_not_made_again_before_a_listing_may_have_lagged(
    bench: Bench,
) -> None:
    bench.script.rules = [Rule(COMPLETE, lost)]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert bench.fast.time > 1000 + 60
    assert bench.script.calls[COMPLETE] == 2


# --- Create leaves it open ----------------------------------------------------------------------


def stalled_on(bench: Bench) -> Callable[[str], Exception]:
    """No answer for a minute."""

    def stalled(operation: str) -> Exception:
        bench.fast.time += 60.0
        return LinkFailed(operation, fault="stalled", message="no answer")

    return stalled


REFUSED = pytest.mark.parametrize(
    ("code", "status"), [("ConflictException", 409), ("ValidationException", 400)]
)


@REFUSED
@pytest.mark.parametrize("ended", [False, True])
async def test_a_token_that_is_refused_as_used_finds_the_upload_that_it_made(
    bench: Bench, code: str, status: int, ended: bool
) -> None:
    """In the same run or in the next."""
    path = bench.file()
    if ended:
        await bench.interrupt_at(Rule(CREATE, None, after=True))
    bench.script.rules = [
        *([] if ended else [Rule(CREATE, lost, after=True)]),
        Rule(CREATE, refused(code, status), times=None),
    ]
    result = await bench.upload(bench.read_set(path))
    assert result.status == "ACTIVE"
    assert (len(bench.service._read_sets), bench.service._uploads) == (1, {})


@REFUSED
async def test_a_token_that_is_refused_and_made_nothing_gives_way_to_another(
    bench: Bench, code: str, status: int
) -> None:
    path = bench.file()
    await bench.interrupt_at(Rule(CREATE, None))
    bench.script.rules = [Rule(CREATE, refused(code, status))]
    result = await bench.upload(bench.read_set(path))
    assert (result.status, len(bench.service._read_sets)) == ("ACTIVE", 1)


@pytest.mark.parametrize("tried", [False, True])
async def test_what_is_invalid_for_another_reason_is_told_so(bench: Bench, tried: bool) -> None:
    path = bench.file()
    if tried:
        await bench.interrupt_at(Rule(CREATE, None))
    before = bench.script.calls[CREATE]
    bench.script.rules = [Rule(CREATE, refused("ValidationException", 400), times=None)]
    with pytest.raises(ServiceRefused, match="as told") as caught:
        await bench.upload(bench.read_set(path))
    assert "--no-resume" in str(caught.value.hint)
    assert bench.script.calls[CREATE] - before == 1 + tried
    # As the hint says, where that was the reason.
    bench.script.rules = []
    result = await bench.upload(bench.read_set(path), resume=False)
    assert (result.status, len(bench.service._read_sets)) == ("ACTIVE", 1)


async def test_an_upload_that_expires_as_it_is_completed_begins_anew(bench: Bench) -> None:
    """Nobody ended it while parts were sent: all of them were there."""
    path = bench.file()
    gone = refused(NOT_FOUND, 404)

    def expire(operation: str) -> Exception:
        bench.service._uploads.clear()
        bench.service._tokens.clear()
        return gone(operation)

    bench.script.rules = [Rule(COMPLETE, expire)]
    result = await bench.upload(bench.read_set(path))
    assert (result.status, len(bench.service._read_sets)) == ("ACTIVE", 1)
    assert bench.script.calls[CREATE] == 2


async def test_a_create_that_takes_longer_than_anybody_waits_is_found(bench: Bench) -> None:
    bench.script.rules = [Rule(CREATE, stalled_on(bench), times=None, after=True)]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert (len(bench.service._read_sets), bench.service._uploads) == (1, {})
    assert bench.script.calls[CREATE] == 1
    assert [each.code for each in bench.heard(Remark)] == ["create-unanswered"]


async def test_a_create_that_is_never_answered_and_makes_nothing_is_given_up(bench: Bench) -> None:
    bench.script.rules = [Rule(CREATE, stalled_on(bench), times=None)]
    with pytest.raises(Stopped, match="no answer for"):
        await bench.upload(bench.read_set(bench.file()))


async def test_a_refusal_of_a_complete_that_had_worked_is_no_failure(bench: Bench) -> None:
    bench.script.rules = [
        Rule(COMPLETE, lost, after=True),
        Rule(COMPLETE, refused("ValidationException", 400), times=None),
    ]
    result = await bench.upload(bench.read_set(bench.file()))
    assert (result.status, bench.script.calls[COMPLETE]) == ("ACTIVE", 1)
