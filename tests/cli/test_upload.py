"""What `turboupload upload` says and leaves behind when all goes well."""

from __future__ import annotations

import os
import pty
import re
from datetime import UTC, datetime
from pathlib import Path

from tests.cli.conftest import SECRET, SIX_PARTS, Shell
from tests.support.emulator import RunningEmulator
from tests.support.samples import fastq

FIELDS = {
    "event", "time", "outcome", "read_set_id", "upload_id", "total_bytes", "bytes_sent", "parts",
    "parts_reused", "retries", "seconds", "verified", "etag", "error",
}  # fmt: skip

COLOUR = re.compile(r"\x1b\[[0-9;]*[39][0-7]")


def test_a_person_reads_the_result_on_stdout_and_progress_on_stderr(
    shell: Shell, reads: Path
) -> None:
    ran = shell.upload("person", reads)
    assert ran.code == 0, ran.err
    assert re.match(r"read set \d{10,} is ACTIVE\n", ran.out)
    for word in ("sent", "verified", "SHA-256", "etag", "FASTQ_MD5up", "560"):
        assert word in ran.out
    assert "in 1 part of" in ran.err
    assert "is ACTIVE" in ran.err


def test_json_is_one_object_a_line_and_the_last_one_tells_all(shell: Shell, reads: Path) -> None:
    ran = shell.upload("json", reads, *SIX_PARTS, "--json")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    for event in ran.events:
        assert {"event", "time"} <= set(event)
        assert abs(datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds() < 300
        assert event["time"].endswith("Z")
    names = [event["event"] for event in ran.events]
    assert names[0] == "upload.started"
    assert names[-1] == "upload.finished"
    assert names.count("upload.finished") == 1
    assert {"upload.planned", "upload.progress", "part.sent", "read_set.status"} <= set(names)
    last = ran.last
    assert set(last) >= FIELDS
    assert last["outcome"] == "active"
    assert last["total_bytes"] == last["bytes_sent"] == reads.stat().st_size
    assert (last["parts"], last["parts_reused"], last["retries"]) == (6, 0, 0)
    assert last["verified"] == "sha256"
    assert last["etag"]["algorithm"] == "FASTQ_MD5up"
    assert last["error"] is None


def test_quiet_prints_the_id_alone(shell: Shell, reads: Path) -> None:
    ran = shell.upload("quiet", reads, "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"\d{10,}\n", ran.out)


def test_a_store_may_be_named_by_its_arn(shell: Shell, reads: Path) -> None:
    arn = f"arn:aws:omics:us-east-1:000000000000:sequenceStore/{shell.emulator.store_id}"
    ran = shell.upload("arn", reads, "--store", arn, "--no-wait")
    assert ran.code == 0, ran.err


def test_quiet_json_is_the_last_line_alone(shell: Shell, reads: Path) -> None:
    ran = shell.upload("quiet-json", reads, "--quiet", "--json")
    assert [event["event"] for event in ran.events] == ["upload.finished"]


def test_every_option_can_be_a_variable(shell: Shell, reads: Path) -> None:
    env = {
        "TURBOUPLOAD_NAME": "from the environment",
        "TURBOUPLOAD_SAMPLE": "HG002",
        "TURBOUPLOAD_SUBJECT": "NA24385",
        "TURBOUPLOAD_TYPE": "fastq",
        "TURBOUPLOAD_TAG": "lab=north wing\nrun=7",
        "TURBOUPLOAD_PART_SIZE": "10000",
        "TURBOUPLOAD_QUOTA": "UploadReadSetPart=40, ListReadSets=9 GetReadSetMetadata=8.5",
        "TURBOUPLOAD_CHECKSUM": "xxh3",
        "TURBOUPLOAD_JSON": "true",
        "TURBOUPLOAD_WAIT": "no",
        "TURBOUPLOAD_ENDPOINT_URL": shell.emulator.endpoint_url,
        "AWS_ENDPOINT_URL_OMICS": None,
        "TURBOUPLOAD_CA_BUNDLE": shell.emulator.ca_bundle,
        "AWS_CA_BUNDLE": None,
    }
    ran = shell.run("upload", reads, env=env)
    assert ran.code == 0, ran.err
    assert ran.last["outcome"] in ("processing", "active")
    assert (ran.last["parts"], ran.last["verified"]) == (6, "none")


def test_a_pair_and_its_etags(shell: Shell, tmp_path: Path) -> None:
    pair = [fastq(tmp_path / f"x_R{mate}.fastq.gz", mate=mate).path for mate in (1, 2)]
    ran = shell.upload("pair", *pair, "--json")
    assert ran.code == 0, ran.err
    assert set(ran.last["etag"]) == {"algorithm", "source1", "source2"}


def test_the_same_command_again_sends_nothing_and_force_sends_anew(
    shell: Shell, reads: Path
) -> None:
    first = shell.upload("again", reads, "--json").last
    again = shell.upload("again", reads, "--json").last
    assert again["read_set_id"] == first["read_set_id"]
    assert again["bytes_sent"] == 0
    assert shell.creates == 1
    told = shell.upload("again", reads)
    assert told.code == 0
    assert "it was there already" in told.out
    forced = shell.upload("again", reads, "--json", "--force").last
    assert forced["read_set_id"] != first["read_set_id"]


def test_a_dry_run_changes_nothing(shell: Shell, reads: Path) -> None:
    ran = shell.upload("dry", reads, *SIX_PARTS, "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("would send ")
    assert "6 parts" in ran.out
    last = shell.upload("dry", reads, *SIX_PARTS, "--dry-run", "--json").last
    assert set(last) >= FIELDS
    assert (last["outcome"], last["verdict"]) == ("rehearsed", "create")
    assert last["bytes_to_send"] == reads.stat().st_size
    assert shell.creates == 0

    shell.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "after": 4, "times": None,
          "action": {"type": "error", "code": "AccessDeniedException"}}]
    )  # fmt: skip
    assert shell.upload("dry", reads, *SIX_PARTS).code == 4
    shell.emulator.clear_faults()
    last = shell.upload("dry", reads, *SIX_PARTS, "--dry-run", "--json").last
    assert (last["verdict"], last["parts_there"]) == ("resume", 4)
    assert last["bytes_to_send"] == reads.stat().st_size - 40_000
    assert "would go on with upload" in shell.upload("dry", reads, *SIX_PARTS, "--dry-run").out

    assert shell.upload("dry", reads, *SIX_PARTS).code == 0
    last = shell.upload("dry", reads, *SIX_PARTS, "--dry-run", "--json").last
    assert (last["verdict"], last["bytes_to_send"]) == ("exists", 0)
    assert shell.creates == 1


