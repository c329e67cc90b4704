"""`turboupload doctor`: each thing that may be wrong, its advice and its exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SECRET, Shell
from tests.cli.ran import Ran
from tests.support.botocore_client import omics_client
from tests.support.https_sink import Peer, Sink, answering, black_hole, reply, tunnelling

Within = Callable[..., Ran]
Env = dict[str, str]

KEY_ID = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def doctor(shell: Shell, within: Within) -> Callable[..., Ran]:
    """Runs it in this process, in an environment with these changes; None unsets."""

    def run(*arguments: str | Path, **env: str | None) -> Ran:
        for name, value in env.items():
            if value is None:
                shell.env.pop(name, None)
            else:
                shell.env[name] = value
        ran = within("doctor", "--json", *arguments)
        assert SECRET not in ran.out + ran.err
        assert "Traceback" not in ran.err
        return ran

    return run


def lines(ran: Ran, topic: str, level: str | None = None) -> list[dict[str, Any]]:
    return [
        event
        for event in ran.events[:-1]
        if event["topic"] == topic and level in (None, event["level"])
    ]


def check(ran: Ran, code: int, topic: str, *words: str, level: str = "failure") -> dict[str, Any]:
    """The exit code, and a line of this topic whose text and advice have these words."""
    assert ran.code == code, ran.out
    for line in lines(ran, topic, level):
        if all(word in f"{line['text']} {line['advice']}" for word in words):
            if level == "failure":
                assert line["advice"], line
            return line
    pytest.fail(f"no {level} of {topic} with {words}: {ran.out}")


# --- all is well ------------------------------------------------------------------------------


def test_all_is_well_and_nothing_is_changed(shell: Shell, reads: Path) -> None:
    ran = shell.run("doctor", "--json", reads)
    assert (ran.code, ran.err) == (0, "")
    last = ran.last
    assert (last["event"], last["outcome"], last["error"]) == ("doctor.finished", "ok", None)
    assert (last["failures"], last["warnings"]) == (0, 0)
    assert [line["event"] for line in ran.events[:-1]] == ["doctor.line"] * (len(ran.events) - 1)
    topics = dict.fromkeys(line["topic"] for line in ran.events[:-1])
    assert list(topics) == [
        "version", "packages", "processor", "setting", "state", "service", "credentials",
        "caller", "network", "clock", "permission", "store", "quotas", "file", "speed", "rate",
    ]  # fmt: skip
    allowed = {line["facts"]["operation"] for line in lines(ran, "permission", "ok")}
    assert allowed == {
        "ListReadSets", "ListMultipartReadSetUploads", "ListReadSetUploadParts",
        "GetReadSetMetadata", "GetSequenceStore", "ListSequenceStores", "ListReadSetImportJobs",
    }  # fmt: skip
    (unknown,) = lines(ran, "permission", "unknown")
    assert "omics:UploadReadSetPart" in unknown["text"]
    assert lines(ran, "store")[0]["facts"]["status"] == "ACTIVE"
    assert lines(ran, "file")[0]["facts"]["file_type"] == "FASTQ"
    assert lines(ran, "network")[0]["facts"]["tls"].startswith("TLSv1.3")
    asked = set(shell.emulator.stats()["operations"])
    assert all(name.startswith(("List", "Get")) for name in asked), asked
    assert not (shell.folder / "state").exists()


def test_a_person_reads_words(within: Within, shell: Shell) -> None:
    ran = within("doctor")
    assert ran.code == 0
    assert re.search(r"^ok       state        .* will be made, .* free$", ran.out, re.MULTILINE)
    assert re.search(r"^ok: nothing failed, 0 warnings, \d unknown \(.*\)$", ran.out, re.MULTILINE)
    quiet = within("doctor", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_without_a_store_what_takes_one_is_left_out(doctor: Callable[..., Ran]) -> None:
    ran = doctor(TURBOUPLOAD_STORE=None)
    assert ran.code == 0
    assert [each["facts"]["operation"] for each in lines(ran, "permission", "ok")] == [
        "ListSequenceStores"
    ]
    check(ran, 0, "store", "none was named", "--store", level="unknown")


def test_a_store_by_its_name(doctor: Callable[..., Ran], shell: Shell) -> None:
    ran = doctor("--store", "local")
    assert ran.code == 0
    assert lines(ran, "store")[0]["facts"]["store_id"] == shell.emulator.store_id
    check(doctor("--store", "locale"), 2, "store", "is called 'locale'", "stores list")


@pytest.mark.parametrize("filters", ["prefix", "ignored"])
def test_a_store_by_its_name_whatever_stores_its_filter_brings(
    doctor: Callable[..., Ran], shell: Shell, filters: str
) -> None:
    client = omics_client(shell.emulator, secret_key=SECRET)
    name = f"clinical {filters}"
    ids = [client.create_sequence_store(name=each)["id"] for each in (f"{name} 2", name)]
    client.close()
    shell.emulator.set_world(filters=filters, page_size=1)
    try:
        ran = doctor("--store", name)
    finally:
        shell.emulator.reset_world()
    assert lines(ran, "store")[0]["facts"]["store_id"] == ids[1]


# --- settings ---------------------------------------------------------------------------------


def test_where_each_setting_came_from(
    doctor: Callable[..., Ran], shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "[profile lab]\nregion = us-east-1\nservices = here\n"
        f"[services here]\nomics =\n  endpoint_url = {shell.emulator.endpoint_url}\n"
    )
    ran = doctor(
        "--quota", "UploadReadSetPart=20", "--profile", "lab",
        AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_REGION=None, AWS_DEFAULT_REGION=None,
        AWS_ENDPOINT_URL_OMICS=None, TURBOUPLOAD_CONCURRENCY="8", TURBOUPLOAD_STALL_TIMEOUT="2m",
        TURBOUPLOAD_TRACEBACK="1",
    )  # fmt: skip
    assert ran.code == 2, "the profile has no credentials"
    origins = {
        line["facts"]["name"]: (line["facts"]["value"], line["facts"]["origin"])
        for line in lines(ran, "setting")
    }
    assert origins["region"] == ("us-east-1", "profile 'lab'")
    assert origins["endpoint-url"] == (shell.emulator.endpoint_url, "profile 'lab'")
    assert origins["profile"] == ("lab", "--profile")
    assert origins["quota"] == ("UploadReadSetPart=20.0", "--quota")
    assert origins["concurrency"] == ("8", "TURBOUPLOAD_CONCURRENCY")
    assert origins["stall-timeout"] == ("120s", "TURBOUPLOAD_STALL_TIMEOUT")
    assert origins["ca-bundle"][1] == "AWS_CA_BUNDLE"
    assert "20 parts a second" in lines(ran, "quotas")[0]["text"]
    assert not lines(ran, "setting", "warning")


@pytest.mark.parametrize(
    ("env", "topic", "words"),
    [
        ({"TURBOUPLOAD_PART_SIZE": "much"}, "service", ["TURBOUPLOAD_PART_SIZE", "unset"]),
        ({"AWS_ENDPOINT_URL_OMICS": "ftp://u:a-password@x"}, "service", ["'x'", "--endpoint-url"]),
        ({"AWS_PROFILE": "nobody"}, "service", ["nobody", "--profile"]),
        ({"TURBOUPLOAD_STATE_DIR": "/proc/x"}, "state", ["/proc/x", "TURBOUPLOAD_STATE_DIR"]),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "credentials", ["PROFILE"]),
    ],
)  # fmt: skip
def test_settings_that_are_wrong(
    doctor: Callable[..., Ran], env: dict[str, str | None], topic: str, words: list[str]
) -> None:
    ran = doctor(**env)
    check(ran, 2, topic, *words)
    assert ran.last["outcome"] == "usage"
    assert ran.last["error"]["hint"]
    assert "a-password" not in ran.out + ran.err


def test_an_arn_of_another_region(doctor: Callable[..., Ran], shell: Shell) -> None:
    arn = f"arn:aws:omics:eu-west-1:000000000000:sequenceStore/{shell.emulator.store_id}"
    check(doctor("--store", arn), 2, "service", "eu-west-1", "--region")


def test_a_variable_that_nobody_reads(doctor: Callable[..., Ran]) -> None:
    ran = doctor(TURBOUPLOAD_PART_SIZ="8MiB", TURBOUPLOAD_EMULATOR_SECRET_KEY=SECRET)
    line = check(ran, 0, "setting", "mean TURBOUPLOAD_PART_SIZE?", level="warning")
    assert line["facts"]["name"] == "TURBOUPLOAD_PART_SIZ"
    assert ran.last["warnings"] == 1


def test_the_state_folder_is_tried_and_left_as_it_was(
    doctor: Callable[..., Ran], tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    ran = doctor(TURBOUPLOAD_STATE_DIR=str(folder))
    assert lines(ran, "state")[0]["facts"]["exists"] is True
    assert list(folder.iterdir()) == []


# --- credentials --------------------------------------------------------------------------------


def test_a_wrong_secret(doctor: Callable[..., Ran]) -> None:
    ran = doctor(AWS_SECRET_ACCESS_KEY="another-secret-key")
    check(ran, 4, "credentials", "InvalidSignatureException", "secret access key")
    assert "another-secret-key" not in ran.out
    (unknown,) = lines(ran, "permission")
    assert unknown["level"] == "unknown"


def test_an_access_key_that_the_service_does_not_know(doctor: Callable[..., Ran]) -> None:
    ran = doctor(AWS_ACCESS_KEY_ID=KEY_ID)
    check(ran, 4, "credentials", "UnrecognizedClientException", "does not know this access key")
    assert KEY_ID not in ran.out
    assert lines(ran, "credentials", "ok")[0]["facts"]["key_id"] == "AKIA...MPLE"


def test_credentials_that_end_soon_and_where_they_are_from(
    doctor: Callable[..., Ran], tmp_path: Path
) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20)
    answer = {
        "Version": 1, "AccessKeyId": "local", "SecretAccessKey": SECRET,
        "SessionToken": "x", "Expiration": until.isoformat(),
    }  # fmt: skip
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    (tmp_path / "config").write_text(
        f"[profile lab]\ncredential_process = cat {tmp_path / 'answer.json'}\n"
    )
    env = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "lab",
        "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None,
    }  # fmt: skip
    line = check(doctor(**env), 0, "credentials", "credential_process", "left", level="warning")
    assert datetime.fromisoformat(line["facts"]["expires_at"]) == until
    (tmp_path / "answer.json").unlink()
    ran = doctor(**env)
    check(ran, 4, "credentials", "credential_process 'cat'", "run that program by hand")
    assert lines(ran, "network", "ok"), "the way is looked at all the same"


def test_a_role_whose_token_service_is_away(doctor: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile lab]\nrole_arn = arn:aws:iam::111122223333:role/lab\nsource_profile = one\n"
        f"[profile one]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    with Sink(lambda peer: peer.hold()) as sink:
        ran = doctor(
            AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_PROFILE="lab", AWS_ACCESS_KEY_ID=None,
            AWS_SECRET_ACCESS_KEY=None, AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{sink.port}",
        )  # fmt: skip
    check(ran, 4, "credentials", "did not come", "token service")
    assert ran.last["seconds"] < 8
    assert KEY_ID not in ran.out


def test_whose_credentials_they_are(doctor: Callable[..., Ran]) -> None:
    who = (
        b"<GetCallerIdentityResponse><GetCallerIdentityResult><UserId>x</UserId>"
        b"<Arn>arn:aws:iam::111122223333:user/lab</Arn><Account>111122223333</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    with Sink(answering(reply(200, who, "Content-Type: text/xml"))) as sink:
        ran = doctor(AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{sink.port}")
    assert ran.code == 0
    (line,) = lines(ran, "caller")
    assert line["facts"] == {
        "arn": "arn:aws:iam::111122223333:user/lab", "account": "111122223333",
    }  # fmt: skip
    refused = reply(403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
    with Sink(answering(refused)) as sink:
        ran = doctor(AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{sink.port}")
    check(ran, 0, "caller", "the token service answered AccessDenied", level="unknown")


# --- the way there ------------------------------------------------------------------------------


@contextmanager
def closed_port() -> Iterator[str]:
    with black_hole() as port:
        pass
    yield f"https://127.0.0.1:{port}"


@contextmanager
def captive_portal() -> Iterator[str]:
    page = reply(200, b"<html>sign in first</html>", "Content-Type: text/html")
    with Sink(answering(page)) as sink:
        yield f"http://127.0.0.1:{sink.port}"


@contextmanager
def no_such_name() -> Iterator[str]:
    yield "https://nothing.invalid"


@pytest.mark.parametrize(
    ("place", "topic", "words"),
    [
        (closed_port, "network", ["Connection refused", "--endpoint-url and its port"]),
        (no_such_name, "network", ["nothing.invalid", "DNS"]),
        (captive_portal, "service", ["sign in first", "HTTPS_PROXY"]),
    ],
)
def test_endpoints_that_are_wrong(
    doctor: Callable[..., Ran], place: Callable[[], Any], topic: str, words: list[str]
) -> None:
    with place() as url:
        ran = doctor("--endpoint-url", url)
    check(ran, 4, topic, *words)
    assert ran.last["outcome"] == "refused"
    assert ran.last["failures"] == 1, "one cause is told once"
    assert lines(ran, "rate")[0]["level"] == "unknown"


def test_a_certificate_that_is_not_trusted(doctor: Callable[..., Ran]) -> None:
    check(doctor(AWS_CA_BUNDLE=None), 4, "network", "certificate", "--ca-bundle")


def test_a_proxy_is_named_without_its_password(doctor: Callable[..., Ran]) -> None:
    with Sink(tunnelling("Basic dTphLXBhc3N3b3Jk")) as proxy:
        ran = doctor(
            HTTPS_PROXY=f"http://u:a-password@127.0.0.1:{proxy.port}", NO_PROXY=None, no_proxy=None
        )
    assert ran.code == 0, ran.out
    assert lines(ran, "network")[0]["facts"]["proxy"] == f"127.0.0.1:{proxy.port}"
    assert "a-password" not in ran.out + ran.err
    (setting,) = [each for each in lines(ran, "setting") if each["facts"]["name"] == "proxy"]
    assert setting["facts"]["origin"] == "HTTPS_PROXY"


def test_where_nothing_answers_it_ends_in_time(doctor: Callable[..., Ran]) -> None:
    with Sink(lambda peer: peer.hold()) as sink:
        silence = f"http://127.0.0.1:{sink.port}"
        ran = doctor("--endpoint-url", silence, AWS_ENDPOINT_URL_STS=silence)
    # Starting the command takes a second more.
    assert ran.last["seconds"] < 8
    check(ran, 4, "service", "no usable answer", "firewalls")
    check(ran, 4, "caller", "no answer", level="unknown")


def test_a_clock_that_is_off(doctor: Callable[..., Ran]) -> None:
    def skewed(peer: Peer) -> None:
        while request := peer.read_head():
            peer.read_body(request)
            date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
            kind = "x-amzn-ErrorType: InvalidSignatureException"
            peer.say(reply(403, b'{"message": "Signature expired"}', kind, f"Date: {date}"))

    with Sink(skewed) as sink:
        ran = doctor("--endpoint-url", f"http://127.0.0.1:{sink.port}")
    line = check(ran, 2, "clock", "ahead of", "NTP")
    assert 3590 < line["facts"]["skew_s"] < 3610
    check(ran, 2, "credentials", "Signature expired", "clock")


# --- permissions and the store ------------------------------------------------------------------


def test_a_permission_that_uploads_need_is_refused(
    doctor: Callable[..., Ran], shell: Shell
) -> None:
    refuse(shell, "ListReadSets")
    ran = doctor()
    check(ran, 4, "permission", "omics:ListReadSets", "lack the permission omics:ListReadSets")
    assert (ran.last["failures"], ran.last["warnings"]) == (1, 0)


def test_the_least_permissions_that_an_upload_needs_are_enough(
    doctor: Callable[..., Ran], shell: Shell
) -> None:
    refuse(shell, "GetSequenceStore", "ListSequenceStores", "ListReadSetImportJobs")
    ran = doctor()
    check(ran, 0, "permission", "ListReadSetImportJobs", "`import` does", level="ok")
    check(ran, 0, "permission", "GetReadSetMetadata: not refused", level="ok")
    assert ran.last["warnings"] == 0
    check(doctor("--store", "local"), 4, "store", "omics:ListSequenceStores")


def refuse(shell: Shell, *operations: str) -> None:
    action = {"type": "error", "code": "AccessDeniedException"}
    rules = [{"operation": name, "times": None, "action": action} for name in operations]
    shell.emulator.set_faults(rules)


def test_a_service_that_is_busy_is_no_failure(doctor: Callable[..., Ran], shell: Shell) -> None:
    action = {"type": "error", "code": "ThrottlingException"}
    shell.emulator.set_faults([{"operation": "ListReadSets", "times": None, "action": action}])
    check(doctor(), 0, "permission", "ListReadSets", "run this command again", level="warning")


def test_a_store_that_is_not_there(doctor: Callable[..., Ran]) -> None:
    ran = doctor("--store", "9999999999")
    check(ran, 4, "store", "store 9999999999 was not found", "Region and the account")


# --- files --------------------------------------------------------------------------------------


def test_files_that_can_not_be_uploaded(
    doctor: Callable[..., Ran], tmp_path: Path, reads: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no reads in here\n")
    ran = doctor(reads, tmp_path / "notes.txt", tmp_path / "missing.bam")
    check(ran, 3, "file", "notes.txt", "gzipped FASTQ")
    check(ran, 3, "file", "missing.bam", "check the path")
    check(ran, 3, "file", str(reads), level="ok")
    assert ran.last["outcome"] == "rejected"
