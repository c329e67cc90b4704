"""What programs read: on every command the last line, once; and the names of the fields."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.commands import COMMAND_NAMES, command
from turboupload.cli.main import cli
from turboupload.cli.reporters.batch import BatchReporter
from turboupload.cli.reporters.upload import UploadReporter
from turboupload.cli.ui.events import OLD_NAMES, error_fields
from turboupload.core.batch import BatchProgress, BatchStarted, RowNotice
from turboupload.core.model import FileType
from turboupload.core.notices import (
    Calling,
    Hashing,
    Planned,
    Progress,
    Rehearsal,
    Remark,
    Retrying,
    Started,
    WindowChanged,
)
from turboupload.errors import InputError, ServiceRefused
from turboupload.telemetry import describe

SPEAKING = [
    name for name in COMMAND_NAMES if any("--json" in each.opts for each in command(name).params)
]
ERROR = {"message", "hint", "code", "operation", "path", "others"}

STARTED = Started(name="n", store_id="1", file_type=FileType.BAM, paths=("a.bam",), total_bytes=9)
PLANNED = Planned(upload_id="1", resumed=False, part_size=5, parts=2, total_bytes=9, parts_there=0)
PROGRESS = Progress(
    total_bytes=9, done_bytes=5, bytes_sent=6, parts=2, done_parts=1, bytes_per_s=1.0, eta_s=4.0,
    in_flight=1, window=2,
)  # fmt: skip
BATCH_PROGRESS = BatchProgress(
    rows=1, counts={"running": 1}, total_bytes=9, done_bytes=5, bytes_sent=6, bytes_per_s=1.0,
    eta_s=None, in_flight=1, window=2, limited_by=None, waits_for_create=True,
)  # fmt: skip
REHEARSAL = Rehearsal(
    verdict="create", file_type=FileType.BAM, part_size=5, parts=2, total_bytes=9, bytes_to_send=9
)


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def names(value: Any) -> set[str]:
    return {each.name for each in dataclasses.fields(value)}


@pytest.mark.parametrize("by_variable", [False, True], ids=["option", "variable"])
@pytest.mark.parametrize("name", SPEAKING)
def test_a_wrong_option_is_the_last_line_and_the_only_one(name: str, by_variable: bool) -> None:
    words = [*name.split(), "--nonsense", *([] if by_variable else ["--json"])]
    env = {"TURBOUPLOAD_JSON": "1"} if by_variable else {}
    ran = CliRunner().invoke(cli, words, env=env)
    assert ran.exit_code == 2
    (last,) = lines(ran.stdout)
    assert last["event"] == f"{name.replace(' ', '.')}.finished"
    assert last["time"].endswith("Z")
    assert last["outcome"] == "usage"
    assert set(last["error"]) == ERROR
    assert "--nonsense" in last["error"]["message"]
    assert last["seconds"] >= 0


def test_the_commands_that_speak_json_are_those_that_end_by_a_session() -> None:
    assert set(COMMAND_NAMES) - set(SPEAKING) == {
        "receipt show",
        "demo",
        "emulator",
        "completion",
    }


def test_nothing_at_all_is_misuse_too() -> None:
    ran = CliRunner().invoke(cli, ["receipt", "verify"], env={"TURBOUPLOAD_JSON": "1"})
    assert ran.exit_code == 2
    (last,) = lines(ran.stdout)
    assert (last["event"], last["outcome"]) == ("receipt.verify.finished", "usage")


@pytest.mark.parametrize(
    ("words", "patched"),
    [
        (["check"], "turboupload.cli.commands.check.check_files"),
        (["receipt", "verify"], "turboupload.state.receipt_file.load_receipt"),
    ],
)
def test_a_bug_has_its_last_line(
    words: list[str], patched: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(patched, broken)
    ran = CliRunner().invoke(cli, [*words, str(tmp_path / "x"), "--json"])
    assert ran.exit_code == 1
    assert "unexpected ZeroDivisionError: a bug" in ran.stderr
    last = lines(ran.stdout)[-1]
    assert (last["outcome"], set(last["error"])) == ("error", ERROR)


def test_what_else_is_wrong_and_its_code_are_told_everywhere() -> None:
    error = InputError.of([InputError("one", code="a.b"), InputError("two", code="c.d")])
    told = error_fields(error)
    assert (told["code"], [each["code"] for each in told["others"]]) == ("a.b", ["c.d"])
    assert error_fields(ServiceRefused("no", code="AccessDeniedException"))["code"]


@pytest.mark.parametrize(
    "notice",
    [
        STARTED,
        PLANNED,
        PROGRESS,
        Hashing(done_bytes=1, total_bytes=2),
        Retrying(operation="o", reason="r", message="m", pause_s=1.0),
        WindowChanged(size=2, before=1),
        Remark("code", "text"),
        Calling(operation="o", seconds=1.0, outcome="ok"),
    ],
    ids=lambda notice: type(notice).__name__,
)
def test_a_notices_fields_are_called_as_in_python(notice: Any) -> None:
    _, fields = describe(notice)
    assert set(fields) == names(notice)


def test_a_batchs_fields_are_called_as_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = BatchReporter({"as_json": True})
    notices = (
        BatchStarted(store_id="1", rows=1, total_bytes=9), BATCH_PROGRESS, RowNotice(2, PROGRESS),
    )  # fmt: skip
    for notice in notices:
        reporter.hear(notice)
    besides = {"event", "time", "version", *OLD_NAMES.values()}
    told = [set(each) - besides for each in lines(capsys.readouterr().out)]
    assert told == [names(notices[0]), names(notices[1]), {"row", *names(PROGRESS)}]


def test_an_uploads_end_is_called_as_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = UploadReporter({"as_json": True, "quiet": True})
    reporter.hear(STARTED)
    assert reporter.ended(REHEARSAL) == 0
    assert reporter.interrupted() == 130  # said once, whatever comes after it
    (last,) = lines(capsys.readouterr().out)
    assert names(REHEARSAL) <= set(last)
    assert (last["outcome"], last["total_bytes"]) == ("rehearsed", 9)
