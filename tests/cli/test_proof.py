"""Proof, as its users see it: receipts, and files compared with read sets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Shell
from tests.cli.ran import Ran
from tests.support import samples
from tests.support.emulator import RunningEmulator
from tests.support.receipts import check_schema
from turboupload.cli.main import cli


def standard_tool(script: str, *arguments: str | Path) -> list[str]:
    """The words that a line of shell prints, but the names of files."""
    words = ["/bin/sh", "-c", script, "sh", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines()]


@dataclass
class Proven:
    """A pair that was uploaded with `--prove --receipt`."""

    shell: Shell
    one: Path
    two: Path
    receipt: Path
    last: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.receipt.read_text())
        return loaded

    def verify(self, *files: Path, receipt: Path | None = None, more: str = "--json") -> Ran:
        """Runs `receipt verify` in this process: it asks nobody anything."""
        words = ["receipt", "verify", str(receipt or self.receipt), *map(str, files), more]
        done = CliRunner().invoke(cli, words)
        return Ran(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def pair(
    shared_emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proven]:
    folder = tmp_path_factory.mktemp("proof")
    shell = Shell(shared_emulator, folder)
    one, two = (each.path for each in samples.fastq_pair(folder))
    receipt = folder / "receipt.json"
    ran = shell.upload(
        "proven", one, two, "--part-size", "10000", "--prove", "--receipt", receipt, "--json"
    )
    assert ran.code == 0, ran.err
    yield Proven(shell, one, two, receipt, ran.last)
    shell.close()


def test_the_result_tells_of_the_proof(pair: Proven) -> None:
    assert pair.last["verified"] == "sha256"
    assert pair.last["proven"] is True
    assert pair.last["proven_by"] == ["part-checksums", "etag"]
    assert pair.last["etag_compared"] == "equal"
    assert pair.last["total_reads"] > 0


def test_standard_tools_compute_what_the_receipt_says(pair: Proven) -> None:
    document = pair.document
    check_schema(document)
    size = str(document["part_size"])
    split = 'split -b "$1" --filter=sha256sum "$2" | cut -c1-64'
    for path, row in zip((pair.one, pair.two), document["files"], strict=True):
        parts = standard_tool(split, size, path)
        assert parts == [each["sha256"] for each in row["parts"]]
        assert len(row["parts"]) > 1
        assert standard_tool(f"{split} | sha256sum", size, path) == [row["sha256_tree"]]
        assert standard_tool('sha256sum "$1"', path) == [row["sha256"]]
        assert standard_tool('gzip -dc "$1" | md5sum', path) == [row["etag"]]
    etag = document["read_set"]["etag"]
    assert [etag["source1"], etag["source2"]] == [row["etag"] for row in document["files"]]


def test_the_journal_has_the_same_receipt(pair: Proven) -> None:
    for word in ("proven", pair.last["read_set_id"]):
        ran = pair.shell.run("receipt", "show", word)
        assert ran.code == 0, ran.err
        assert ran.out == pair.receipt.read_text()
    ran = pair.shell.run("receipt", "show", "unknown")
    assert ran.code == 3
    assert "no receipt of unknown" in ran.err


def test_the_files_of_the_receipt_in_any_order(pair: Proven) -> None:
    for files in ((), (pair.one, pair.two), (pair.two, pair.one)):
        ran = pair.verify(*files)
        assert ran.code == 0, ran.err
        assert ran.last["outcome"] == "yes"
        assert ran.last["proven"] is True
    ran = pair.verify(more="--threads=1")
    assert f"yes: these are the files of read set {pair.last['read_set_id']}" in ran.out
    assert "Proven: " in ran.out


def test_a_tampered_file_is_a_no(pair: Proven, tmp_path: Path) -> None:
    changed = bytearray(pair.two.read_bytes())
    changed[15_000] ^= 1
    (tmp_path / "2").write_bytes(changed)
    ran = pair.verify(pair.one, tmp_path / "2")
    assert ran.code == 6
    assert ran.last["outcome"] == "no"
    assert [each["source"] for each in ran.last["files"]] == ["SOURCE1", None]
    assert "part 2 has other digests" in ran.last["files"][1]["sentence"]


def test_a_missing_file_and_a_missing_receipt(pair: Proven, tmp_path: Path) -> None:
    for ran in (pair.verify(pair.one, tmp_path / "gone"), pair.verify(receipt=tmp_path / "gone")):
        assert ran.code == 3
        assert ran.last["outcome"] == "rejected"
        assert ran.last["error"]["path"] == str(tmp_path / "gone")
    assert pair.verify(pair.one).code == 2


def test_a_tampered_receipt_is_a_no(pair: Proven, tmp_path: Path) -> None:
    document = pair.document
    document["files"][0]["parts"][0]["sha256"] = "0" * 64
    (tmp_path / "r.json").write_text(json.dumps(document))
    ran = pair.verify(receipt=tmp_path / "r.json")
    assert ran.code == 6
    assert "changed after it was written" in ran.err


def test_a_receipt_of_parts_alone_is_compared_too(pair: Proven, tmp_path: Path) -> None:
    path = samples.fastq(tmp_path / "plain.fastq.gz", reads=200, seed=3).path
    ran = pair.shell.upload("plain", path, "--checksum", "xxh3", "--json")
    assert ran.last["proven"] is False
    receipt = tmp_path / "r.json"
    receipt.write_text(pair.shell.run("receipt", "show", "plain").out)
    ran = pair.verify(receipt=receipt)
    assert ran.code == 6
    assert ran.last["files_match"] is True
    assert "Not proven" in ran.last["statement"]


def test_a_place_that_cannot_be_written_is_found_before_anything_is_sent(
    shell: Shell, reads: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("precious")
    for place in (tmp_path / "none" / "r.json", tmp_path / "notes"):
        ran = shell.upload("unwritable", reads, "--receipt", place, "--json")
        assert ran.code == 2, ran.err
        assert "nothing was sent" in ran.err
        assert ran.last["outcome"] == "usage"
    assert shell.emulator.stats()["operations"] == {}
    assert (tmp_path / "notes").read_text() == "precious"


def test_a_lost_journal_is_made_up_for_by_the_etag(shell: Shell, tmp_path: Path) -> None:
    path = samples.fastq(tmp_path / "a.fastq.gz", reads=200, seed=4).path
    first = shell.upload("lost", path, "--json")
    shell.env["TURBOUPLOAD_STATE_DIR"] = str(tmp_path / "another")
    found = shell.upload("lost", path, "--prove", "--json")
    assert found.code == 0, found.err
    assert found.last["read_set_id"] == first.last["read_set_id"]
    assert found.last["bytes_sent"] == 0
    assert found.last["verified"] == "etag"
    other = samples.fastq(tmp_path / "b.fastq.gz", reads=200, seed=5).path
    refused = shell.upload("lost", other, "--prove", "--json")
    assert refused.code == 4
    assert "the store holds other reads" in refused.err


def test_files_are_compared_with_a_read_set(pair: Proven) -> None:
    def verify(*words: str | Path) -> Ran:
        return pair.shell.run("readsets", "verify", pair.last["read_set_id"], *words)

    ran = verify(pair.one, pair.two, "--json")
    assert ran.code == 0, ran.err
    assert ran.last["outcome"] == "equal"
    assert ran.last["proven"] is True
    assert ran.last["reads_here"] == ran.last["total_reads"]
    swapped = verify(pair.two, pair.one)
    assert swapped.code == 6
    assert "swapped" in swapped.out
    assert swapped.out.count("here  ") == 2
    assert verify(pair.one).code == 2
