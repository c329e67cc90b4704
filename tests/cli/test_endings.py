"""Every exit code of the table; every input that is turned down before anything is made."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SIX_PARTS, Shell
from tests.cli.ran import Ran
from tests.cli.test_upload import FIELDS
from tests.support.samples import REFERENCE_ARN, bam, cram, fastq

MIB = 1024 * 1024


def check(ran: Ran, code: int, outcome: str, *words: str) -> None:
    """An error is told in a sentence, to people and programs, and never as a traceback."""
    assert ran.code == code, ran.err
    assert "Traceback" not in ran.err
    assert ran.err.startswith("error: ")
    last = ran.last
    assert last["event"] == "upload.finished"
    assert set(last) >= FIELDS
    assert last["outcome"] == outcome
    assert set(last["error"]) == {"message", "hint", "code", "operation", "path", "others"}
    assert last["error"]["message"] in ran.err
    for word in words:
        assert word in ran.err
    if last["error"]["hint"]:
        assert f"\nhint: {last['error']['hint']}" in ran.err


# --- files ----------------------------------------------------------------------------------


def missing(folder: Path) -> list[str | Path]:
    return [folder / "absent.fastq.gz"]


def a_folder(folder: Path) -> list[str | Path]:
    return [folder]


def empty(folder: Path) -> list[str | Path]:
    path = folder / "empty.fastq.gz"
    path.touch()
    return [path]


def fifo(folder: Path) -> list[str | Path]:
    path = folder / "fifo.fastq.gz"
    os.mkfifo(path)
    return [path]


def device(folder: Path) -> list[str | Path]:
    return ["/dev/zero"]


def too_large(folder: Path) -> list[str | Path]:
    path = fastq(folder / "huge.fastq.gz").path
    os.truncate(path, 10_000 * 100 * MIB + 1)  # sparse: it takes no room
    return [path]


def two_bams(folder: Path) -> list[str | Path]:
    paths = [bam(folder / f"{number}.bam", seed=number).path for number in (1, 2)]
    return [*paths, "--reference", REFERENCE_ARN]


def same_twice(folder: Path) -> list[str | Path]:
    path = fastq(folder / "x.fastq.gz").path
    return [path, path]


def linked_twice(folder: Path) -> list[str | Path]:
    path = fastq(folder / "x.fastq.gz").path
    os.link(path, folder / "y.fastq.gz")
    return [path, folder / "y.fastq.gz"]


def three(folder: Path) -> list[str | Path]:
    return [fastq(folder / f"{number}.fastq.gz", seed=number).path for number in (1, 2, 3)]


def not_gzip(folder: Path) -> list[str | Path]:
    path = folder / "plain.fastq"
    path.write_text("@r\nACGT\n+\nFFFF\n" * 100)
    return [path]


def bam_alone(folder: Path) -> list[str | Path]:
    return [bam(folder / "x.bam").path]


def cram_alone(folder: Path) -> list[str | Path]:
    return [cram(folder / "x.cram").path]


def contradiction(folder: Path) -> list[str | Path]:
    return [fastq(folder / "x.fastq.gz").path, "--type", "CRAM", "--reference", REFERENCE_ARN]


def good(folder: Path, *more: str) -> list[str | Path]:
    return [fastq(folder / "x.fastq.gz").path, *more]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, ["absent.fastq.gz", "no such file"]),
        (a_folder, ["folder"]),
        (empty, ["empty.fastq.gz", "empty"]),
        (fifo, ["fifo.fastq.gz", "pipe"]),
        (device, ["/dev/zero", "device"]),
        (too_large, ["10,000 parts"]),
        (two_bams, ["only FASTQ comes in pairs"]),
        (same_twice, ["given twice"]),
        (linked_twice, ["is the same file as"]),
        (three, ["one file, or two"]),
        (not_gzip, ["plain.fastq", "gzip"]),
        (bam_alone, ["x.bam", "reference", "--reference"]),
        (cram_alone, ["x.cram", "reference", "--reference"]),
        (contradiction, ["CRAM", "FASTQ"]),
        (lambda folder: good(folder, "--sample", ""), ["sample id"]),
        (lambda folder: good(folder, "--sample", "a\tb"), ["sample id has U+0009 TAB"]),
        (lambda folder: good(folder, "--subject", "x" * 128), ["127"]),
        (lambda folder: good(folder, "--description", "x" * 256), ["255"]),
        (lambda folder: good(folder, "--reference", "chr1.fa"), ["chr1.fa", "ARN"]),
        (lambda folder: good(folder, "--tag", "aws:x=1"), ["reserved"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else " ".join(value),
)  # fmt: skip
def test_an_input_that_is_rejected(
    shell: Shell,
    within: Callable[..., Ran],
    make: Callable[[Path], list[str | Path]],
    words: list[str],
) -> None:
    about = ["--name", "bad", "--sample", "s", "--subject", "s"]
    ran = within("upload", *about, *make(shell.folder), "--json")
    check(ran, 3, "rejected", *words)
    assert shell.emulator.stats()["requests"] == 0


def test_a_name_cannot_write_on_the_terminal(shell: Shell, within: Callable[..., Ran]) -> None:
    name = "\x1b[31m\x07red\udc80.bam"
    ran = within("upload", shell.folder / name, "--name", "x", "--json", "--reference", "arn:x")
    assert ran.code == 3
    assert "\\x1b[31m\\x07red\\udc80.bam" in ran.err
    assert "\x1b" not in ran.err


def without_roots_rights() -> None:
    """Root may read everything; the child of a root that gave this right up may not."""
    libc = ctypes.CDLL(None)
    drop_from_bounding_set, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        libc.prctl(drop_from_bounding_set, capability, 0, 0, 0)


def test_a_file_that_may_not_be_read(shell: Shell, reads: Path) -> None:
    reads.chmod(0)
    ran = shell.upload("unreadable", reads, "--json", preexec_fn=without_roots_rights)
    check(ran, 3, "rejected", "reads.fastq.gz", "permission denied")
    assert shell.emulator.stats()["requests"] == 0


# --- usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], ["--nonsense"]),
        (["--part-size", "many"], ["many", "size"]),
        (["--part-size", "101MiB"], ["100 MiB"]),
        (["--part-size", "0"], ["more than no bytes"]),
        (["--part-size", "1B"], ["10,000"]),
        (["--concurrency", "0"], ["0"]),
        (["--stall-timeout", "soon"], ["soon", "duration"]),
        (["--max-bandwidth", "fast"], ["fast", "rate"]),
        (["--type", "VCF"], ["VCF"]),
        (["--tag", "novalue"], ["novalue", "key=value"]),
        (["--store", "abc"], ["abc", "digits"]),
        (["--upload-id", "1234567890", "--force"], ["upload_id", "force"]),
        (["--profile", "nobody"], ["nobody"]),
        (["--endpoint-url", "nonsense"], ["nonsense"]),
        (["--ca-bundle", "/absent.pem"], ["absent.pem"]),
        (["--state-dir", "/dev/null/state"], ["state folder", "TURBOUPLOAD_STATE_DIR"]),
    ],
)  # fmt: skip
def test_usage_that_makes_no_sense(
    shell: Shell, within: Callable[..., Ran], reads: Path, arguments: list[str], words: list[str]
) -> None:
    about = ["--name", "usage", "--sample", "s", "--subject", "s"]
    ran = within("upload", reads, *about, "--json", *arguments)
    check(ran, 2, "usage", *words)
    assert shell.creates == 0


def test_a_missing_option_is_named_with_its_variable(
    within: Callable[..., Ran], reads: Path
) -> None:
    ran = within("upload", reads, "--json", "--sample", "x")
    check(ran, 2, "usage", "--name", "TURBOUPLOAD_NAME", "turboupload upload --help")


def test_an_unknown_command(shell: Shell) -> None:
    ran = shell.run("uplaod")
    assert ran.code == 2
    assert "uplaod" in ran.err
    assert "turboupload --help" in ran.err


# --- the service says no --------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_an_endpoint_where_nobody_listens(shell: Shell, reads: Path) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    ran = shell.upload("x", reads, "--json", "--endpoint-url", url, "--give-up-after", "500ms")
    check(ran, 2, "usage", url, "--endpoint-url")
    assert ran.last["retries"] >= 1


def test_a_certificate_that_nobody_vouches_for(shell: Shell, reads: Path) -> None:
    ran = shell.upload("x", reads, "--json", env={"AWS_CA_BUNDLE": None})
    check(ran, 2, "usage", "--ca-bundle")
    insecure = "--insecure-accept-any-certificate"
    ran = shell.upload("insecure", reads, insecure, "--quiet", env={"AWS_CA_BUNDLE": None})
    assert ran.code == 0, ran.err


def test_no_region(shell: Shell, reads: Path) -> None:
    env = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None, "AWS_ENDPOINT_URL_OMICS": None}
    check(shell.upload("x", reads, "--json", env=env), 2, "usage", "Region", "--region")


def test_another_region_than_the_services(shell: Shell, reads: Path) -> None:
    check(shell.upload("x", reads, "--json", "--region", "eu-west-1"), 4, "refused")
    assert shell.creates == 0


def test_an_unknown_store(shell: Shell, reads: Path) -> None:
    ran = shell.upload("x", reads, "--json", "--store", "9999999999")
    check(ran, 4, "refused", "store 9999999999", "not found")
    assert ran.last["error"]["code"] == "ResourceNotFoundException"
    assert shell.creates == 0


def test_no_credentials(shell: Shell, reads: Path) -> None:
    env = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    ran = shell.upload("x", reads, "--json", env=env)
    check(ran, 4, "refused", "credentials", "AWS_PROFILE")
    assert shell.emulator.stats()["requests"] == 0


@pytest.mark.parametrize("verbosity", [[], ["-vv"]])
def test_credentials_whose_file_is_missing(
    shell: Shell, reads: Path, tmp_path: Path, verbosity: list[str]
) -> None:
    env = {
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/uploader",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "missing"),
    }
    ran = shell.upload("x", reads, "--json", *verbosity, env=env)
    assert (ran.code, ran.last["outcome"]) == (4, "refused")
    assert "Traceback" not in ran.err
    assert str(tmp_path / "missing") in ran.err
    assert shell.emulator.stats()["requests"] == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_password_in_an_endpoint_is_shown_nowhere(shell: Shell, reads: Path, told: bool) -> None:
    endpoint = "https://bob:hunter2@127.0.0.1:9"
    arguments = ["--endpoint-url", endpoint] if told else []
    ran = shell.upload(
        "x", reads, "--json", "-vv", *arguments, env={"AWS_ENDPOINT_URL_OMICS": endpoint}
    )
    assert ran.code == 2
    assert "hunter2" not in ran.err + ran.out


def test_wrong_credentials(shell: Shell, reads: Path) -> None:
    ran = shell.upload("x", reads, "--json", env={"AWS_SECRET_ACCESS_KEY": "another"})
    check(ran, 4, "refused")
    assert shell.creates == 0


def test_expired_credentials(shell: Shell, reads: Path) -> None:
    message = "The security token included in the request is expired"
    action = {"type": "error", "code": "ExpiredTokenException", "status": 403, "message": message}
    shell.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "after": 2, "times": None, "action": action}]
    )
    ran = shell.upload("expired", reads, *SIX_PARTS, "--json")
    check(ran, 4, "refused", "renew", "to go on, run the same command again:")
    assert ran.last["upload_id"]
    shell.emulator.clear_faults()
    ran = shell.upload("expired", reads, *SIX_PARTS, "--json")
    assert (ran.code, ran.last["parts_reused"]) == (0, 2)


# --- endings under way ----------------------------------------------------------------------


def test_bytes_that_keep_arriving_damaged(shell: Shell, reads: Path) -> None:
    shell.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "partNumber": 2, "times": None,
          "action": {"type": "corrupt"}}]
    )  # fmt: skip
    check(shell.upload("damaged", reads, *SIX_PARTS, "--json"), 6, "integrity")
    assert shell.count("CompleteMultipartReadSetUpload") == 0


def test_a_file_that_the_service_turns_down(shell: Shell, reads: Path) -> None:
    os.truncate(reads, reads.stat().st_size - 1000)
    ran = shell.upload("truncated", reads, "--json", "--no-preflight")
    check(ran, 7, "failed", "turned down", "--force")
    assert ran.last["read_set_id"]


def run_broken(shell: Shell, reads: Path, *more: str) -> Ran:
    """Runs the command with a bug in it."""
    code = (
        "import turboupload.cli.commands.upload as upload\n"
        "async def carry_out(*_):\n"
        "    raise ZeroDivisionError('a bug')\n"
        "upload._carry_out = carry_out\n"
        "from turboupload.cli.main import main\n"
        "main()\n"
    )
    about = ["--name", "x", "--sample", "s", "--subject", "s"]
    done = subprocess.run(
        [sys.executable, "-c", code, "upload", str(reads), *about, "--json", *more],
        env=shell.env, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_bug_is_called_one(shell: Shell, reads: Path) -> None:
    ran = run_broken(shell, reads)
    check(ran, 1, "error", "unexpected ZeroDivisionError: a bug", "this is a bug")
    assert "Traceback" in run_broken(shell, reads, "-vv").err
