"""A shell in which `turboupload` is on the PATH, for commands as people type them.

There `turboupload` is a few lines that have `tests.support.quickstart` start the command, with the
caller's arguments, environment, folder and streams, and end as it ends: so a script with ten of
them takes the time of one import.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.quickstart import start

__all__ = ["Bash"]

TIMEOUT_S = 100.0

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.connect({path!r})
order = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
socket.send_fds(line, [json.dumps(order).encode()], [0, 1, 2])
pid = int(line.recv(20))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
sys.exit(int(line.recv(20)))
"""


class Bash:
    """Runs scripts in a folder, within a `with` statement.

    Args:
        folder: Where scripts run; it must exist.
        env: What is added to this process's environment.
        programs: Of stand-ins: a program's name to its script.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], programs: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        bin_ = folder / ".bin"
        bin_.mkdir(exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A socket's path is short: pytest's folders may be too deep for one.
        path = f"/tmp/bash-{os.getpid()}-{id(self)}"  # of this process alone
        self._path = Path(path)
        self._listener.bind(path)
        self._listener.listen()
        scripts = {"turboupload": CLIENT.format(python=sys.executable, path=path)}
        for name, text in (scripts | dict(programs or {})).items():
            (bin_ / name).write_text(text)
            (bin_ / name).chmod(0o755)
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TURBOUPLOAD_", "AWS_"))
        }
        self.env = {**own, **env, "PATH": f"{bin_}:{Path(sys.executable).parent}:{own['PATH']}"}

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # close() alone doesn't wake who waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink()

    def run(self, script: str, env: Mapping[str, str] | None = None) -> str:
        """Runs a script to its end, which must be a good one; returns what it printed."""
        with self.start(script, env) as process:
            out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, f"{script}\n{out}\n{err}"
        return out

    def start(self, script: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Starts a script; any command in it that fails ends it, as does one in a pipe."""
        return subprocess.Popen(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder, env={**self.env, **(env or {})}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(line,), daemon=True).start()


def _answer(line: socket.socket) -> None:
    with line:
        message, streams, _, _ = socket.recv_fds(line, 1 << 20, 3)
        order = json.loads(message)
        try:
            process = start(
                "turboupload", order["arguments"], env=order["environment"], cwd=order["folder"],
                stdin=streams[0], stdout=streams[1], stderr=streams[2],
            )  # fmt: skip
        finally:
            for each in streams:
                os.close(each)
        line.send(str(process.pid).encode())
        code = process.wait()
        line.send(str(code if code >= 0 else 128 - code).encode())
