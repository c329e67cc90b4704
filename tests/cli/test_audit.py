"""`turboupload audit`, over the emulator: what may be deleted, and what nobody may have touched."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import ABOUT, SECRET, Shell
from tests.cli.ran import Ran
from tests.support import samples
from tests.support.botocore_client import omics_client
from turboupload.state.receipt_file import load_receipt, receipt_text

Within = Callable[..., Ran]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "deep" / "er").mkdir(parents=True)
    for seed, name in enumerate("abcd"):
        samples.fastq(folder / f"{name}.fastq.gz", reads=20, seed=seed)
    return folder


def upload(within: Within, path: Path, *more: str | Path) -> str:
    ran = within("upload", path, "--name", path.name, *ABOUT, "--quiet", *more)
    assert ran.code == 0, ran.err
    return ran.out.strip()


def standings(ran: Ran) -> dict[str, str]:
    return {
        Path(each["path"]).name: each["standing"]
        for each in ran.events
        if each["event"] == "audit.file"
    }


def alone(shell: Shell) -> Shell:
    shell.env.pop("TURBOUPLOAD_STORE", None)
    return shell


def test_every_file_has_its_standing(shell: Shell, within: Within, data: Path) -> None:
    """One upload each is proven, unproven, changed and deleted; one was never sent."""
    upload(within, data / "a.fastq.gz", "--prove")
    upload(within, data / "b.fastq.gz", "--checksum", "xxh3")
    upload(within, data / "c.fastq.gz")
    deleted = upload(within, data / "d.fastq.gz")
    with (data / "c.fastq.gz").open("ab") as file:
        file.write(b"more")
    shutil.copy2(data / "a.fastq.gz", data / "deep" / "a copy.fastq.gz")
    odd = data / "deep" / "er" / os.fsdecode(b"\xff\n.bam")
    odd.write_bytes(b"BAM")
    (data / "notes.txt").write_text("notes")
    (data / "deep" / "link.fastq.gz").symlink_to(data / "a.fastq.gz")
    client = omics_client(shell.emulator, secret_key=SECRET)
    client.batch_delete_read_set(sequenceStoreId=shell.emulator.store_id, ids=[deleted])
    ran = within("audit", data, "--json", "--listing-lag", "1s")
    assert ran.code == 6
    assert standings(ran) == {
        "a.fastq.gz": "proven", "b.fastq.gz": "unproven", "c.fastq.gz": "changed",
        "d.fastq.gz": "absent", "a copy.fastq.gz": "absent", odd.name: "absent",
    }  # fmt: skip
    last = ran.last
    assert (last["outcome"], last["proven"], last["store_id"]) == (
        "no", False, shell.emulator.store_id,
    )  # fmt: skip
    assert (last["other_files"], last["links"], last["unread"]) == (1, 1, 0)
    size = (data / "a.fastq.gz").stat().st_size
    assert last["freeable_bytes"] == last["file_bytes"]["proven"] == size
    (first,) = [each for each in ran.events if each.get("standing") == "proven"]
    assert first["proven_by"] == ["part-checksums", "etag"]
    assert (first["receipt"], first["chained"]) == ("receipt 1 of the journal", True)
    # Without the store, the deletion isn't known, which is said.
    alone(shell)
    ran = within("audit", data)
    assert "judged by receipts alone" in ran.out
    assert "proven    " + str(data / "d.fastq.gz") in ran.out
    assert "\xff" not in ran.out
    # Content is read again: the copy is found, and a change that keeps size and time.
    found = (data / "d.fastq.gz").stat()
    with (data / "d.fastq.gz").open("r+b") as file:
        file.write(b"\x1f\x8c")
    os.utime(data / "d.fastq.gz", ns=(found.st_atime_ns, found.st_mtime_ns))
    assert standings(within("audit", data, "--json"))["d.fastq.gz"] == "unproven"
    # One that only got another mode is what it was, which its content tells.
    (data / "a.fastq.gz").chmod(0o400)
    assert standings(within("audit", data, "--json"))["a.fastq.gz"] == "unproven"
    ran = within("audit", data, "--deep", "--json")
    assert standings(ran)["a.fastq.gz"] == "proven"
    assert standings(ran)["a copy.fastq.gz"] == "proven"
    assert standings(ran)["d.fastq.gz"] == "changed"


def test_all_proven_is_a_yes_and_their_names_are_printed(
    shell: Shell, within: Within, data: Path
) -> None:
    names = {data / f"{name}.fastq.gz" for name in "bcd"}
    odd = data / os.fsdecode(b"odd \xff\n.fastq.gz")
    (data / "a.fastq.gz").rename(odd)
    upload(within, odd, "--name", "odd")
    for path in sorted(names):
        upload(within, path)
    assert within("audit", data, "--quiet").code == 0
    written = data.parent / "names"
    with written.open("wb") as file:
        ran = shell.run("audit", data, "--print0", stdout=file)
    assert ran.code == 0, ran.err
    told = written.read_bytes().split(b"\0")
    assert told.pop() == b""
    assert {os.fsdecode(each) for each in told} == {*map(str, names), str(odd)}
    assert "4 files proven" in ran.err
    # What can't be looked at isn't proven.
    if os.geteuid() != 0:
        (data / "deep").chmod(0)
        assert within("audit", data, "--quiet").code == 6


def test_receipts_in_files_do_as_well(shell: Shell, within: Within, data: Path) -> None:
    kept = data.parent / "kept"
    kept.mkdir()
    upload(within, data / "a.fastq.gz", "--receipt", kept / "a.json")
    upload(within, data / "b.fastq.gz", "--receipt", kept / "b.json")
    (kept / "other.json").write_text("{}")
    shutil.rmtree(data.parent / "state")
    ran = within("audit", data / "a.fastq.gz", data / "b.fastq.gz", "--receipts", kept, "--json")
    assert (ran.code, ran.last["receipts"]) == (0, 2)
    text = (kept / "a.json").read_text()
    (kept / "a.json").write_text(text.replace("HG002", "HG003"))
    ran = within("audit", data / "b.fastq.gz", "--receipts", kept, "--json")
    assert ran.code == 6
    assert "a.json" in ran.last["findings"][0]
    # An older version's receipt has no chain; it is read, and said to have none.
    old = load_receipt(kept / "b.json")
    (kept / "a.json").write_text(receipt_text(replace(old, link=None).document()))
    (kept / "b.json").unlink()
    assert "a.json, unchained)" in within("audit", data / "b.fastq.gz", "--receipts", kept).out
    ran = within("audit", "--verify", "--receipts", kept)
    assert ran.code == 0
    assert "of older versions, unchained: 1 receipt" in ran.out


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_a_signature_covers_all_before_it(shell: Shell, within: Within, data: Path) -> None:
    folder = data.parent
    for name in ("mine", "other"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    signers, others = folder / "signers", folder / "others"
    signers.write_text(f'me@lab valid-before="20991231" {(folder / "mine.pub").read_text()}')
    others.write_text(f"other@lab {(folder / 'other.pub').read_text()}")
    alone(shell)

    def verify(*more: str | Path) -> Ran:
        return within("audit", "--verify", "--json", *more)

    assert within("audit", "--sign", folder / "mine").code == 3
    for name in "ab":
        upload(within, data / f"{name}.fastq.gz", "--store", shell.emulator.store_id)
    assert verify().code == 0
    assert verify("--allowed-signers", signers).code == 6
    assert within("audit", "--sign", folder / "mine").code == 0
    ran = verify("--allowed-signers", signers)
    assert (ran.code, ran.last["signed_up_to"], ran.last["whole"]) == (0, 2, True)
    assert verify("--allowed-signers", others).code == 6
    assert verify("--allowed-signers", folder / "none").code == 2
    assert within("audit", "--sign", folder / "none").code == 2
    upload(within, data / "c.fastq.gz", "--store", shell.emulator.store_id)
    ran = within("audit", "--verify", "--allowed-signers", signers)
    assert ran.code == 0
    assert "receipts from 3 on aren't signed yet" in ran.out
    # Somebody drops the last two, and makes the head fit.
    with closing(sqlite3.connect(folder / "state" / "journal.sqlite3")) as db, db:
        db.execute("DELETE FROM chain WHERE number > 1")
        db.execute(
            "UPDATE head SET number = 1, receipt_sha256 ="
            " (SELECT json_extract(body, '$.receipt_sha256') FROM chain)"
        )
    assert verify().code == 6  # the signature is still there
    ran = within("audit", "--verify", "--allowed-signers", signers)
    assert ran.code == 6
    assert "receipt 2 isn't the one that was signed" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--quiet"], "name a folder, or use --verify or --sign"),
        (["--verify", "--print0"], "--print0 is for the files of a folder"),
        (["x", "--allowed-signers", "y"], "goes with --verify"),
        (["x", "--print0", "--json"], "can't go together"),
    ],
)
def test_what_makes_no_sense_is_said(within: Within, words: list[str], said: str) -> None:
    ran = within("audit", *words)
    assert ran.code == 2
    assert said in ran.err + ran.out


def test_a_store_is_listed_where_many_are_asked_for(
    shell: Shell, within: Within, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_sets = [upload(within, data / f"{name}.fastq.gz") for name in "abc"]
    client = omics_client(shell.emulator, secret_key=SECRET)
    client.batch_delete_read_set(sequenceStoreId=shell.emulator.store_id, ids=read_sets[:1])
    monkeypatch.setattr("turboupload.proof.audit.LISTED_FROM", 2)
    before = shell.count("ListReadSets")
    ran = within("audit", data, "--json", "--listing-lag", "1s")
    assert shell.count("ListReadSets") > before
    assert standings(ran) == {
        "a.fastq.gz": "absent", "b.fastq.gz": "proven", "c.fastq.gz": "proven",
        "d.fastq.gz": "absent",
    }  # fmt: skip


def test_one_answer_that_misses_a_read_set_is_not_believed(
    shell: Shell, within: Within, data: Path
) -> None:
    upload(within, data / "a.fastq.gz")
    missed = {"type": "error", "code": "ResourceNotFoundException"}
    shell.emulator.set_faults([{"operation": "GetReadSetMetadata", "times": 2, "action": missed}])
    ran = within("audit", data / "a.fastq.gz", "--json")
    assert standings(ran) == {"a.fastq.gz": "proven"}


def test_a_folder_or_a_store_that_is_not_there(within: Within, data: Path) -> None:
    assert within("audit", data / "none").code == 3
    ran = within("audit", data / "deep")
    assert ran.code == 6
    assert "no sequencing file is there" in ran.out
    # Of nothing proven, nothing was asked.
    assert "was asked" not in ran.out
    assert within("audit", data, "--store", "9999999999").code == 4
    assert within("audit", data, "--receipts", data / "none").code == 3
