"""A quick run that lacks something is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers import Client, alternate
from benchmarks.process import ClientFailed
from benchmarks.report import Figure, write_json
from benchmarks.sink import MissingTool, Sink
from benchmarks.soundness import PNG, faults_of

GOOD = Figure("peak memory", 100.0, "MiB", 120.0)


def _kept(folder: Path, figure: Figure = GOOD, name: str = "growth") -> None:
    write_json(folder / f"{name}.json", [figure], {"runs": [figure.measured]}, {})


def _drawn(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.png").write_bytes(PNG)


def test_a_whole_run_is_sound(tmp_path: Path) -> None:
    _kept(tmp_path)
    _drawn(tmp_path, "growth", "targets")
    assert list(faults_of(tmp_path, ["growth"], [GOOD])) == []


def test_a_figure_that_is_no_number_is_a_fault(tmp_path: Path) -> None:
    bad = Figure("rate", float("nan"), "x")
    _kept(tmp_path, bad, "many")
    first, second = faults_of(tmp_path, ["many"], [bad])
    assert first == "rate: nan x is no measurement"
    assert second.startswith("many.json can't be read: it has NaN")


def test_what_was_not_kept_or_not_drawn_is_a_fault(tmp_path: Path) -> None:
    _drawn(tmp_path, "targets")
    (tmp_path / "raw.png").write_text("no picture")
    write_json(tmp_path / "raw.json", [], {}, {})
    faults = list(faults_of(tmp_path, ["raw", "far"], [GOOD]))
    assert faults[0] == "raw.json has no figures"
    assert faults[1].startswith("far.json can't be read")
    assert faults[2:] == ["raw.png was not drawn", "links.png was not drawn"]


def test_a_client_that_is_not_there_is_left_out_and_one_that_fails_fails(tmp_path: Path) -> None:
    file = tmp_path / "reads.fastq.gz"
    file.write_bytes(b"x")
    absent = Client("elsewhere", "boto3_threads", needs_443=True)
    broken = Client("broken", "a_module_that_is_not_there")
    try:
        with Sink() as sink:
            sink.has_443 = False
            runs, left_out = alternate([absent], sink, file, 1, strict=True)
            assert not runs
            assert left_out == [
                "elsewhere: left out: the sink may not listen on port 443, and it knows no other"
            ]
            with pytest.raises(ClientFailed, match="a_module_that_is_not_there"):
                alternate([absent, broken], sink, file, 1, strict=True)
            _, left_out = alternate([broken], sink, file, 1)
            assert "broken: left out: " in left_out[0]
    except MissingTool as error:
        pytest.skip(f"missing: {error}")
