"""The page, as a browser shows it, and where it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.chromium import BROWSER, opened
from turboupload.core.batch import BatchProgress, BatchStarted, RowNotice
from turboupload.core.notices import Calling, Retrying
from turboupload.core.report.document import Proof, Report
from turboupload.core.report.recording import Recording
from turboupload.core.rows import RowResult
from turboupload.errors import ConfigError
from turboupload.report.page import FEW, page, unfinished_report
from turboupload.report.place import ReportPlace

ROWS = 10_000
EVIL = [
    "<script>window.evil=1</script>",
    "\"'><img src=x onerror=evil()>",
    "a\u202eb",
    "\x07\x1b[2J",
]
RETRY = Retrying(operation="UploadReadSetPart", reason="timeout", message="m", pause_s=1.0)


def recorded(rows: int) -> Report:
    run = Recording(f"Batch {EVIL[0]}", began="2026-11-29T16:00:00Z")
    run.hear(BatchStarted(store_id="1", rows=rows, total_bytes=9), 0)
    for second in range(1, 1200):
        run.hear(
            BatchProgress(
                rows=rows, counts={}, total_bytes=9, done_bytes=1, bytes_sent=second * 10**8,
                bytes_per_s=1.0, eta_s=None, in_flight=8, window=8, waits_for_create=False,
                limited_by="quota" if second < 300 else "network",
            ),
            second,
        )  # fmt: skip
        if second % 100 == 0:
            outcome = "ok" if second % 200 else "timeout"
            call = Calling(operation="UploadReadSetPart", seconds=90.0, outcome=outcome)
            run.hear(RowNotice(2, call), second)
            run.hear(RowNotice(2, RETRY), second)
    run.rows(
        RowResult(
            row=number + 2, name=EVIL[number] if number < len(EVIL) else f"name_{number}",
            sample=f"S{number}", status="failed" if number % 10 == 3 else "active",
            read_set_id=str(10**9 + number), bytes=(rows - number) * 2**20,
            message=EVIL[1] if number % 10 == 3 else "",
        )
        for number in range(rows)
    )  # fmt: skip
    proof = Proof(etag="source1: " + "ab" * 16, statement="Proven.", receipt="turboupload receipt")
    report = run.report("some_failed", 1200, message=EVIL[1])
    return report.proven_by({str(10**9 + number): proof for number in range(rows)})


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium (Debian's chromium)")
async def test_ten_thousand_rows_open_sort_and_filter_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    ReportPlace(path).write(recorded(ROWS))
    assert path.stat().st_size < 8 * 2**20
    async with opened(path, tmp_path / "profile") as tab:
        assert tab.requested == [path.as_uri()]
        assert tab.complaints == []
        shown = "document.querySelectorAll('#read-sets tbody tr:not([hidden])').length"
        first = "document.querySelector('#read-sets tbody').rows[0].cells[1].textContent"
        assert await tab.run(shown) == FEW
        assert await tab.run("typeof evil") == "undefined"
        assert await tab.run("document.querySelectorAll('img, link, script[src]').length") == 0
        assert await tab.run(first) == EVIL[0]
        assert "a\\u202eb" in await tab.run("document.body.textContent")

        size = "document.querySelectorAll('#read-sets th button')[6].click();"
        assert await tab.run(f"{size} {first}") == f"name_{ROWS - 1}"
        assert await tab.run(f"{size} {first}") == EVIL[0]
        sorted_by = "document.querySelectorAll('#read-sets th')[6].getAttribute('aria-sort')"
        assert await tab.run(sorted_by) == "descending"

        choose = "outcome.value = 'failed'; outcome.dispatchEvent(new Event('change'));"
        assert await tab.run(f"{choose} {shown}") == FEW
        assert "1,000 of 10,000 found, the first 500 shown" in await tab.run("count.value")
        search = "search.value = 'NAME_13'; search.dispatchEvent(new Event('input'));"
        assert await tab.run(f"{search} {shown}") == len(
            [n for n in range(3, ROWS, 10) if f"name_{n}".startswith("name_13")]
        )
        assert await tab.run("count.value") == "12 of 10,000 found"

        fits = "document.documentElement.scrollWidth <= innerWidth"
        drawn = "[...document.querySelectorAll('figure div')].filter(e => e.offsetWidth).length"
        back = "getComputedStyle(document.body).backgroundColor"
        seen = set()
        for width in (400, 1400):
            for scheme in ("light", "dark"):
                await tab.look(width=width, scheme=scheme)
                assert await tab.run(fits)
                assert await tab.run(drawn) == 4
                seen.add((scheme, await tab.run(back)))
        assert len(seen) == 2
        await tab.look(width=1000, scheme="dark", media="print")
        assert await tab.run("getComputedStyle(document.body).color") == "rgb(36, 41, 47)"
        unnamed = "[...document.querySelectorAll('figure [role=img]')].filter(e => !e.ariaLabel)"
        assert await tab.run(f"{unnamed}.length") == 0


def test_each_chart_is_said_in_words() -> None:
    text = page(recorded(5))
    said = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert [each.split()[0] for each in said] == ["112", "At", "11", "Of"]
    assert "11 calls were made again" in said[1]
    assert said[2].startswith("11 in all: 6 arrived, 5 failed. One that arrived took 1 min 30 s")
    assert "the network, or the service 75%, the service&#x27;s quota 25%" in said[3]


def test_what_is_left_out_is_kept_in_the_page() -> None:
    report = recorded(len(EVIL))
    text = page(report, drawn=False)
    assert "<svg" not in text
    assert text.count("<script") == 2
    assert unfinished_report(text) == report
    assert unfinished_report(page(report)) is None
    with pytest.raises(ValueError, match="no report"):
        unfinished_report(text.replace('"title":', '"titel":'))


def test_nothing_but_a_report_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report = Report(title="without charts", began="", rows=())
    ReportPlace(path).write(report)
    ReportPlace(path).write(report)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    path.write_text("<!doctype html>\n<html>mine")
    with pytest.raises(ConfigError, match="something else than a report is there"):
        ReportPlace(path)
    for place in (
        tmp_path,
        tmp_path / "report.pdf",
        tmp_path / "none" / "report.html",
        tmp_path / ("x" * 300),
    ):
        with pytest.raises(ConfigError, match="the report's place"):
            ReportPlace(place)


def test_what_was_put_there_meanwhile_stays(tmp_path: Path) -> None:
    place = ReportPlace(tmp_path / "report.html")
    place.path.write_text("mine")
    with pytest.raises(ConfigError):
        place.write(Report(title="without charts", began="", rows=()))
    assert place.path.read_text() == "mine"
