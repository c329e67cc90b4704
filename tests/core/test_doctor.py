"""What the doctor makes of facts: levels, advice, blame, and the rate to expect."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from turboupload.config import Checksum
from turboupload.core.doctor.facts import (
    Asked,
    Caller,
    Credentials,
    FileLook,
    FolderLook,
    HostLook,
    Machine,
    ServiceLook,
    Speeds,
    masked,
)
from turboupload.core.doctor.forecast import bounds, forecast
from turboupload.core.doctor.line import Line, blamed, failure_of
from turboupload.core.doctor.machine import (
    judge_file,
    judge_folder,
    judge_machine,
    judge_quotas,
    judge_speeds,
    judge_variables,
)
from turboupload.core.doctor.service import judge_service, reached
from turboupload.core.records import SequenceStoreDetails
from turboupload.errors import (
    CallFailed,
    ConfigError,
    InputError,
    LinkFailed,
    ServiceRefused,
    Stopped,
    TurbouploadError,
)
from turboupload.units import GIB, MIB

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = Credentials(provider="the environment", key_id="AKIA...MPLE")
HOST = HostLook(role="storage", host="storage-omics.eu-west-1.amazonaws.com", port=443)
STORE = SequenceStoreDetails(store_id="1234567890", name="lab", status="ACTIVE")
LOOK = ServiceLook(
    place="eu-west-1",
    endpoint=None,
    credentials=KEY,
    caller=Caller(arn="arn:aws:iam::111122223333:user/lab", account="111122223333"),
    hosts=(replace(HOST, resolve_s=0.01, connect_s=0.02, tls_s=0.04, tls="TLSv1.3, X"),),
    skew_s=0.4,
    asked=(Asked(operation="ListReadSets"),),
    store=STORE,
)
SPEEDS = Speeds(sha256=1.7 * GIB, xxh3=20 * GIB, tls=1.4 * GIB)


def judged(look: ServiceLook, topic: str) -> list[Line]:
    return [line for line in judge_service(look, NOW) if line.topic == topic]


def only(look: ServiceLook, topic: str) -> Line:
    (line,) = judged(look, topic)
    return line


def refused(code: str, status: int = 403, operation: str = "ListReadSets") -> CallFailed:
    return CallFailed(operation, code=code, status=status, message="no")


# --- lines --------------------------------------------------------------------------------------


def test_a_failure_has_something_to_blame_and_nothing_else_has() -> None:
    with pytest.raises(ValueError, match="blame"):
        Line(topic="x", level="failure", text="x")
    with pytest.raises(ValueError, match="blame"):
        Line(topic="x", level="ok", text="x", blame="files")


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (ConfigError("x"), "settings"),
        (InputError("x"), "files"),
        (ServiceRefused("x"), "service"),
        (Stopped("x"), "service"),
    ],
)
def test_what_an_error_is_blamed_on(error: TurbouploadError, blame: str) -> None:
    assert failure_of("x", error).blame == blame


def test_settings_are_mended_first() -> None:
    made = {
        "files": failure_of("x", InputError("x")),
        "service": failure_of("x", ServiceRefused("x")),
        "settings": failure_of("x", ConfigError("x")),
    }
    assert blamed([]) is None
    assert blamed([Line(topic="x", level="warning", text="x")]) is None
    assert blamed([made["files"], made["service"]]) == "service"
    assert blamed(made.values()) == "settings"


# --- this machine -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key_id", "shown"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "AKIA...MPLE"),
        ("local", "lo..."),
        ("", "..."),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJal...EKEY"),
    ],
)
def test_an_access_key_is_masked(key_id: str, shown: str) -> None:
    assert masked(key_id) == shown


@pytest.mark.parametrize(
    ("packages", "level", "advice"),
    [
        ({"botocore": "1", "uvloop": "1", "awscrt": None}, "ok", None),
        ({"botocore": "1", "uvloop": None}, "warning", "pip install uvloop"),
    ],
)
def test_packages(packages: dict[str, str | None], level: str, advice: str | None) -> None:
    machine = Machine(
        version="1", python="3", openssl="O", packages=packages, processors=2,
        sha_instructions=None,
    )  # fmt: skip
    _, line, processor = judge_machine(machine)
    assert line.level == level
    assert advice is None or (line.advice and advice in line.advice)
    assert "not known" in processor.text


def test_variables_that_nobody_reads() -> None:
    known = ["TURBOUPLOAD_STORE", "TURBOUPLOAD_REGION"]
    lines = list(judge_variables(["TURBOUPLOAD_STOER", "TURBOUPLOAD_REGION", "X"], known))
    assert [(each.level, each.advice) for each in lines] == [
        ("warning", "did you mean TURBOUPLOAD_STORE?"),
        ("warning", "unset X"),
    ]


def test_quotas_say_what_was_configured() -> None:
    assert "defaults" in judge_quotas({}).text
    line = judge_quotas({"UploadReadSetPart": 20})
    assert line.text == "20 parts a second; configured: UploadReadSetPart=20"
    assert line.facts["ListReadSets"] == 5


@pytest.mark.parametrize(
    ("free", "exists", "level", "words"),
    [
        (GIB, True, "ok", "can be written and locked, a journal of 1.00 MiB"),
        (GIB, False, "ok", "will be made"),
        (MIB, True, "warning", "free"),
    ],
)
def test_the_state_folder(free: int, exists: bool, level: str, words: str) -> None:
    line = judge_folder(FolderLook(path="/x", exists=exists, free_bytes=free, journal_bytes=MIB))
    assert line.level == level
    assert words.replace("1.00", "1") in line.text.replace("1.00", "1")
    assert (line.advice is None) == (level == "ok")


@pytest.mark.parametrize(
    ("look", "level", "blame"),
    [
        (FileLook(path="/x", file_type="FASTQ", bytes_per_s=1e8), "ok", None),
        (FileLook(path="/x", error=InputError("BAM or uBAM"), undecided=True), "warning", None),
        (FileLook(path="/x", error=InputError("no such file")), "failure", "files"),
        (FileLook(path="/x", error=Stopped("too many files open")), "failure", "service"),
        (FileLook(path="/x", problem="slow"), "failure", "files"),
    ],
)
def test_files(look: FileLook, level: str, blame: str | None) -> None:
    line = judge_file(look)
    assert (line.level, line.blame) == (level, blame)


def test_speeds_that_can_not_be_measured_are_unknown() -> None:
    assert judge_speeds(SPEEDS).level == "ok"
    assert judge_speeds(replace(SPEEDS, tls=None)).level == "unknown"
    assert judge_speeds(Speeds()).text.startswith("nothing")


# --- credentials, hosts, clock ------------------------------------------------------------------


def test_all_is_well() -> None:
    assert {line.level for line in judge_service(LOOK, NOW)} == {"ok", "unknown"}
    assert reached(LOOK)


@pytest.mark.parametrize(
    ("left", "level"), [(None, "ok"), (7200, "ok"), (600, "warning"), (-5, "warning")]
)
def test_until_when_credentials_are_good(left: int | None, level: str) -> None:
    until = None if left is None else NOW + timedelta(seconds=left)
    line = only(replace(LOOK, credentials=replace(KEY, expires_at=until)), "credentials")
    assert line.level == level
    assert ("past" in line.text) == (left == -5)


def test_without_credentials_nothing_is_asked_or_guessed() -> None:
    look = replace(LOOK, credentials=None, asked=(), store=None, skew_s=None)
    assert only(look, "credentials").blame == "settings"
    assert only(look, "permission").level == "unknown"
    assert not judged(look, "clock")
    failed = replace(look, credentials_error=ServiceRefused("expired", hint="sign in again"))
    assert only(failed, "credentials").blame == "service"


@pytest.mark.parametrize("failed", ["dns", "connect", "proxy", "tls", "lost"])
def test_a_host_that_can_not_be_reached(failed: str) -> None:
    line = only(replace(LOOK, hosts=(replace(HOST, failed=failed, message="no"),)), "network")
    assert (line.level, line.blame) == ("failure", "service")
    assert line.advice


@pytest.mark.parametrize(
    ("endpoint", "host", "level"),
    [
        ("http://10.0.0.1", replace(HOST, host="10.0.0.1"), "warning"),
        ("http://127.0.0.1", replace(HOST, host="127.0.0.1"), "ok"),
        (None, replace(HOST, tls="TLSv1.3", resolve_s=3.0), "warning"),
        (None, replace(HOST, tls="TLSv1.3", resolve_s=0.1), "ok"),
    ],
)
def test_a_host_that_can_be_reached(endpoint: str | None, host: HostLook, level: str) -> None:
    assert only(replace(LOOK, endpoint=endpoint, hosts=(host,)), "network").level == level


@pytest.mark.parametrize(
    ("skew", "level", "way"),
    [
        (None, "unknown", ""),
        (59.0, "ok", ""),
        (-61.0, "warning", "behind"),
        (299.0, "warning", "ahead of"),
        (301.0, "failure", "ahead of"),
        (-4000.0, "failure", "behind"),
    ],
)
def test_the_clock(skew: float | None, level: str, way: str) -> None:
    line = only(replace(LOOK, skew_s=skew), "clock")
    assert line.level == level
    assert way in line.text


# --- permissions and the store ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "code", "status", "level"),
    [
        ("ListReadSets", "AccessDeniedException", 403, "failure"),
        ("ListReadSetUploadParts", "AccessDeniedException", 403, "failure"),
        ("GetSequenceStore", "AccessDeniedException", 403, "ok"),
        ("ListReadSetImportJobs", "AccessDeniedException", 403, "ok"),
        ("ListReadSets", "ThrottlingException", 429, "warning"),
        ("ListReadSets", "ResourceNotFoundException", 404, "unknown"),
        ("ListReadSets", "ServiceQuotaExceededException", 402, "failure"),
    ],
)
def test_what_a_refusal_says(operation: str, code: str, status: int, level: str) -> None:
    asked = Asked(operation=operation, failure=refused(code, status, operation))
    others = (Asked(operation="ListSequenceStores"), asked)
    told = judged(replace(LOOK, asked=others), "permission")
    (line,) = [each for each in told if f"omics:{operation}:" in each.text]
    assert line.level == level
    assert line.advice or level in ("ok", "unknown")


@pytest.mark.parametrize(
    ("listed", "level"), [(None, "ok"), ("ResourceNotFoundException", "unknown")]
)
def test_a_made_up_id_that_is_not_found(listed: str | None, level: str) -> None:
    """It says something where the store is there, also where GetSequenceStore is refused."""
    asked = (
        Asked(operation="ListReadSets", failure=refused(listed, 404) if listed else None),
        Asked(operation="GetSequenceStore", failure=refused("AccessDeniedException")),
        Asked(
            operation="GetReadSetMetadata",
            made_up=True,
            failure=refused("ResourceNotFoundException", 404),
        ),
    )
    told = judged(replace(LOOK, asked=asked, store=None), "permission")
    assert [line.level for line in told if "GetReadSetMetadata" in line.text] == [level]


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "ExpiredTokenException"])
def test_a_refusal_of_who_asks_is_told_once(code: str) -> None:
    asked = tuple(
        Asked(operation=name, failure=refused(code)) for name in ("ListReadSets", "GetReadSet")
    )
    look = replace(LOOK, asked=asked, store=None)
    assert [line.level for line in judged(look, "credentials")] == ["ok", "failure"]
    assert only(look, "permission").level == "unknown"
    assert not reached(look)


@pytest.mark.parametrize("host", [HOST, replace(HOST, failed="connect")])
def test_a_service_that_does_not_answer_is_told_once(host: HostLook) -> None:
    failure = LinkFailed("ListReadSets", fault="stalled", message="no answer within 2 s")
    asked = (Asked(operation="ListReadSets", failure=failure),)
    look = replace(LOOK, asked=asked, hosts=(host,), store=None)
    failures = [line.topic for line in judge_service(look, NOW) if line.level == "failure"]
    assert failures == ["network" if host.failed else "service"]
    assert only(look, "permission").level == "unknown"


@pytest.mark.parametrize(
    ("status", "level"),
    [("ACTIVE", "ok"), ("UPDATING", "ok"), ("DELETING", "failure"), (None, "ok")],
)
def test_the_stores_state(status: str | None, level: str) -> None:
    assert only(replace(LOOK, store=replace(STORE, status=status)), "store").level == level


# --- the rate to expect ---------------------------------------------------------------------------


def test_what_bounds_the_rate() -> None:
    found = bounds(
        parts_per_s=10, checksum="sha256", speeds=SPEEDS, processors=2,
        read_bytes_per_s=[3e8, 2e8], link_bytes_per_s=1e8, cap_bytes_per_s=5e7,
    )  # fmt: skip
    assert [each.by for each in found] == ["cap", "network", "disk", "quota", "processor"]
    assert found[2].bytes_per_s == 2e8
    assert found[3].bytes_per_s == 1000 * MIB
    # 2 processors, each 1/1.7 + 1/20 + 1/1.4 + 0.55 seconds a GiB.
    assert found[4].bytes_per_s == pytest.approx(2 * GIB / 1.9025, rel=1e-3)


def test_without_the_comparison_processors_do_more() -> None:
    def rate(checksum: Checksum) -> float:
        found = bounds(
            parts_per_s=1e6,
            checksum=checksum,
            speeds=SPEEDS,
            processors=1,
        )
        return next(each.bytes_per_s for each in found if each.by == "processor")

    assert rate("xxh3") > 1.3 * rate("sha256")


def test_what_was_not_measured_bounds_nothing() -> None:
    found = bounds(parts_per_s=10, checksum="sha256", speeds=Speeds(tls=1.0), processors=1)
    assert [each.by for each in found] == ["quota"]


def test_a_way_that_is_not_measured_is_not_guessed() -> None:
    found = bounds(parts_per_s=10, checksum="sha256", speeds=SPEEDS, processors=8)
    line = forecast(found, reachable=True)
    assert line.level == "unknown"
    assert "not measured" in line.text
    known = bounds(
        parts_per_s=10, checksum="sha256", speeds=SPEEDS, processors=8, link_bytes_per_s=1e8
    )
    line = forecast(known, reachable=True)
    assert (line.level, line.facts["limited_by"]) == ("ok", "network")
    assert forecast(known, reachable=False).text == "nothing can be sent now"
