"""A report as one HTML page that needs nothing else: no network, no other file.

Nothing that comes from outside is more than text: it is escaped, and the page's policy lets no
script run but the one whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from itertools import count
from typing import Final

from turboupload.core.characters import printable
from turboupload.core.report.document import Report, ReportRow
from turboupload.core.report.kept import report_from_json, report_to_json
from turboupload.core.report.timeline import MAX_SPANS, Span
from turboupload.report.charts import COLOURS, LIMITS, Chart, charts
from turboupload.units import format_duration, format_rate, format_size

__all__ = ["MARK", "page", "unfinished_report"]

MARK: Final = '<!doctype html>\n<html lang="en" data-report="turboupload">\n'
"""What every report begins with, and no other file does."""

_UNFINISHED: Final = '<script type="application/json" id="unfinished">'
"""What begins a report's data, in a page without charts."""

FEW: Final = 500
"""How many rows are shown before more are asked for."""

_COLUMNS: Final = (
    "Row", "Name", "Sample", "Outcome", "Message", "Read set", "Size", "Proof", "ETag", "Receipt",
)  # fmt: skip


def page(report: Report, *, drawn: bool = True) -> str:
    """The page of a report.

    Args:
        report: The report.
        drawn: Whether its charts are drawn. Without them the page takes a moment, and has the
            report's data in it, for `unfinished_report`.
    """
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        f'{MARK}<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(report.title)}</title>\n"
        f"<style>{_resource('page.css')}{_dark()}</style>\n"
        "<noscript><style>tr[hidden]{display:table-row}</style></noscript>\n</head>\n<body>\n"
        f"<header><h1>{_text(report.title)}</h1>{_facts(report)}</header>\n<main>\n"
        f"{_run(report, drawn=drawn)}{_read_sets(report)}</main>\n"
        f"{'' if drawn else _data(report)}<script>{script}</script>\n</body>\n</html>\n"
    )


def unfinished_report(text: str) -> Report | None:
    """The report of a page that was written without charts; None of any other page.

    Raises:
        ValueError: The page is damaged.
    """
    _, found, rest = text.partition(_UNFINISHED)
    return report_from_json(rest.partition("</script>")[0]) if found else None


def _data(report: Report) -> str:
    # Nothing in it may end the element, or begin a comment.
    data = report_to_json(report).replace("<", "\\u003c")
    return f"{_UNFINISHED}{data}</script>\n"


def _resource(name: str) -> str:
    return (files("turboupload.report") / name).read_text(encoding="utf-8")


def _text(text: object) -> str:
    """Text for the page; what turns text around, or isn't seen, is written as its escape."""
    return escape(printable(str(text)))


def _dark() -> str:
    """The drawings' colours where the reader wants it dark; paper stays white."""
    rules = "".join(
        f'svg [{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in COLOURS.items()
        for attribute in ("fill", "stroke")
    )
    return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"


def _facts(report: Report) -> str:
    facts = [("Outcome", report.outcome), ("Made" if not report.outcome else "Began", report.began)]
    if report.spans or report.seconds:
        facts.append(("Took", format_duration(report.seconds)))
    if report.spans:
        facts.append(("Sent", format_size(report.bytes_sent)))
        facts.append(("Calls made again", f"{report.retries:,}"))
    facts.append(("Read sets", f"{len(report.rows) + report.not_begun:,}"))
    if report.not_begun:
        facts.append(("Not begun", f"{report.not_begun:,}"))
    listed = "".join(f"<div><dt>{key}</dt><dd>{_text(value)}</dd></div>" for key, value in facts
                     if value)  # fmt: skip
    message = f'<p class="message">{_text(report.message)}</p>' if report.message else ""
    return f"<dl>{listed}</dl>{message}"


