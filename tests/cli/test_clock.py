"""A clock that is wrong by an hour: the service's answer, and a sentence that names the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore import auth

from tests.cli.conftest import ABOUT, SIX_PARTS, Shell
from tests.cli.ran import Ran
from tests.cli.test_endings import check


@pytest.mark.parametrize(
    ("minutes", "words"), [(-60, "Signature expired"), (60, "Signature not yet current")]
)
def test_a_clock_that_is_wrong_by_an_hour(
    shell: Shell,
    within: Callable[..., Ran],
    reads: Path,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    words: str,
) -> None:
    # botocore signs by this clock, and does not correct it by the service's Date.
    off = timedelta(minutes=minutes)
    command = ("upload", reads, "--name", f"clock {minutes}", *ABOUT, *SIX_PARTS, "--json")
    with monkeypatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: datetime.now(UTC) + off)
        ran = within(*command)
    check(ran, 4, "refused", words, "15 min. away from", "check this machine's clock")
    assert ran.last["error"]["code"] == "InvalidSignatureException"
    assert shell.emulator.stats()["requests"] == 1, "it is not asked again"
    assert shell.creates == 0
    assert within(*command).code == 0


def test_ten_minutes_are_nothing(
    shell: Shell, within: Callable[..., Ran], reads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        auth, "get_current_datetime", lambda: datetime.now(UTC) - timedelta(minutes=10)
    )
    assert within("upload", reads, "--name", "clock", *ABOUT, "--json").code == 0
