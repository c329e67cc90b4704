"""Manifests: what differs is never completed, and what agrees is told."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.cli.conftest import ABOUT, Shell
from tests.cli.ran import Ran
from tests.support import samples
from tests.support.receipts import check_schema

Within = Callable[..., Ran]
WRONG = "0123456789abcdef0123456789abcdef"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return samples.fastq(tmp_path / "run" / "a.fastq.gz", reads=400).path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def upload(within: Within, path: Path, *more: str | Path) -> Ran:
    """Of a name of the test's own: the emulator is everybody's."""
    words = (
        "upload",
        path,
        "--name",
        path.parents[1].name,
        *ABOUT,
        "--part-size",
        "8000",
        "--json",
    )
    return within(*words, *more)


def write(folder: Path, text: str, name: str = "run.md5") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("form", ["md5", "sha256", "bsd", "content", "content-sha256", "beside"])
def test_what_agrees_is_in_the_result_and_in_the_receipt(
    shell: Shell, within: Within, file: Path, folder: Path, form: str
) -> None:
    data = file.read_bytes()
    text = gzip.decompress(data)
    line = {
        "md5": f"{md5(data)}  a.fastq.gz",
        "sha256": f"{hashlib.sha256(data).hexdigest()} *./a.fastq.gz",
        "bsd": f"MD5 (a.fastq.gz) = {md5(data)}",
        "content": f"{md5(text)}  a.fastq",
        "content-sha256": f"{hashlib.sha256(text).hexdigest()}  a.fastq",
        "beside": md5(data),
    }[form]
    manifest = write(folder, f"# ours\r\n{line}\r\n", "a.fastq.gz.md5")
    how = ("--md5-beside",) if form == "beside" else ("--md5", manifest)
    receipt = folder / "receipt.json"
    ran = upload(within, file, *how, "--receipt", receipt)
    assert ran.code == 0, ran.err
    assert ran.last["manifest"] == "equal"
    document = json.loads(receipt.read_text())
    check_schema(document)
    (row,) = document["manifest"]
    assert (row["path"], row["manifest"], row["line"]) == (str(file), str(manifest), 2)
    assert row["digest"] == row["expected"] == line.split(" = ")[-1].split(" ")[0]
    # The MD5 of a FASTQ's text is its ETag, so it proves as --prove does.
    assert ran.last["etag_compared"] == ("equal" if form == "content" else None)
    assert [each["outcome"] for each in document["comparisons"] if each["subject"] == "manifest"]
    turboupload.verify_receipt(receipt)


def test_a_file_that_is_unchanged_is_not_read_again(
    shell: Shell,
    within: Within,
    file: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = write(folder, f"{md5(file.read_bytes())}  a.fastq.gz")
    assert upload(within, file, "--md5", manifest).code == 0

    def compare(*_: Any, **__: Any) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr("turboupload.files.manifests.compare_file", compare)
    ran = upload(within, file, "--md5", manifest)
    assert (ran.code, ran.last["manifest"], ran.last["bytes_sent"]) == (0, "equal", 0)
    # It is remembered where a run has no manifest, too.
    ran = upload(within, file)
    assert (ran.code, ran.last["manifest"]) == (0, "equal")
    # Another digest for the same file is noticed without a look at the file.
    write(folder, f"{WRONG}  a.fastq.gz")
    ran = upload(within, file, "--md5", manifest)
    assert (ran.code, ran.last["outcome"]) == (6, "integrity")
    assert "was made of the file as it is" in ran.last["error"]["hint"]
    monkeypatch.undo()
    file.write_bytes(file.read_bytes())
    write(folder, f"{md5(file.read_bytes())}  a.fastq.gz")
    assert upload(within, file, "--md5", manifest).last["manifest"] == "equal"


@pytest.mark.parametrize("form", ["file", "content"])
def test_what_differs_is_not_completed_and_goes_on_once_it_is_mended(
    shell: Shell, within: Within, file: Path, folder: Path, form: str
) -> None:
    name = "a.fastq.gz" if form == "file" else "a.fastq"
    manifest = write(folder, f"\n{WRONG}  {name}\n")
    ran = upload(within, file, "--md5", manifest)
    assert (ran.code, ran.last["outcome"]) == (6, "integrity")
    error = ran.last["error"]
    data = file.read_bytes()
    found = md5(data if form == "file" else gzip.decompress(data))
    assert error["path"] == str(file)
    assert f"MD5 is {found}, and by line 2 of {manifest} it is {WRONG}" in error["message"]
    assert ran.last["upload_id"] in error["hint"]
    assert shell.count("CompleteMultipartReadSetUpload") == 0
    write(folder, f"{found}  {name}\n")
    ran = upload(within, file, "--md5", manifest)
    assert (ran.code, ran.last["manifest"], shell.creates) == (0, "equal", 1), ran.err


def test_nothing_is_sent_of_a_file_that_no_line_names(
    shell: Shell, within: Within, file: Path, folder: Path
) -> None:
    manifest = write(folder, f"{WRONG}  b.fastq.gz")
    for more in (("--md5", manifest), ("--md5-beside",), ("--md5", manifest, "--dry-run")):
        ran = upload(within, file, *more)
        assert ran.code == 6
        assert "no line names it in" in ran.last["error"]["message"]
        assert ran.last["error"]["path"] == str(file)
    assert shell.creates == 0
    # Where one of the two is enough, it is.
    write(folder, md5(file.read_bytes()), "a.fastq.gz.md5")
    assert upload(within, file, "--md5", manifest, "--md5-beside").code == 0


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (None, 3, "No such file"),
        ("what is this", 3, "line 1 is not a line of a manifest"),
        (f"{WRONG}  x/a.fastq.gz\n{WRONG[::-1]}  y/a.fastq.gz", 3, "whose digests differ"),
    ],
)
def test_what_is_no_manifest_is_told_before_anything_is_sent(
    shell: Shell, within: Within, file: Path, folder: Path, text: str | None, code: int, said: str
) -> None:
    manifest = folder / "m"
    if text is not None:
        manifest.write_text(text)
    ran = upload(within, file, "--md5", manifest)
    assert ran.code == code
    assert said in ran.last["error"]["message"]
    sheet = write(folder, f"source1,sample,subject\n{file},S,U\n", "sheet.csv")
    assert within("batch", sheet, "--md5", manifest).code in (code, 8)
    assert shell.creates == 0


def test_a_complete_of_an_earlier_run_is_not_repeated_for_a_file_that_differs(
    shell: Shell, within: Within, file: Path, folder: Path
) -> None:
    fault = {
        "operation": "CompleteMultipartReadSetUpload",
        "times": None,
        "action": {"type": "error", "status": 500, "code": "InternalServerException"},
    }
    shell.emulator.set_faults([fault])
    quick = ("--give-up-after", "1s", "--listing-lag", "0")
    assert upload(within, file, *quick).code == 5
    shell.emulator.clear_faults()
    before = shell.count("CompleteMultipartReadSetUpload")
    assert before > 0
    manifest = write(folder, f"{WRONG}  a.fastq.gz")
    assert upload(within, file, *quick, "--md5", manifest).code == 6
    assert shell.count("CompleteMultipartReadSetUpload") == before
    assert upload(within, file, *quick).code == 0


def test_a_sheets_digests_stop_their_row_alone(shell: Shell, within: Within, folder: Path) -> None:
    one, two = (each.path for each in samples.fastq_pair(folder))
    three = samples.fastq(folder / "three.fastq.gz", seed=3).path
    digests = [md5(each.read_bytes()) for each in (one, two)]
    sheet = write(
        folder,
        "sample,fastq_1,fastq_2,fastq_md5,name\n"
        f"S,{one.name},{two.name},{digests[0]};{digests[1].upper()},pair\n"
        f"S,{three.name},,{WRONG},three\n",
        "sheet.csv",
    )
    results = folder / "results.json"
    ran = within("batch", sheet, "--subject", "U", "--results", results)
    assert ran.code == 8, ran.err
    rows = json.loads(results.read_text())
    assert [(each["status"], each["manifest"]) for each in rows] == [
        ("active", "equal"), ("failed", None),
    ]  # fmt: skip
    assert f"by line 3 of the sheet it is {WRONG}" in rows[1]["message"]
    # Of a whole manifest, the rows that it doesn't name fail.
    manifest = write(folder, f"{md5(three.read_bytes())}  {three.name}")
    sheet.write_text(
        "sample,fastq_1,fastq_2,md5_1,md5_2,name\n"
        f"S,{one.name},{two.name},{digests[0]},{digests[1]},pair\n"
        f"S,{three.name},,,,three\n"
    )
    ran = within("batch", sheet, "--subject", "U", "--results", results, "--md5", manifest)
    assert ran.code == 0, ran.err
    assert [each["manifest"] for each in json.loads(results.read_text())] == ["equal", "equal"]


@pytest.mark.parametrize(
    ("columns", "cells", "said"),
    [
        ("md5", "x", "is not an MD5 or SHA-256"),
        ("md5_1,md5_2", f"{WRONG},{WRONG}", "is of a second file, and the row has one"),
        ("fastq_md5", f"{WRONG};{WRONG}", "has 2 digests, and the row 1 files"),
        ("fastq_md5", "x", "is not an MD5 or SHA-256"),
    ],
)
def test_a_sheets_digest_that_makes_no_sense_is_found(
    within: Within, file: Path, folder: Path, columns: str, cells: str, said: str
) -> None:
    sheet = write(folder, f"source1,sample,subject,{columns}\n{file},S,U,{cells}\n", "sheet.csv")
    ran = within("batch", sheet)
    assert ran.code == 3
    assert said in ran.err


def test_check_compares_too(within: Within, file: Path, folder: Path) -> None:
    manifest = write(folder, f"{md5(file.read_bytes())}  a.fastq.gz")
    assert within("check", file, "--md5", manifest).code == 0
    assert turboupload.check(file, md5=manifest).ok
    write(folder, f"{WRONG}  a.fastq.gz")
    ran = within("check", file, "--md5", manifest, "--json")
    assert ran.code == 6
    (finding,) = [each for each in ran.events if each["event"] == "check.finding"]
    assert (finding["code"], finding["severity"]) == ("manifest.differs", "error")
    ran = within("check", file, "--md5-beside")
    assert ran.code == 6
    assert "no line names it" in ran.out
    (found,) = turboupload.check(file, md5_beside=True).errors
    assert found.code == "manifest.missing"


def test_a_read_set_is_compared_with_a_manifest_and_no_file(
    shell: Shell, within: Within, folder: Path
) -> None:
    """A FASTQ's ETag is the MD5 of its text, which is what was written before gzip."""
    one, two = (each.path for each in samples.fastq_pair(folder))
    texts = [gzip.decompress(each.read_bytes()) for each in (one, two)]
    names = [each.name.removesuffix(".gz") for each in (one, two)]
    lines = [f"{md5(text)}  {name}" for text, name in zip(texts, names, strict=True)]
    manifest = write(folder, "\n".join(lines))
    ran = upload(within, one, two)
    assert ran.code == 0
    one.unlink()
    two.unlink()
    read_set = ran.last["read_set_id"]

    def verify(*files: str | Path) -> Ran:
        return within("readsets", "verify", read_set, *files, "--md5", manifest, "--json")

    for files in ((one, two), (folder / names[0], folder / names[1]), names):
        ran = verify(*files)
        assert (ran.code, ran.last["outcome"], ran.last["proven"]) == (0, "equal", True), ran.err
    assert "no file was read" in ran.last["statement"]
    assert verify(two, one).code == 6
    assert verify(one, "other.fastq.gz").code == 6
    assert verify(one).code == 2
    write(folder, lines[0].replace(lines[0][:32], WRONG) + "\n" + lines[1])
    ran = verify(one, two)
    assert (ran.code, ran.last["outcome"]) == (6, "different")


