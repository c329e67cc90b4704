"""Some rows of the table of answers as a user meets them, and then the same command again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ABOUT, SIX_PARTS, Shell
from tests.cli.ran import Ran
from tests.cli.test_endings import check
from tests.faults.answers import ANSWERS, COMPLETE, CREATE, GET, LIST_UPLOADS, PAGE, SEND

HTML = {"type": "error", "body": PAGE.decode(), "contentType": "text/html"}


def error(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message}


ENDS = ("--json", "--give-up-after", "300ms")


def rule(operation: str, action: dict[str, Any], *, after: int = 0) -> dict[str, Any]:
    return {"operation": operation, "after": after, "times": None, "action": action}


@pytest.mark.parametrize(
    ("comes", "operation", "action"),
    [
        ("403 with HTML", LIST_UPLOADS, {**HTML, "status": 403}),
        ("407 with HTML", LIST_UPLOADS, {**HTML, "status": 407}),
        ("402 ServiceQuotaExceededException", CREATE,
         error("ServiceQuotaExceededException", "what the service says")),
        ("403 with HTML", SEND, {**HTML, "status": 403}),
        ("404 with HTML", SEND, {**HTML, "status": 404}),
        ("200 with HTML instead of JSON", SEND, {**HTML, "status": 200}),
        ("a truncated body", SEND, {**HTML, "status": 200, "truncateTo": 5}),
        ("403 ExpiredTokenException", SEND,
         error("ExpiredTokenException", "The security token is expired")),
        ("502 with HTML", COMPLETE, {**HTML, "status": 502}),
        ("403 with HTML", COMPLETE, {**HTML, "status": 403}),
        ("500 InternalServerException", GET, error("InternalServerException", "busy")),
    ],
)  # fmt: skip
def test_an_answer_that_lasts_and_the_command_again(
    shell: Shell,
    within: Callable[..., Ran],
    reads: Path,
    comes: str,
    operation: str,
    action: dict[str, Any],
) -> None:
    (answer,) = [each for each in ANSWERS if each.comes == comes]
    first = operation == LIST_UPLOADS
    code = answer.first if first else answer.exit
    # The emulator is shared: a name for each row.
    name = f"{comes} {operation}"
    after = 2 if operation == SEND else 0
    shell.emulator.set_faults([rule(operation, action, after=after)])
    command = ("upload", reads, "--name", name, *ABOUT, *SIX_PARTS, *ENDS)
    ran = within(*command)
    outcome = {2: "usage", 4: "refused", 5: "stopped"}[code]
    check(ran, code, outcome, answer.reads, answer.advice, f"[{operation}]")
    assert "<" not in ran.last["error"]["message"]
    assert ("run the same command again" in ran.err) == (code != 2 and operation != CREATE)
    shell.emulator.clear_faults()
    again = within(*command)
    assert again.code == 0, again.err
    assert again.last["parts_reused"] == {SEND: 2, COMPLETE: 6, GET: 6}.get(operation, 0)
    parts = [row for row in shell.emulator.stats()["parts"] if row["stored"]]
    assert [row["stored"] for row in parts] == [1] * 6
    assert shell.creates == (2 if operation == CREATE else 1)
