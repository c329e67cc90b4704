"""What a program gives, text or numbers, is checked when it is made; errors can be branched on."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import timedelta
from typing import Any

import pytest

import turboupload
from turboupload import errors


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
        ({"chunk_bytes": None}, "chunk_bytes is a whole number of bytes"),
        ({"concurrency": "8"}, "concurrency is a whole number, not '8'"),
        ({"concurrency": True}, "concurrency is a whole number, not True"),
        ({"concurrency": 1001}, "concurrency is at most"),
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
    ],
)
def test_what_makes_no_sense_is_said_at_once_and_by_name(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(turboupload.ConfigError) as caught:
        turboupload.UploadConfig(**given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"sources": 5},
        {"sources": [5]},
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


ERRORS: list[turboupload.TurbouploadError] = [
    turboupload.ConfigError("m"),
    turboupload.InputError("m", code="bgzf.eof", others=[turboupload.InputError("n")]),
    turboupload.SheetRejected([turboupload.SheetFinding(2, "name", "is missing")]),
    turboupload.ServiceRefused("m", code="AccessDeniedException", operation="GetReadSetMetadata"),
    turboupload.Stopped("m", hint="again"),
    turboupload.UploadBusy("m", lock="k"),
    turboupload.IntegrityError("m", path="a.bam"),
    turboupload.SourceChanged("m", upload_id="1234567890"),
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
    assert codes == [2, 3, 3, 4, 5, 5, 6, 6, 7]
    assert [each.resumable for each in ERRORS] == [
        *(False, False, False, False),
        *(True, True, False, True, False),
    ]
    assert {type(each) for each in ERRORS} <= {getattr(turboupload, n) for n in dir(turboupload)}
    assert errors.TurbouploadError.exit_code == 1
