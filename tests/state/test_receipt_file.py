from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import values
from tests.support.receipts import receipt_of
from turboupload.core.model import PartSource
from turboupload.errors import ConfigError, InputError, Stopped
from turboupload.state.receipt_file import ReceiptTarget, load_receipt


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    return path


def target(path: Path, *, size: int = 10, name: str = "lane 1") -> ReceiptTarget:
    source = values.source(PartSource.SOURCE1, size=size)
    return ReceiptTarget(
        path, store_id=values.STORE, read_set=values.read_set(name=name), sources=(source,)
    )


def test_a_receipt_is_written_and_read(tmp_path: Path, data: Path) -> None:
    receipt = receipt_of(data)
    before = os.umask(0o027)
    try:
        target(tmp_path / "r.json").write(receipt.document())
    finally:
        os.umask(before)
    assert load_receipt(tmp_path / "r.json") == receipt
    assert stat.S_IMODE((tmp_path / "r.json").stat().st_mode) == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "r.json"]


def test_the_same_read_sets_receipt_is_replaced(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "r.json"
    target(path).write(receipt_of(data, status="PROCESSING_UPLOAD").document())
    target(path).write(receipt_of(data).document())
    assert load_receipt(path).verdict.proven


def test_a_receipt_that_says_more_stays(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "r.json"
    strong = receipt_of(data)
    weak = receipt_of(data, comparisons=())
    assert target(path).write(strong.document())
    assert not target(path).write(weak.document())
    assert load_receipt(path) == strong
    another = replace(weak, read_set={**weak.read_set, "id": "9000000002"})
    assert target(path).write(another.document())
    assert load_receipt(path) == another


@pytest.mark.parametrize("name", ["x" * 255, "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 85])
def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path, data: Path, name: str) -> None:
    assert target(tmp_path / name).write(receipt_of(data).document())
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["data", name])


def test_a_link_stays_a_link(tmp_path: Path, data: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "r.json")
    target(tmp_path / "link").write(receipt_of(data).document())
    assert (tmp_path / "link").is_symlink()
    assert load_receipt(tmp_path / "r.json").verdict.proven


def test_nothing_else_is_written_over(tmp_path: Path, data: Path) -> None:
    def text(path: Path, content: str) -> Path:
        path.write_text(content)
        return path

    receipt = tmp_path / "r.json"
    target(receipt).write(receipt_of(data).document())
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "circle").symlink_to("circle")
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (data, {}, "something else"),
        (text(tmp_path / "empty", ""), {}, "something else"),
        (text(tmp_path / "other.json", '{"format": "x"}'), {}, "something else"),
        (text(tmp_path / "deep.json", "[" * 100_000), {}, "something else"),
        (receipt, {"size": 11}, "another read set's receipt"),
        (receipt, {"name": "lane 2"}, "another read set's receipt"),
        (tmp_path, {}, "not a regular file"),
        (tmp_path / "fifo", {}, "not a regular file"),
        (tmp_path / "circle", {}, "not a regular file"),
        (tmp_path / "none" / "r.json", {}, "no such folder"),
        (data / "r.json", {}, "can't be written"),
        (tmp_path / ("x" * 300), {}, "can't be written"),
    ]
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for path, more, words in cases:
        with pytest.raises(ConfigError, match=words) as caught:
            target(path, **more)
        assert "nothing was sent" in (caught.value.hint or "")
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_what_comes_to_be_there_meanwhile_is_kept(tmp_path: Path, data: Path) -> None:
    place = target(tmp_path / "r.json")
    (tmp_path / "r.json").write_text("precious")
    with pytest.raises(Stopped, match="something else is there") as caught:
        place.write(receipt_of(data).document())
    assert "receipt show" in (caught.value.hint or "")
    assert (tmp_path / "r.json").read_text() == "precious"


def test_a_full_disk_leaves_the_old_one(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    place = target(path)
    place.write(receipt_of(data, status="PROCESSING_UPLOAD").document())
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Stopped, match="No space left"):
        place.write(receipt_of(data).document())
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "r.json"]


def test_what_is_no_receipt_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "binary").write_bytes(b"\xff\x00\x80")
    (tmp_path / "list").write_text(json.dumps([1]))
    for name in ("text", "binary", "list", "missing", "."):
        with pytest.raises(InputError):
            load_receipt(tmp_path / name)


def test_a_receipt_from_a_pipe_must_be_written_to_a_file_first(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="is not a regular file") as caught:
        load_receipt(tmp_path / "fifo")
    assert "write to a file first" in (caught.value.hint or "")