def test_no_wait_ends_while_the_service_is_at_work_and_a_wait_has_its_limit(
    shell: Shell, reads: Path
) -> None:
    with RunningEmulator("--ingest-delay", "600", "--quotas", "off", tls=True) as slow:
        env = {**slow.env(), "TURBOUPLOAD_STORE": slow.store_id}
        ran = shell.upload("slow", reads, "--no-wait", "--json", env=env)
        assert (ran.code, ran.last["outcome"]) == (0, "processing")
        assert ran.last["etag"] is None
        ran = shell.upload("slow", reads, "--wait-timeout", "1s", "--json", env=env)
        assert (ran.code, ran.last["outcome"]) == (5, "stopped")
        assert ran.last["read_set_id"]
        assert ran.last["bytes_sent"] == 0
        assert "to go on, run the same command again:" in ran.err


def test_logs_go_to_stderr_and_hold_no_secret(shell: Shell, reads: Path) -> None:
    ran = shell.upload("verbose", reads, "-v", "--json")
    assert "event='upload.planned'" in ran.err
    assert "call.ended" not in ran.err
    assert [event["event"] for event in ran.events][-1] == "upload.finished"
    ran = shell.upload("very verbose", reads, "-vv")
    assert "event='call.ended'" in ran.err
    assert "upload of" not in ran.err
    for text in (ran.err, ran.out):
        assert SECRET not in text
        assert "AWS4-HMAC" not in text
        assert "botocore" not in text


def run_on_a_terminal(shell: Shell, *arguments: str | Path, **env: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    running = shell.start(*arguments, env={"TERM": "xterm", **env}, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # what Linux says at the end of a terminal
            break
        if not data:
            break
        seen += data
    os.close(ours)
    return running.finish().code, seen.decode()


def test_a_terminal_shows_a_bar_that_knows_what_was_there(shell: Shell, reads: Path) -> None:
    shell.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "after": 4, "times": None,
          "action": {"type": "error", "code": "AccessDeniedException"}}]
    )  # fmt: skip
    about = ("--name", "bar", "--sample", "s", "--subject", "s", *SIX_PARTS)
    assert shell.run("upload", reads, *about).code == 4
    shell.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "action": {"type": "delay", "seconds": 1}}]
    )
    code, seen = run_on_a_terminal(shell, "upload", reads, *about, COLUMNS="120")
    assert code == 0
    assert "resuming upload" in seen
    assert "4 of 6 parts are there" in seen
    shares = [int(share) for share in re.findall(r"(\d+) %", seen)]
    assert shares
    assert min(shares) >= 70  # it begins where the last run ended
    assert max(shares) <= 100
    assert "/6 parts" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")  # the cursor is back
    assert COLOUR.search(seen)


def test_no_color_is_respected_and_a_dumb_terminal_gets_plain_lines(
    shell: Shell, reads: Path
) -> None:
    about = ("--name", "plain", "--sample", "s", "--subject", "s")
    code, seen = run_on_a_terminal(shell, "upload", reads, *about, NO_COLOR="1")
    assert code == 0
    assert not COLOUR.search(seen)
    code, seen = run_on_a_terminal(shell, "upload", reads, *about, "--force", TERM="dumb")
    assert code == 0
    assert "\x1b" not in seen
