"""Runs the installed command `turboupload upload` as a process, watches it and can kill it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from turboupload.errors import Stopped

__all__ = ["Ended", "UploadCommand"]

LONGEST_S = 1800.0
"""The longest time for an upload of the demo, in seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a run of the command.

    Attributes:
        exit_code: The command's; negative if a signal ended it.
        last: The last line of its `--json`; empty if it printed none.
        stderr: Its error output.
        progress: The last progress event; empty if there was none.
    """

    exit_code: int
    last: Mapping[str, Any]
    stderr: str
    progress: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the read set is ACTIVE."""
        return self.exit_code == 0 and self.last.get("outcome") == "active"


class UploadCommand:
    """One command line, which may be run repeatedly.

    Args:
        arguments: The arguments of `turboupload upload`.
        environment: The whole environment of the process.
    """

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        installed = Path(sys.executable).with_name("turboupload")
        program = [str(installed)] if installed.exists() else [sys.executable, "-m", "turboupload"]
        self._command = [*program, "upload", *arguments, "--json"]
        self._environment = environment

    def run(self, *, kill_when: Callable[[Mapping[str, Any]], bool] | None = None) -> Ended:
        """Runs it to its end, or kills it (SIGKILL) at the first event that `kill_when` accepts.

        Args:
            kill_when: Called with each event.

        Raises:
            Stopped: It did not end in time.
        """
        with subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(self._environment),
        ) as process:
            too_late = threading.Event()

            def give_up() -> None:
                too_late.set()
                process.kill()

            timer = threading.Timer(LONGEST_S, give_up)
            timer.daemon = True
            timer.start()
            try:
                ended = _watch(process, kill_when)
            finally:
                timer.cancel()
                if process.poll() is None:
                    process.kill()
        if too_late.is_set():
            raise Stopped(f"an upload did not end within {LONGEST_S / 60:.0f} minutes")
        return ended


def _watch(
    process: subprocess.Popen[str], kill_when: Callable[[Mapping[str, Any]], bool] | None
) -> Ended:
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    # Read it in parallel with stdout: a full stderr pipe would block the command.
    listener = threading.Thread(target=_collect, args=(process.stderr, said), daemon=True)
    listener.start()
    last: Mapping[str, Any] = {}
    progress: Mapping[str, Any] = {}
    for line in process.stdout:
        last = json.loads(line)
        if last["event"] == "upload.progress":
            progress = last
        if kill_when is not None and kill_when(last):
            process.kill()
            break
    exit_code = process.wait()
    listener.join()
    return Ended(exit_code, last, "".join(said), progress)


def _collect(stream: IO[str], lines: list[str]) -> None:
    lines.extend(stream)
