"""Ctrl-C, SIGTERM, SIGHUP, twice: exit 130 in time, everything kept, and the command to go on."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import SIX_PARTS, Running, Shell
from tests.cli.test_upload import FIELDS

# What it must not wait for takes a minute and more; a busy machine takes its time, too.
IN_TIME_S = 10.0
STALL = {"operation": "UploadReadSetPart", "after": 2, "times": None,
         "action": {"type": "stall", "seconds": 600}}  # fmt: skip


def interrupt(running: Running, number: signal.Signals) -> float:
    """Sends the signal; returns how long the command then took to end, in seconds."""
    began = time.monotonic()
    running.signal(number)
    running.process.wait(timeout=30)
    return time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_mid_part(shell: Shell, reads: Path, number: signal.Signals) -> None:
    shell.emulator.set_faults([STALL])
    name = f"it's {number.name}"
    running = shell.start_upload(name, reads, *SIX_PARTS)
    upload_id = running.wait_for(lambda event: event["event"] == "upload.planned")["upload_id"]
    running.wait_for_parts(2)
    assert interrupt(running, number) < IN_TIME_S
    ran = running.finish()
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert f"interrupted; 2 of 6 parts are kept in upload {upload_id}" in ran.err
    assert set(ran.last) >= FIELDS
    assert (ran.last["outcome"], ran.last["upload_id"]) == ("interrupted", upload_id)
    assert (ran.last["parts"], ran.last["parts_reused"], ran.last["error"]) == (6, 0, None)

    shell.emulator.clear_faults()
    command = shlex.split(ran.err.splitlines()[-1])
    assert command[:3] == ["python", "-m", "turboupload"]
    again = shell.run(*command[3:])
    assert again.code == 0, again.err
    assert again.last["parts_reused"] == 2
    assert again.last["upload_id"] == upload_id


def test_a_run_without_resume_is_gone_on_with_by_a_command_that_resumes(
    shell: Shell, reads: Path
) -> None:
    shell.emulator.set_faults([STALL])
    running = shell.start_upload("anew", reads, *SIX_PARTS, "--no-resume")
    running.wait_for_parts(2)
    running.signal(signal.SIGINT)
    command = running.finish().err.splitlines()[-1]
    assert "--no-resume" not in command
    shell.emulator.clear_faults()
    assert shell.run(*shlex.split(command)[3:]).last["parts_reused"] == 2


def test_a_signal_before_the_service_has_said_a_word(shell: Shell, reads: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        running = shell.start_upload("silent", reads, "--endpoint-url", url)
        connection, _ = server.accept()
        with connection:
            assert interrupt(running, signal.SIGINT) < IN_TIME_S
    ran = running.finish()
    assert ran.code == 130
    assert "interrupted; nothing was sent yet" in ran.err
    assert ran.last["outcome"] == "interrupted"


def test_a_signal_while_the_service_is_at_work(shell: Shell, reads: Path) -> None:
    stall = {"type": "stall", "seconds": 600}
    shell.emulator.set_faults([{"operation": "GetReadSetMetadata", "action": stall}])
    running = shell.start_upload("waiting", reads)
    made = running.wait_for(lambda event: event["event"] == "upload.completed")
    running.signal(signal.SIGTERM)
    ran = running.finish()
    assert ran.code == 130
    assert f"all parts had arrived, and the service works on read set {made['read_set_id']}" in (
        ran.err
    )
    assert ran.last["read_set_id"] == made["read_set_id"]


def test_a_second_signal_leaves_at_once(shell: Shell, reads: Path) -> None:
    shell.emulator.set_faults([STALL])
    running = shell.start_upload("twice", reads, *SIX_PARTS)
    running.wait_for_parts(2)
    # While it is stopped both become pending, so that it meets the second before it has tidied up.
    running.signal(signal.SIGSTOP)
    running.signal(signal.SIGINT)
    running.signal(signal.SIGTERM)
    assert interrupt(running, signal.SIGCONT) < IN_TIME_S
    assert running.process.returncode == 130
    assert "Traceback" not in running.finish().err


def run_script(text: str) -> tuple[int, str, float]:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


STUBBORN = """
import os, signal, threading, time, anyio, uvloop
from turboupload.cli.session.signals import Signals
with Signals(lambda: print("last words", flush=True)) as signals:
    async def stubborn():
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
        {how}
    signals.run(stubborn)
