from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.sheet.model import SheetDefaults
from turboupload.errors import InputError
from turboupload.files.sheets import read_sheet

TEXT = "sample;subject;file\nÄ;p;sub/ä.bam\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(TEXT.encode(encoding))
    sheet = read_sheet(path)
    assert sheet.findings == ()
    assert sheet.rows[0].sample_id == "Ä"
    assert sheet.rows[0].sources == (str(tmp_path / "sub" / "ä.bam"),)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (TEXT.encode("cp1252"), "is not UTF-8 text: line 2 has other bytes"),
        (b"\xff\xfea", "is not UTF-16 text: line 1 has other bytes"),
        (b"PK\x03\x04rest", "is an Excel workbook (or another zip file), not a text"),
        (b"BAM\x01\0\0\0\0", "is not text"),
    ],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_sheet(path)
    assert caught.value.message == sentence
    assert caught.value.path == str(path)
    assert caught.value.hint


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_sheet(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_sheet(tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="too large"):
        read_sheet(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"sample,file\ns,a.bam\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    sheet = read_sheet("-", SheetDefaults(subject_id="p"))
    assert sheet.rows[0].sources == ("a.bam",)


def test_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(TEXT.encode(),))
    writer.start()
    sheet = read_sheet(pipe)
    writer.join(10)
    assert len(sheet.rows) == 1


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_paths_from_a_pipe_without_a_folder_are_from_the_working_folder(folder: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as writer:
        writer.write(b"sample,file\ns,run/a.bam\n")
    try:
        sheet = read_sheet(f"{folder}/{reading}", SheetDefaults(subject_id="p"))
    finally:
        os.close(reading)
    assert sheet.rows[0].sources == ("run/a.bam",)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sheets") / "sheet"


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-16")))
def test_rubbish_is_findings_or_an_input_error(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    try:
        sheet = read_sheet(scratch)
    except InputError:
        return
    assert sheet.rows or sheet.findings
