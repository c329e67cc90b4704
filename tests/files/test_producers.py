"""A pipe whose producer's exit code a shell writes into a file."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from turboupload.errors import ConfigError, InputError
from turboupload.files import producers
from turboupload.files.producers import PipeWithExitCode


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a minute, and every look is soon."""
    monkeypatch.setattr(producers, "_EXIT_CODE_S", 0.05)
    monkeypatch.setattr(producers, "_LOOK_S", 0.01)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0\n", None),
        ("0 0\n", None),
        ("1\n", "has the exit code 1"),
        ("0 141 0\n", "has the exit code 0 141 0"),
        ("-11", "has the exit code -11"),
        ("killed\n", "has the exit code killed"),
        ("", "doesn't say how the command ended"),
        (None, "doesn't say how the command ended"),
    ],
)
def test_only_zeros_are_success(tmp_path: Path, text: str | None, told: str | None) -> None:
    file = tmp_path / "exit"
    producer = PipeWithExitCode(0, "standard input", str(file))
    if text is not None:
        file.write_text(text)
    if told is None:
        producer.finish()
        return
    with pytest.raises(InputError, match=told) as caught:
        producer.finish()
    assert caught.value.code == "producer.failed"


def test_a_file_that_comes_late_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producers, "_LOOK_S", 0.01)
    file = tmp_path / "exit"
    producer = PipeWithExitCode(0, "standard input", str(file))
    looked = threading.Event()
    text = producer._text

    def look() -> str:
        found = text()
        looked.set()
        return found

    monkeypatch.setattr(producer, "_text", look)
    ending = threading.Thread(target=producer.finish)
    ending.start()
    assert looked.wait(10)
    assert ending.is_alive()
    file.write_text("0\n")
    ending.join(10)
    assert not ending.is_alive()


def test_who_stops_does_not_wait_for_it(tmp_path: Path) -> None:
    producer = PipeWithExitCode(0, "standard input", str(tmp_path / "exit"))
    producer.stop()
    producer.finish()


def test_an_earlier_commands_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "exit"
    file.write_text("0\n")
    PipeWithExitCode(0, "standard input", str(file))
    began = producers._process_began()
    assert time.time() - 86_400 < began <= time.time()
    os.utime(file, (began - 60, began - 60))
    with pytest.raises(ConfigError, match="an earlier command's"):
        PipeWithExitCode(0, "standard input", str(file))
    with pytest.raises(ConfigError, match="regular file"):
        PipeWithExitCode(0, "standard input", str(tmp_path))
