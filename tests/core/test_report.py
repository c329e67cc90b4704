"""What a report remembers of a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.batch import BatchStarted, RowChanged, RowNotice
from turboupload.core.model import FileType
from turboupload.core.notices import Calling, Progress, Retrying, Started
from turboupload.core.rate.meter import Limiter
from turboupload.core.report.document import Proof
from turboupload.core.report.kept import report_from_json, report_to_json
from turboupload.core.report.recording import Recording
from turboupload.core.report.timeline import MAX_SPANS, Timeline
from turboupload.core.report.tries import MAX_TRIES, Try, in_lanes
from turboupload.core.rows import RowResult
from turboupload.core.upload.events import Completed


def sent(seconds: float, outcome: str = "ok") -> Calling:
    return Calling(operation="UploadReadSetPart", seconds=seconds, outcome=outcome)


RETRY = Retrying(operation="UploadReadSetPart", reason="timeout", message="m", pause_s=1.0)


def progress(
    bytes_sent: int, limited_by: Limiter | None = "network", in_flight: int = 2
) -> Progress:
    return Progress(
        total_bytes=9, done_bytes=1, bytes_sent=bytes_sent, parts=2, done_parts=1, bytes_per_s=1.0,
        eta_s=None, in_flight=in_flight, window=4, limited_by=limited_by,
    )  # fmt: skip


def test_a_span_has_what_happened_in_it() -> None:
    run = Recording("a run", began="2026-11-29T16:00:00Z")
    for at_s, notice in (
        (0.2, progress(100, in_flight=3)),
        (0.7, progress(150, "quota")),
        (0.9, progress(150, "quota")),
        (1.5, RETRY),
        (1.6, progress(250)),
    ):
        run.hear(notice, at_s)
    first, second = run.report("active", 2.0).spans
    assert (first.bytes_sent, first.in_flight, first.retries) == (150, 3, 0)
    assert (first.limited_by, second.limited_by) == ("quota", "network")
    assert (second.bytes_sent, second.retries, second.bytes_per_s) == (100, 1, 100.0)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 1000), st.booleans()), min_size=1),
    st.floats(0, 10),
)
def test_nothing_is_lost_and_memory_is_bounded(
    facts: list[tuple[float, int, bool]], more_s: float
) -> None:
    timeline, sent = Timeline(), 0
    for at_s, count, retried in sorted(facts):
        sent += count
        timeline.progressed(at_s, bytes_sent=sent, in_flight=1, limited_by=None)
        if retried:
            timeline.retried(at_s)
    end_s = max(at_s for at_s, _, _ in facts) + more_s
    spans = timeline.spans(end_s)
    assert len(spans) <= MAX_SPANS
    assert sum(each.bytes_sent for each in spans) == sent
    assert sum(each.retries for each in spans) == sum(retried for _, _, retried in facts)
    assert all(each.start_s + each.seconds <= end_s + 1e-6 for each in spans)


def test_counts_that_come_just_before_the_end_make_no_peak() -> None:
    timeline = Timeline()
    for halves in range(1, 7):
        timeline.progressed(halves / 2, bytes_sent=50 * halves, in_flight=1, limited_by=None)
    spans = timeline.spans(3.01)
    assert max(each.bytes_per_s for each in spans) < 110


@pytest.mark.parametrize("known", ["2", None])
def test_an_upload_is_one_row(known: str | None) -> None:
    run = Recording("one", began="")
    run.hear(
        Started(name="n", store_id="1", file_type=FileType.BAM, paths=("a",), total_bytes=9), 0
    )
    run.hear(Completed(read_set_id="1", adopted=False, proof="reply"), 1)
    (row,) = run.report("stopped", 2, read_set_id=known, message="why").rows
    assert (row.name, row.outcome, row.read_set_id) == ("n", "stopped", known or "1")
    assert (row.bytes, row.message) == (9, "why")


def test_a_batch_has_the_last_word_of_each_row_and_counts_the_others() -> None:
    run = Recording("many", began="")
    run.hear(BatchStarted(store_id="1", rows=3, total_bytes=9), 0)
    run.hear(RowNotice(2, RETRY), 0.5)
    for number, status in ((3, "running"), (2, "running"), (3, "active")):
        result = RowResult(row=number, name=f"n{number}", sample=None, status=status,  # type: ignore[arg-type] # a table
                           read_set_id=str(number))  # fmt: skip
        run.hear(RowChanged(result), 1)
    report = run.report("interrupted", 2)
    assert [(each.row, each.outcome) for each in report.rows] == [(2, "running"), (3, "active")]
    assert (report.not_begun, report.retries) == (1, 1)
    proven = report.proven_by({"3": Proof(etag="e")})
    assert [each.proof.etag for each in proven.rows] == ["", "e"]


def test_each_try_to_send_a_part_is_remembered_unless_they_are_too_many() -> None:
    run = Recording("tries", began="")
    run.hear(sent(2.0, "cancelled"), 9.0)
    run.hear(RowNotice(2, sent(1.0, "SlowDown")), 2.0)
    run.hear(Calling(operation="ListReadSetUploadParts", seconds=1.0, outcome="ok"), 3.0)
    run.hear(sent(1.5), 4.0)
    told = [(each.start_s, each.seconds, each.ending) for each in run.report("active", 9).tries]
    assert told == [(1.0, 1.0, "failed"), (2.5, 1.5, "arrived"), (7.0, 2.0, "broken off")]
    for second in range(MAX_TRIES):
        run.hear(sent(0.5), 10.0 + second)
    assert run.report("active", 9999).tries == ()


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 100))))
def test_no_two_tries_meet_in_a_lane(times: list[tuple[float, float]]) -> None:
    tries = [Try(start_s=start, seconds=s, ending="arrived") for start, s in sorted(times)]
    ends: dict[int, float] = {}
    lanes = list(in_lanes(tries))
    assert [each for _, each in lanes] == tries
    for lane, each in lanes:
        assert each.start_s >= ends.get(lane, 0.0)
        ends[lane] = each.start_s + each.seconds
    # No lane is opened while another is free.
    most = max(
        (sum(a.start_s <= b.start_s < a.start_s + a.seconds for a in tries) for b in tries),
        default=0,
    )
    assert len(ends) <= max(most, 1)


def test_a_report_survives_as_json() -> None:
    run = Recording("</script><!--", began="2026-11-29T16:00:00Z")
    run.hear(BatchStarted(store_id="1", rows=3, total_bytes=9), 0)
    run.hear(sent(0.5), 1.0)
    run.hear(progress(100), 1.0)
    run.rows([RowResult(row=2, name="n", sample=None, status="active", read_set_id="1", bytes=9)])
    report = run.report("interrupted", 2.0).proven_by({"1": Proof(etag="e", statement="s")})
    assert report_from_json(report_to_json(report)) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"title": 1}', "[" * 10_000])
def test_what_is_no_report_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"no report|Expecting"):
        report_from_json(text)
