from __future__ import annotations

import gzip
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.seqcheck.preflight_samples import bgzf, fastq_text, write
from tests.support import samples
from turboupload.cli.commands.check import check


def _run(*arguments: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(check, [str(a) for a in arguments], env=env)


def _events(result: Result) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(datetime.fromisoformat(e["time"]).tzinfo for e in events)
    assert all(e["time"].endswith("Z") for e in events)
    return events


def test_a_good_file(tmp_path: Path) -> None:
    path = samples.bam(tmp_path / "a.bam", reads=500).path
    result = _run(path)
    assert result.exit_code == 0
    assert f"{path}: BAM" in result.stdout
    assert "500 reads, 75,000 bases" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("ok: ")
    assert result.stderr == ""


def test_bad_files_are_all_named_and_exit_3(tmp_path: Path) -> None:
    page = write(tmp_path / "a.bam", b"<html></html>")
    cut = write(tmp_path / "b.fq.gz", gzip.compress(fastq_text(50))[:-9])
    result = _run(page, cut, tmp_path / "missing")
    assert result.exit_code == 3
    for words in (f"error: {page}: is an HTML page", f"error: {cut}: ", "no such file"):
        assert words in result.stdout
    assert result.stdout.splitlines()[-1].startswith("rejected: 3 errors")


def test_json_has_one_object_a_line_and_the_result_last(tmp_path: Path) -> None:
    first = write(tmp_path / "s_R1.fq.gz", bgzf(fastq_text(50)))
    second = write(tmp_path / "s_R2.fq.gz", bgzf(fastq_text(50, mate=2)))
    result = _run(first, second, "--json", "--deep")
    assert result.exit_code == 0
    events = _events(result)
    assert [e["event"] for e in events] == [
        "check.started",
        "check.file",
        "check.file",
        "check.pair",
        "check.finished",
    ]
    assert events[1]["reads"] == 50
    assert events[3]["agreed_at"] == ["everywhere"]
    assert events[-1]["outcome"] == "ok"
    assert events[-1]["bytes"] == sum(Path(p).stat().st_size for p in (first, second))


def test_json_of_a_rejected_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a", fastq_text(5))
    result = _run(path, "--json")
    assert result.exit_code == 3
    *_, finding, last = _events(result)
    assert finding["event"] == "check.finding"
    assert (finding["severity"], finding["code"]) == ("error", "type.rejected")
    assert "bgzip" in finding["advice"]
    assert (last["outcome"], last["errors"]) == ("rejected", 1)


def test_type_pair_and_reference_options(tmp_path: Path) -> None:
    path = samples.cram(tmp_path / "a.cram").path
    assert _run(path, "--type", "cram", "--reference-fasta", tmp_path / "a.fa").exit_code == 0
    assert _run(path, "--type", "BAM").exit_code == 3
    a = write(tmp_path / "a.fq.gz", gzip.compress(fastq_text(9, seed=1)))
    b = write(tmp_path / "b.fq.gz", gzip.compress(fastq_text(9, seed=2)))
    assert _run(a, b).exit_code == 3
    assert _run(a, b, "--no-pair").exit_code == 0


def test_every_option_is_an_environment_variable(tmp_path: Path) -> None:
    path = samples.bam(tmp_path / "a.bam").path
    result = _run(path, env={"TURBOUPLOAD_JSON": "1", "TURBOUPLOAD_TYPE": "UBAM"})
    assert result.exit_code == 3
    assert _events(result)[-1]["outcome"] == "rejected"
    for option in check.params:
        if isinstance(option, click.Option):
            word = re.sub("^-+", "", option.opts[0]).replace("-", "_").upper()
            assert option.envvar == f"TURBOUPLOAD_{word}"


def test_quiet_says_nothing_about_good_files(tmp_path: Path) -> None:
    good = samples.bam(tmp_path / "a.bam").path
    bad = write(tmp_path / "b", b"")
    assert _run(good, "--quiet").stdout == ""
    result = _run(good, bad, "--quiet")
    assert result.exit_code == 3
    sentence = "is an empty file, which HealthOmics can't take as a read set"
    assert result.stdout.splitlines()[0] == f"error: {bad}: {sentence}"


def test_waiting_that_fails_is_an_input_error(tmp_path: Path) -> None:
    path = samples.bam(tmp_path / "a.bam").path
    result = _run(path, "--json", "--wait-for", tmp_path / "no", "--wait-timeout", "0s")
    assert result.exit_code == 3
    assert _events(result)[-1]["outcome"] == "rejected"
    assert _events(result)[-1]["error"]["path"] == str(tmp_path / "no")
    assert _run(path, "--wait-for", path, "--settle", "50ms").exit_code == 0


@pytest.mark.parametrize("arguments", [[], ["a", "--settle", "soon"], ["a", "--type", "VCF"]])
def test_usage_errors_exit_2(arguments: list[str]) -> None:
    result = _run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_unexpected_references_are_input_errors(tmp_path: Path) -> None:
    path = samples.bam(tmp_path / "a.bam").path
    result = _run(path, "--reference-fasta", tmp_path / "missing.fa")
    assert result.exit_code == 3
    assert "missing.fa" in result.stderr
