"""A batch in words: a line while it runs, a summary of how it ended or would go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from turboupload.cli.ui.words import LIMITS, on_the_way, pace_words
from turboupload.core.batch import BatchProgress, BatchRehearsal, BatchResult, BatchRow
from turboupload.core.notices import Rehearsal
from turboupload.core.rows import RowResult, RowStatus
from turboupload.core.sheet.model import SheetFinding
from turboupload.errors import TurbouploadError
from turboupload.units import counted, format_duration, format_rate, format_size

__all__ = [
    "describe_batch",
    "describe_batch_rehearsal",
    "describe_rows",
    "foremost",
    "limit_words",
    "progress_words",
    "row_words",
    "rows_pieces",
    "rows_words",
    "table_of",
    "workers_pieces",
]

MOST_FINDINGS_TOLD = 100
"""The most findings that are shown as text; `--json` has all of them."""

MOST_ROWS_TOLD = 20
"""The summary names so many rows that failed; the results file has them all."""

MOST_WORKERS_TOLD = 8
"""So many machines' rates are shown; `--json` has them all."""

_STATUS: Mapping[RowStatus, str] = {
    "active": "done",
    "exists": "there already",
    "processing": "at work in the service",
    "failed": "failed",
    "rejected": "rejected",
    "stopped": "stopped part-way",
    "running": "under way",
    "waiting": "not begun",
}


def foremost(findings: Iterable[SheetFinding]) -> tuple[list[SheetFinding], str]:
    """As many findings as a person would read, errors first, and a line about the others."""
    ordered = sorted(findings, key=lambda each: each.severity != "error")
    more = len(ordered) - MOST_FINDINGS_TOLD
    words = f"and {counted(more, 'more finding')}, which --json tells" if more > 0 else ""
    return ordered[:MOST_FINDINGS_TOLD], words


def rows_words(counts: Mapping[RowStatus, int]) -> str:
    """Rows by status, such as `990 done, 3 failed`."""
    return ", ".join(rows_pieces(counts)) or "nothing to do"


def rows_pieces(counts: Mapping[RowStatus, int]) -> list[str]:
    """The same, each status apart."""
    return [f"{counts[status]:,} {word}" for status, word in _STATUS.items() if counts.get(status)]


def workers_pieces(rates: Mapping[str, float]) -> list[str]:
    """How fast each of several machines is, the first few of them."""
    few = [f"{name} {format_rate(rates[name])}" for name in [*rates][:MOST_WORKERS_TOLD]]
    more = len(rates) - MOST_WORKERS_TOLD
    return [*few, f"{more:,} more workers"] if more > 0 else few


def progress_words(notice: BatchProgress) -> str:
    """Where a batch stands, in one line."""
    share = int(100 * notice.done_bytes / max(1, notice.total_bytes))
    limit = limit_words(notice)
    pace = ", ".join(pace_words(notice, ""))
    workers = ", ".join(workers_pieces(notice.workers))
    return (
        f"{notice.done_rows:,} of {notice.rows:,} rows, {share} % of "
        f"{format_size(notice.total_bytes)}{on_the_way(notice.in_flight_bytes)}"
        f"{f', {pace}' if pace else ''}; "
        f"{rows_words(notice.counts)}{f'; {limit}' if limit else ''}"
        f"{f'; {workers}' if workers else ''}"
    )


def limit_words(notice: BatchProgress) -> str:
    """What limits a batch, once that is known."""
    if notice.waits_for_create:
        return "as fast as the quota of Create"
    return "" if notice.limited_by is None else LIMITS[notice.limited_by]


def row_words(row: RowResult) -> str:
    """A row that failed, and what to do about it."""
    todo = f"\n    {row.what_to_do}" if row.what_to_do else ""
    return f"row {row.row} ({row.name}): {row.message}{todo}"


def describe_batch(result: BatchResult, *, results: str | None) -> str:
    """How a batch ended, in some lines.

    Args:
        result: As the library gave it.
        results: The results file, if there is one.
    """
    lines = [f"{counted(len(result.rows), 'row')}: {rows_words(result.counts)}"]
    if result.bytes_sent:
        rate = format_rate(result.bytes_sent / result.seconds) if result.seconds > 0 else ""
        retries = (
            f", {result.retries:,} {'retry' if result.retries == 1 else 'retries'}"
            if result.retries
            else ""
        )
        sent = format_size(result.bytes_sent)
        told = f"({rate}){retries}{_bound_words(result)}"
        lines.append(f"  sent {sent} in {format_duration(result.seconds)} {told}")
    if result.advice is not None:
        lines.append(f"  {result.advice}")
    if unproven := result.unproven:
        lines.append(
            f"  of {counted(len(unproven), 'row')} no byte was compared, which are known by the "
            "journal's word alone; before files are deleted, add --prove"
        )
    waited = [row for row in result.unfinished if row.message]
    lines += describe_rows([*result.failed, *waited], results=results)
    return "\n".join(lines)


def _bound_words(result: BatchResult) -> str:
    if result.limited_by is None or result.advice is not None:
        return ""
    if result.quota is not None:
        return f", as fast as the quota of {result.quota}"
    return f", {LIMITS[result.limited_by]}"


def describe_rows(rows: Sequence[RowResult], *, results: str | None) -> Iterator[str]:
    """Rows that failed and what to do about them, as many as a person would read.

    Args:
        rows: Those that failed.
        results: The results file, which has them all, if there is one.
    """
    for row in rows[:MOST_ROWS_TOLD]:
        yield f"  {row_words(row)}"
    if len(rows) > MOST_ROWS_TOLD:
        where = f"see {results}" if results else "name a file with --results to see them all"
        yield f"  and {len(rows) - MOST_ROWS_TOLD:,} more: {where}"


def table_of(rows: Iterable[RowResult]) -> str:
    """Row, name, status and read set id of each row, tabs between."""
    return "\n".join(
        f"{row.row}\t{row.name}\t{row.status}\t{row.read_set_id or ''}" for row in rows
    )


def describe_batch_rehearsal(found: BatchRehearsal) -> str:
    """What a batch would do, row by row and in all."""
    lines = [_would(row, each) for row, each in found.rows]
    well = [each for _, each in found.rows if isinstance(each, Rehearsal)]
    return "\n".join([*lines, ", ".join(_sums(well, refused=len(found.rows) - len(well)))])


def _sums(found: list[Rehearsal], *, refused: int) -> Iterator[str]:
    def count(*verdicts: str) -> int:
        return sum(each.verdict in verdicts for each in found)

    size = format_size(sum(each.bytes_to_send for each in found))
    yield f"would send {size}: {counted(count('create'), 'new read set')}"
    if resumed := count("resume", "complete"):
        yield f"{resumed:,} resumed"
    if skipped := count("exists"):
        yield f"{skipped:,} skipped"
    if refused:
        yield f"{refused:,} refused"


def _would(row: BatchRow, found: Rehearsal | TurbouploadError) -> str:
    about = f"row {row.number} ({row.read_set.name}): "
    if isinstance(found, TurbouploadError):
        return f"{about}would be refused: {found}"
    match found.verdict:
        case "create":
            return f"{about}send {format_size(found.bytes_to_send)}"
        case "resume":
            return (
                f"{about}go on with upload {found.upload_id}, "
                f"send {format_size(found.bytes_to_send)}"
            )
        case "complete":
            return f"{about}complete upload {found.upload_id}, all parts are there"
        case "exists":
            return f"{about}skip, read set {found.read_set_id} is there"
