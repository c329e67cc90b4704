"""What a program gives, text or numbers, is checked when it is made; errors can be branched on."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

import turboupload
from turboupload import errors
from turboupload.files.producers import producer_of

STORE = "1234567890"
ROLE = "arn:aws:iam::111122223333:role/omics-import"
HERE = turboupload.UploadConfig(region="us-east-1", session=lambda: ("a", "b"))


def test_sizes_rates_and_durations_may_be_text() -> None:
    config = turboupload.UploadConfig(
        part_size_bytes="8MiB",
        chunk_bytes="256k",
        max_bandwidth="200MiB/s",
        wait_timeout_s="10min",
        poll_interval_s=timedelta(seconds=5),
        stall_timeout_s=90,
        listing_lag_s=0,
    )
    assert (config.part_size_bytes, config.chunk_bytes) == (8 << 20, 256 << 10)
    assert config.max_bandwidth == 200 << 20
    assert (config.wait_timeout_s, config.poll_interval_s) == (600.0, 5.0)
    assert (config.stall_timeout_s, config.listing_lag_s) == (90.0, 0.0)
    assert turboupload.UploadConfig(max_bandwidth=25e6) == turboupload.UploadConfig(  # type: ignore[arg-type]
        max_bandwidth=25_000_000
    )


def test_a_configuration_goes_into_another_process() -> None:
    config = turboupload.UploadConfig(
        part_size_bytes="8MiB", transactions_per_s={"UploadReadSetPart": 20}
    )
    there = pickle.loads(pickle.dumps(config))  # noqa: S301 # our own
    assert there == config
    assert dataclasses.replace(there, wait=False).part_size_bytes == 8 << 20
    with pytest.raises(dataclasses.FrozenInstanceError):
        there.wait = False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"part_size_bytes": "8 parsecs"}, "part_size_bytes: '8 parsecs' is not a size"),
        ({"part_size_bytes": 8.5}, "part_size_bytes is a whole number of bytes"),
        ({"part_size_bytes": 0}, "part_size_bytes must be more than zero"),
        ({"part_size_bytes": "200MiB"}, "part_size_bytes is at most 100 MiB, not 200MiB"),
        ({"part_size_bytes": 104_857_601}, "part_size_bytes is at most 100 MiB, not 104857601"),
        ({"chunk_bytes": None}, "chunk_bytes is a whole number of bytes"),
        ({"concurrency": "8"}, "concurrency is a whole number, not '8'"),
        ({"concurrency": True}, "concurrency is a whole number, not True"),
        ({"concurrency": 1001}, "concurrency is at most 1000, not 1001"),
        ({"max_bandwidth": b"1"}, "max_bandwidth is a whole number of bytes a second"),
        ({"wait_timeout_s": "10"}, "wait_timeout_s: '10' has no unit"),
        ({"wait_timeout_s": float("nan")}, "wait_timeout_s is a number of seconds"),
        ({"stall_timeout_s": [1]}, "stall_timeout_s is a number of seconds"),
        ({"give_up_after_s": -1}, "give_up_after_s must be more than zero"),
        ({"listing_lag_s": -1}, "listing_lag_s can't be less than zero"),
        ({"wait": "no"}, "wait is True or False, not 'no'"),
        ({"region": 5}, "region is text, or None, not 5"),
        ({"upload_id": 1234567890}, "upload_id is text"),
        ({"state_dir": 5}, "state_dir is a path"),
        ({"checksum": ["md5"]}, "checksum is sha256 or xxh3"),
        ({"transactions_per_s": [5]}, "transactions_per_s is a mapping"),
        ({"transactions_per_s": {5: 5}}, "transactions_per_s: 5 is not an operation"),
        ({"transactions_per_s": {"UploadPart": 5}}, "did you mean UploadReadSetPart"),
        ({"transactions_per_s": {"UploadReadSetPart": "x"}}, "transactions_per_s: the quota"),
        ({"wait_timeout_s": 10**400}, "wait_timeout_s: int too large"),
        ({"stall_timeout_s": float("inf")}, "stall_timeout_s is at most 7 d"),
        ({"connect_timeout_s": "30d"}, "connect_timeout_s is at most 7 d"),
        ({"state_dir": ""}, "state_dir is a path, or None, not ''"),
        ({"quota_share": ""}, "quota_share is a path, or None, not ''"),
        ({"upload_id": "1234567890", "force": True}, "upload_id can't go with force"),
        ({"session": lambda: ("a", "b"), "profile": "lab"}, "profile can't go with session"),
        ({"prove": True, "wait": False}, "prove needs wait"),
    ],
)
def test_what_makes_no_sense_is_said_at_once_and_by_name(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(turboupload.ConfigError) as caught:
        turboupload.UploadConfig(**given)
    assert message in str(caught.value)
    assert str(caught.value).startswith(tuple(given))


@pytest.mark.parametrize("given", [("AKIA", "hunter2"), {"SecretAccessKey": "hunter2"}, "hunter2"])
def test_credentials_in_the_place_of_a_session_are_not_shown(given: Any) -> None:
    with pytest.raises(turboupload.ConfigError, match="session is") as caught:
        turboupload.UploadConfig(session=given)
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    with pytest.raises(turboupload.ConfigError, match="a stream is a file descriptor") as caught:
        producer_of(b"hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"sources": 5},
        {"sources": [5]},
        {"sources": [""]},
        {"reference_arn": 5},
        {"checksums": {5: "0" * 32}},
        {"name": 5},
        {"tags": 5},
        {"tags": {"a": 1}},
        {"tags": [("a", "b")]},
        {"file_type": 5},
    ],
)
def test_a_read_set_of_wrong_types_is_rejected(given: dict[str, Any]) -> None:
    with pytest.raises(turboupload.InputError):
        turboupload.ReadSet(**{"sources": ["a.bam"], "name": "a", **given})


def test_a_store_id_that_is_a_number_is_said_to_be_text() -> None:
    number: Any = 1234567890
    read_set = turboupload.ReadSet(sources=["a.bam"], name="a")
    with pytest.raises(turboupload.ConfigError, match="not the id of a store") as caught:
        turboupload.upload_sync(read_set, store_id=number)
    assert caught.value.hint == "write it as text, in quotes"
    with pytest.raises(turboupload.ConfigError, match="not the id of a store"):
        turboupload.upload_batch_sync([read_set], store_id=number)


READ_SET = turboupload.ReadSet(sources=["a.bam"], name="a", tags={"a": "b"})
IMPORTED: dict[str, Any] = {"file_type": "BAM", "name": "a", "sample_id": "s", "subject_id": "p"}
WRONG: dict[str, Callable[..., object]] = {
    "read_set": lambda wrong: turboupload.upload_sync(wrong, store_id=STORE, config=HERE),
    "config": lambda wrong: turboupload.upload_sync(READ_SET, store_id=STORE, config=wrong),
    "rows": lambda wrong: turboupload.upload_batch_sync(wrong, store_id=STORE),
    "rows of a rehearsal": lambda wrong: turboupload.rehearse_batch_sync(wrong, store_id=STORE),
    "a row": lambda wrong: turboupload.upload_batch_sync([wrong], store_id=STORE),
    "max_failures": lambda wrong: turboupload.upload_batch_sync(
        [READ_SET], store_id=STORE, max_failures=wrong
    ),
    "shard": lambda wrong: turboupload.upload_batch_sync([READ_SET], store_id=STORE, shard=wrong),
    "imported rows": lambda wrong: turboupload.import_read_sets_sync(
        wrong, store_id=STORE, role_arn=ROLE
    ),
    "an imported row": lambda wrong: turboupload.import_read_sets_sync(
        [wrong], store_id=STORE, role_arn=ROLE
    ),
    "retry_failed": lambda wrong: turboupload.import_read_sets_sync(
        [], store_id=STORE, role_arn=ROLE, retry_failed=wrong
    ),
    "config of an audit": lambda wrong: turboupload.audit_sync(".", config=wrong),
    "threads of an audit": lambda wrong: turboupload.audit_sync(".", config=HERE, threads=wrong),
    "threads of a check": lambda wrong: turboupload.check([], threads=wrong),
    "sheet": lambda wrong: turboupload.write_sheet(wrong, "s.csv"),
    "defaults": lambda wrong: turboupload.plan_sheet(".", defaults=wrong),
    "subject_from": lambda wrong: turboupload.SheetDefaults(subject_from=wrong),
    "name_pattern": lambda wrong: turboupload.SheetDefaults(name_pattern=wrong),
    "merge": lambda wrong: turboupload.SheetDefaults(merge=wrong),
    "tags": lambda wrong: turboupload.SheetDefaults(tags=cast("Any", [wrong])),
    "file_type": lambda wrong: turboupload.SheetDefaults(file_type=wrong),
    "moment": lambda wrong: turboupload.ReadSetFilter(created_after=wrong),
    "reference": lambda wrong: turboupload.ReadSetFilter(reference_arn=wrong),
    "source1": lambda wrong: turboupload.ImportSource(source1=wrong, **IMPORTED),
    "source2": lambda wrong: turboupload.ImportSource(
        source1="s3://bucket/a", source2=wrong, **IMPORTED
    ),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("wrong", ["a.csv", 0, {"a": "b"}])
def test_an_argument_of_another_type_is_an_error_of_the_call(
    call: Callable[..., object], wrong: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said at once, and not by an AttributeError from within."""
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path))
    with pytest.raises((turboupload.ConfigError, turboupload.InputError)):
        call(wrong)