"""


@pytest.mark.parametrize(
    "how",
    [
        "await anyio.to_thread.run_sync(time.sleep, 60)",  # a read from a disk that is gone
        "time.sleep(60)",  # the loop itself is held
    ],
)
def test_what_can_not_be_cancelled_holds_nobody(how: str) -> None:
    code, said, seconds = run_script(STUBBORN.format(how=how))
    assert (code, said) == (130, "last words\n")
    assert seconds < IN_TIME_S + 1.0  # the interpreter and its imports included


def test_a_signal_outside_the_loop_interrupts_too() -> None:
    code, said, _ = run_script(
        "import os, signal, sys\n"
        "from turboupload.cli.session.signals import Interrupted, Signals\n"
        "with Signals(print) as signals:\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        import time; time.sleep(60)\n"
        "    except Interrupted:\n"
        "        sys.exit('caught')\n"
    )
    assert (code, said) == (1, "caught\n")


ENDING = """
import os, signal
from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.session.run import Session
from turboupload.errors import InputError

def end(reporter):
    {does}

reporter = Reporter("check", {{"as_json": True}})
_finish = reporter._finish
def finish(*said, **fields):
    os.kill(os.getpid(), signal.SIGTERM)  # at the worst moment
    _finish(*said, **fields)
reporter._finish = finish
Session(reporter).run_blocking(lambda: end(reporter))
"""


@pytest.mark.parametrize(
    ("does", "outcome", "exit_code"),
    [
        ("return reporter.done()", "ok", 0),
        ("raise InputError('no such file')", "rejected", 3),
        ("raise ZeroDivisionError", "error", 1),
        ("raise KeyboardInterrupt", "interrupted", 130),
    ],
)
def test_a_signal_while_the_end_is_told_loses_no_last_line(
    does: str, outcome: str, exit_code: int
) -> None:
    code, said, _ = run_script(ENDING.format(does=does))
    last = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [each["outcome"] for each in last] == [outcome]
    assert code == exit_code


@pytest.mark.parametrize("ignored", [True, False])
def test_a_hangup_ends_it_but_under_nohup(*, ignored: bool) -> None:
    before = "signal.signal(signal.SIGHUP, signal.SIG_IGN)" if ignored else ""
    code, said, _ = run_script(
        "import os, signal\n"
        "from turboupload.cli.session.signals import Interrupted, Signals\n"
        f"{before}\n"
        "with Signals(print):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGHUP)\n"
        "        print('went on')\n"
        "    except Interrupted:\n"
        "        print('ended')\n"
    )
    assert (code, said) == (0, "went on\n" if ignored else "ended\n")


def test_a_signal_after_the_work_is_done_changes_nothing() -> None:
    code, said, _ = run_script(
        "import os, signal\n"
        "from turboupload.cli.session.signals import Signals\n"
        "with Signals(print) as signals:\n"
        "    async def work(): return 'done'\n"
        "    result = signals.run(work)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print(result)\n"
    )
    assert (code, said) == (0, "done\n")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_while_a_command_that_is_done_closes_down_changes_nothing(number: str) -> None:
    code, said, _ = run_script(
        "import os, signal\n"
        "from turboupload.cli.session.signals import Signals\n"
        "with Signals(print) as signals:\n"
        "    async def work(): return 'done'\n"
        "    result = signals.run(work)\n"
        f"os.kill(os.getpid(), signal.{number})\n"
        "print(result)\n"
    )
    assert (code, said) == (0, "done\n")
