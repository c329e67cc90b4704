"""`--report` and `turboupload report`, as their users meet them."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SECRET, SIX_PARTS, Shell
from tests.cli.ran import Ran
from tests.support.samples import fastq
from turboupload.report.page import MARK

Within = Callable[..., Ran]
SLOW = {
    "operation": "UploadReadSetPart",
    "action": {"type": "delay", "seconds": 0.5},
}


def test_a_page_of_an_upload_and_one_made_afterwards(
    shell: Shell, within: Within, reads: Path, tmp_path: Path
) -> None:
    page, later = tmp_path / "report.html", tmp_path / "later.html"
    ran = shell.upload("<i>looked</i>", reads, *SIX_PARTS, "--report", page, "--json")
    assert ran.code == 0, ran.err
    read_set_id = ran.last["read_set_id"]
    text = page.read_text()
    assert text.startswith(MARK)
    assert "&lt;i&gt;looked&lt;/i&gt;" in text
    assert "<i>" not in text
    assert "<td>active<td>" in text
    assert f"turboupload receipt show {read_set_id}" in text
    assert ran.last["statement"].split(":")[0] in text
    assert ran.last["etag"]["source1"] in text
    assert "Throughput" in text
    assert SECRET not in text

    ran = within("report", read_set_id, "--output", later, "--json")
    assert (ran.code, ran.last["outcome"], ran.last["read_sets"]) == (0, "ok", 1)
    assert "Throughput" not in later.read_text()
    assert f"turboupload receipt show {read_set_id}" in later.read_text()
    assert "is known only while they run" in later.read_text()
    assert within("report", "unknown", "--output", later).code == 3
    for words in ((), ("--output", later, "--finish", page), ("1", "--finish", page)):
        ran = within("report", *words, "--json")
        assert (ran.code, ran.last["outcome"]) == (2, "usage"), words


def test_a_page_of_a_batch(shell: Shell, within: Within, reads: Path, tmp_path: Path) -> None:
    sheet, page = tmp_path / "sheet.csv", tmp_path / "report.html"
    other = fastq(tmp_path / "other.fastq.gz", reads=9).path
    sheet.write_text(f"name,sample,subject,source1\none,a,b,{reads}\ntwo,a,b,{other}\n")
    ran = within("batch", sheet, "--report", page, "--quiet")
    assert ran.code == 0, ran.err
    text = page.read_text()
    for line in ran.out.splitlines():
        row, name, status, read_set_id = line.split("\t")
        assert f"<td>{row}<th scope=row>{name}<td>a<td>{status}<td>" in text
        assert f"turboupload receipt show {read_set_id}" in text


def test_an_interrupt_leaves_a_page_at_once_that_is_finished_later(
    shell: Shell, within: Within, reads: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    shell.emulator.set_faults([SLOW])
    running = shell.start_upload("reported", reads, *SIX_PARTS, "--report", page)
    running.wait_for_parts(1)
    running.signal(signal.SIGINT)
    assert running.finish().code == 130
    text = page.read_text()
    assert "<dd>interrupted</dd>" in text
    assert "At most" in text
    assert "<svg" not in text

    # What takes time was left for later.
    ran = within("report", "--finish", page, "--json")
    assert (ran.code, ran.last["read_sets"]) == (0, 1), ran.err
    text = page.read_text()
    assert "<dd>interrupted</dd>" in text
    assert text.count("<svg") >= 2 * 3
    ran = within("report", "--finish", page, "--json")
    assert (ran.code, ran.last["outcome"]) == (2, "usage")
    assert "has its charts and proofs already" in ran.err


def test_a_page_that_cant_be_written_is_said_at_the_start(
    shell: Shell, within: Within, reads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    words = ("upload", reads, "--name", "n", "--sample", "s", "--report")
    for place, why in ((mine, "something else"), (tmp_path / "no" / "r.html", "no such folder")):
        ran = within(*words, place)
        assert (ran.code, why in ran.err) == (2, True), ran.err
    assert mine.read_text() == "mine"
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "turboupload.report.place.find_spec",
        lambda name: None if name == "vl_convert" else found(name),
    )
    ran = within(*words, tmp_path / "report.html")
    assert ran.code == 2
    assert "pip install 'turboupload[report]'" in ran.err
    assert shell.creates == 0


def test_a_page_that_cant_be_written_in_the_end_fails_nothing(
    shell: Shell, reads: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    shell.emulator.set_faults([SLOW])
    running = shell.start_upload("unwritten", reads, *SIX_PARTS, "--report", folder / "r.html")
    running.wait_for_parts(1)
    folder.rmdir()
    ran = running.finish()
    assert ran.code == 0
    assert "warning: the report can't be written" in ran.err
    assert [each["code"] for each in ran.events if each["event"] == "upload.remark"][-1:] == [
        "report-unwritten"
    ]
    assert ran.last["event"] == "upload.finished"