def _run(report: Report, *, drawn: bool) -> str:
    found = charts(report, drawn=drawn)
    if not found:
        return "" if report.outcome else f'<p class="note">{_AFTERWARDS}</p>\n'
    spans = report.spans
    length = format_duration(spans[0].seconds if len(spans) == 1 else spans[1].start_s)
    return (
        "<section><h2>The run</h2>"
        f"{'' if drawn else _LEFT_OUT}"
        f"{''.join(_figure(each) for each in found)}"
        f"<details><summary>The same as a table</summary>{_spans(spans)}</details>"
        f'<p class="note">Time is divided into at most {MAX_SPANS} spans of equal length, here '
        f"{length}. A span has the average rate, the most parts under way, all retries, and what "
        "limited the rate most often.</p></section>\n"
    )


_AFTERWARDS: Final = (
    "How fast the runs were, and what limited them, is known only while they run: the option "
    "<code>--report</code> of <code>upload</code> and <code>batch</code> shows that, too."
)
_LEFT_OUT: Final = (
    '<p class="message">The run was interrupted, and this page written at once: its charts and '
    "proofs were left out. <code>turboupload report --finish FILE</code> adds them.</p>"
)


def _figure(chart: Chart) -> str:
    summary = _text(chart.summary)
    drawings = "".join(
        f'<div class="{name}" role="img" aria-label="{escape(chart.title)}. {summary}">{svg}</div>'
        for name, svg in chart.drawings.items()
    )
    return (
        f"<figure><h3>{escape(chart.title)}</h3>{drawings}<figcaption>{summary}</figcaption>"
        "</figure>\n"
    )


def _spans(spans: Iterable[Span]) -> str:
    head = ("After", "Rate", "Parts under way", "Calls made again", "Limited by")
    body = "".join(
        f"<tr><th scope=row>{format_duration(each.start_s)}<td>{format_rate(each.bytes_per_s)}"
        f"<td>{each.in_flight:,}<td>{each.retries:,}"
        f"<td>{LIMITS[each.limited_by][0] if each.limited_by else ''}</tr>"
        for each in spans
    )
    heads = "".join(f"<th scope=col>{each}" for each in head)
    return (
        '<div class="scroll" role="region" aria-label="The run as a table" tabindex="0"><table>'
        f"<caption>The run, span by span</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _read_sets(report: Report) -> str:
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{each}</button></th>'
        for each in _COLUMNS
    )
    options = "".join(
        f"<option>{_text(each)}</option>" for each in sorted({row.outcome for row in report.rows})
    )
    # The other columns have the room of one in which nothing is said.
    may_be_empty = ("row", "sample", "message")
    empty = [
        f"no-{name}" for name in may_be_empty if not any(getattr(row, name) for row in report.rows)
    ]
    plain = f' class="{" ".join(empty)}"' if empty else ""
    return (
        "<section><h2>Read sets</h2>"
        '<p class="note">The heading of a column sorts by it.</p>'
        '<form class="controls" role="search"><label>Search '
        '<input type="search" id="search" autocomplete="off"></label>'
        '<label>Outcome <select id="outcome"><option value="">all</option>'
        f'{options}</select></label><output id="count" role="status"></output>'
        '<button type="button" id="all" hidden>Show all</button></form>'
        '<div class="scroll" role="region" aria-label="Read sets" tabindex="0">'
        f'<table id="read-sets" data-few="{FEW}"{plain}><caption>Read sets</caption>'
        f"<colgroup>{'<col>' * len(_COLUMNS)}</colgroup><thead><tr>{heads}</tr></thead>\n"
        f"<tbody>{''.join(map(_row, report.rows, count()))}</tbody></table></div></section>\n"
    )


def _row(row: ReportRow, index: int) -> str:
    size = "" if row.bytes is None else format_size(row.bytes)
    proof = row.proof
    return (
        f"<tr{' hidden' if index >= FEW else ''}><td>{'' if row.row is None else row.row}"
        f"<th scope=row>{_text(row.name)}"
        f"<td>{_text(row.sample or '')}<td>{_text(row.outcome)}<td>{_text(row.message)}"
        f"<td>{_text(row.read_set_id or '')}<td data-v={row.bytes or 0}>{size}"
        f"<td>{_text(proof.statement)}<td><code>{_text(proof.etag)}</code>"
        f"<td><code>{_text(proof.receipt)}</code></tr>\n"
    )
