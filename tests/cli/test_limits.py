"""What this machine has too little of is said as such; only a bug is called one."""

from __future__ import annotations

import _thread
import errno
import os
import re
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.session.signals import Interrupted, Signals
from turboupload.cli.ui import errors
from turboupload.errors import InputError, Stopped
from turboupload.http.transport import _Workers
from turboupload.paths import unreadable
from turboupload.runtime.eventloop import run_here
from turboupload.runtime.exhaustion import used_up

NO_THREAD = RuntimeError("can't start new thread")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ValueError("x"), 1, "error: unexpected ValueError: x\nhint: this is a bug"),
        (RuntimeError("x"), 1, "this is a bug"),
        (ExceptionGroup("", [ValueError("x")]), 1, "error: unexpected ValueError: x"),
        (MemoryError(), 5, "not enough memory"),
        (NO_THREAD, 5, "no more threads can be started"),
        (OSError(errno.EMFILE, "many"), 5, "too many files open (ulimit -n is "),
        (caused(RuntimeError("x"), OSError(errno.ENFILE, "many")), 5, "has too many files open"),
        (ExceptionGroup("", [NO_THREAD, ValueError("x")]), 5, "no more threads"),
        (OSError(errno.EIO, "Input/output error", "/disk/x"), 5, "/disk/x: this machine says: In"),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "this machine says: No space left"),
        (ConnectionResetError(), 5, "the network says: ConnectionResetError"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), 5, "the network says: timed out"),
    ],
)
def test_only_a_bug_is_called_one(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, told: str
) -> None:
    assert Reporter("stores list", {}).unexpected(error) == code
    said = capsys.readouterr().err
    assert told in said
    assert ("bug" in said) is (code == 1)


def test_every_way_to_exit_with_1() -> None:
    """A bug, and a stdout that can't be written by a command that only tells."""
    package = Path(errors.__file__).parents[1]
    ways = {
        f"{path.stem}: {line.strip()}"
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\bBUG\b", line) and not re.search(r"import|^    (\"?)BUG\1,$", line)
    }
    assert ways == {
        "errors: BUG: Final = 1",
        "main: code = BUG",  # of stdout, twice, and of a bug
        "reporter: return BUG",  # of stdout, and of a bug
    }


@pytest.mark.parametrize("files", [14, 18, 20, 24])
def test_few_files(shell: Shell, reads: Path, files: int) -> None:
    """They are used up while the client is made, the journal is opened, a call is made."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    name = f"few-{files}"
    ran = shell.upload(name, reads, preexec_fn=few)
    assert ran.code == 5
    assert f"too many files open (ulimit -n is {files}; 256 are enough" in ran.err
    assert shell.upload(name, reads).code == 0


def test_a_folder_that_may_not_be_written_names_the_option(shell: Shell, reads: Path) -> None:
    ran = shell.upload("home", reads, env={"TURBOUPLOAD_STATE_DIR": "/proc/none"})
    assert ran.code == 2
    assert "/proc/none: the state folder can't be used" in ran.err
    assert "set --state-dir or TURBOUPLOAD_STATE_DIR to a folder of your own" in ran.err


def test_few_threads_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    start, left = threading.Thread.start, [2]

    def few(self: threading.Thread) -> None:
        if not left[0]:
            raise NO_THREAD
        left[0] -= 1
        start(self)

    monkeypatch.setattr(threading.Thread, "start", few)
    gate = threading.Event()
    with _Workers(8) as workers:
        futures = [workers.submit(gate.wait, 10) for _ in range(8)]
        gate.set()
        assert all(each.result(10) for each in futures)
    assert left == [0]


def test_no_event_loop_is_begun_without_the_threads_that_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[threading.Thread] = []

    def few(function: Callable[[], None], arguments: tuple[()]) -> None:
        if len(begun) == 3:
            raise NO_THREAD
        begun.append(threading.Thread(target=function, args=arguments, daemon=True))
        begun[-1].start()

    async def work() -> None:
        raise AssertionError("it began")

    monkeypatch.setattr(_thread, "start_new_thread", few)
    with pytest.raises(Stopped, match="no more threads can be started"):
        run_here(work)
    for each in begun:
        each.join(10)
    assert [each.is_alive() for each in begun] == [False] * 3


def test_a_signal_counts_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: threading.Thread) -> None:
        raise NO_THREAD

    monkeypatch.setattr(threading.Thread, "start", none)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signals = Signals(lambda: None)
    with pytest.raises(Interrupted), signals:
        os.kill(os.getpid(), signal.SIGTERM)
    for number, handler in before.items():
        signal.signal(number, handler)
    assert signals.caught


def test_what_is_used_up_is_found_in_what_led_to_it() -> None:
    assert used_up(caused(ValueError("x"), MemoryError())) == used_up(MemoryError())
    assert used_up(ValueError("can't start new thread")) is None
    refused = ValueError("refused")
    refused.__context__, refused.__suppress_context__ = MemoryError(), True
    assert used_up(refused) is None, "raised from None: that was dealt with"
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert used_up(first) is None


def test_a_limit_of_the_machine_is_no_fault_of_the_file() -> None:
    assert isinstance(unreadable("a.bam", OSError(errno.EMFILE, "many")), Stopped)
    assert isinstance(unreadable("a.bam", OSError(errno.EIO, "broken")), InputError)