def test_arguments_are_values() -> None:
    """They can be keys, and become dictionaries, as other frozen values can."""
    source = turboupload.ImportSource(
        source1="s3://bucket/a", file_type="BAM", name="a", sample_id="s", subject_id="p",
        tags={"a": "b"},
    )  # fmt: skip
    config = turboupload.UploadConfig(transactions_per_s={"UploadReadSetPart": 20}, md5=["a.md5"])
    defaults = turboupload.SheetDefaults(tags={"a": "b"})
    rule = turboupload.WatchRule(config=config, defaults=defaults)
    for value in (READ_SET, source, config, defaults, rule):
        there = pickle.loads(pickle.dumps(value))  # noqa: S301 # our own
        assert {there: 1}[copy.deepcopy(value)] == 1
    assert dataclasses.asdict(READ_SET)["tags"] == {"a": "b"}
    assert dataclasses.asdict(source)["tags"] == {"a": "b"}


def test_the_twins_take_what_the_functions_take() -> None:
    twins = [name for name in turboupload.__all__ if name.endswith("_sync")]
    for name in twins:
        twin, function = (getattr(turboupload, n) for n in (name, name.removesuffix("_sync")))
        assert inspect.signature(twin) == inspect.signature(function), name
    assert len(twins) > 6


ERRORS: list[turboupload.TurbouploadError] = [
    turboupload.ConfigError("m"),
    turboupload.InputError("m", code="bgzf.eof", others=[turboupload.InputError("n")]),
    turboupload.SheetRejected([turboupload.SheetFinding(2, "name", "is missing")]),
    turboupload.ServiceRefused("m", code="AccessDeniedException", operation="GetReadSetMetadata"),
    turboupload.ServiceRefused("m", code="AccessDeniedException", upload_id="1234567890"),
    turboupload.ServiceRefused("m", code="ReadSetExists", upload_id="1234567890"),
    turboupload.Stopped("m", hint="again"),
    turboupload.UploadBusy("m", lock="k"),
    turboupload.IntegrityError("m", path="a.bam"),
    turboupload.SourceChanged("m", upload_id="1234567890"),
    turboupload.IntegrityError("m", upload_id="1234567890", read_set_id="1234567891"),
    turboupload.ReadSetRejected("m", read_set_id="1234567890", upload_id="1234567890"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_an_error_comes_out_of_another_process_as_it_went_in(
    error: turboupload.TurbouploadError,
) -> None:
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 # our own
    assert type(there) is type(error)
    assert str(there) == str(error)
    for name in ("message", "hint", "path", "operation", "upload_id", "code", "exit_code"):
        assert getattr(there, name) == getattr(error, name)
    assert there.resumable == error.resumable
    assert getattr(there, "findings", None) == getattr(error, "findings", None)


def test_errors_tell_a_program_what_to_do() -> None:
    codes = [each.exit_code for each in ERRORS]
    assert codes == [2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7]
    assert [each.resumable for each in ERRORS] == [
        *(False, False, False, False, True, False),
        *(True, True, False, True, False, False),
    ]
    assert {type(each) for each in ERRORS} <= {getattr(turboupload, n) for n in dir(turboupload)}
    assert errors.TurbouploadError.exit_code == 1