@pytest.fixture
def digest(file: Path) -> str:
    return md5(file.read_bytes())


async def test_a_read_set_may_have_its_checksums_with_it(
    shell: Shell, file: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shell.env.items():
        monkeypatch.setenv(name, value)

    def read_set(checksums: Any) -> turboupload.ReadSet:
        return turboupload.ReadSet(
            sources=[file], name="checksums", sample_id="S", subject_id="U", checksums=checksums
        )

    async def send(checksums: Any) -> turboupload.UploadResult:
        store = shell.emulator.store_id
        return await turboupload.upload(read_set(checksums), store_id=store)

    with pytest.raises(turboupload.IntegrityError, match="by the digest that was given it is"):
        await send({file: WRONG})
    made = await send({str(file): digest.upper()})
    assert made.manifest == "equal"
    wrongs: Any = (
        ({"b": WRONG}, "not a source"),
        ({file: "x"}, "not an MD5"),
        ([WRONG], "mapping"),
    )
    for wrong, said in wrongs:
        with pytest.raises(turboupload.InputError, match=said):
            read_set(wrong)
    for config in ({"md5": 7}, {"md5": [7]}, {"md5_beside": 1}):
        with pytest.raises(turboupload.ConfigError, match="md5"):
            turboupload.UploadConfig(**config)
    assert turboupload.UploadConfig(md5=file).md5 == (str(file),)


def test_each_lane_of_a_merged_source_is_compared_and_audited(
    shell: Shell, within: Within, folder: Path
) -> None:
    lanes = [
        samples.fastq(folder / f"a_L00{lane}_R{mate}.fastq.gz", mate=mate, seed=lane).path
        for mate in (1, 2)
        for lane in (1, 2)
    ]
    lines = {each.name: f"{md5(each.read_bytes())}  {each.name}" for each in lanes}
    text = gzip.decompress(lanes[0].read_bytes())
    lines[lanes[0].name] = f"{md5(text)}  {lanes[0].name.removesuffix('.gz')}"
    wrong = {**lines, lanes[1].name: f"{WRONG}  {lanes[1].name}"}
    manifest = write(folder, "\n".join(wrong.values()))
    words = ("upload", "--merge", *lanes, "--name", folder.parent.name, *ABOUT, "--json", "--prove")
    ran = within(*words, "--md5", manifest)
    assert ran.code == 6
    assert ran.last["error"]["path"] == str(lanes[1])
    write(folder, "\n".join(lines.values()))
    ran = within(*words, "--md5", manifest)
    assert (ran.code, ran.last["manifest"], ran.last["proven"]) == (0, "equal", True), ran.err
    for more in ((), ("--deep",)):
        ran = within("audit", folder, "--json", *more)
        assert (ran.code, ran.last["files"]["proven"]) == (0, 4), ran.out
    # A sheet's cell has the digests of all its files.
    cells = [";".join(str(each) for each in lanes[at : at + 2]) for at in (0, 2)]
    digests = [";".join(md5(each.read_bytes()) for each in lanes[at : at + 2]) for at in (0, 2)]
    sheet = write(
        folder,
        "sample,subject,name,source1,source2,md5_1,md5_2\n"
        f"S,U,{folder.parent.name},{','.join([*cells, *digests])}\n",
        "sheet.csv",
    )
    results = folder / "results.json"
    ran = within("batch", sheet, "--results", results)
    assert ran.code == 0, ran.err
    assert json.loads(results.read_text())[0]["manifest"] == "equal"
    sheet.write_text(sheet.read_text().replace(digests[1], digests[1].split(";")[0]))
    ran = within("batch", sheet)
    assert ran.code == 3
    assert "has 1 digests for 2 files" in ran.err
    # A lane that changed is named, and with it the others of its source can't be compared.
    lanes[0].write_bytes(lanes[0].read_bytes() + b"more")
    ran = within("audit", folder, "--json")
    standing = {Path(e["path"]).name: e["standing"] for e in ran.events if "standing" in e}
    assert standing == {
        lanes[0].name: "changed", lanes[1].name: "proven", lanes[2].name: "proven",
        lanes[3].name: "proven",
    }  # fmt: skip
