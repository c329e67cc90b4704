"""Runs of the package's commands that don't import it anew: that takes longer than most runs.

`start("turboupload", …)` is `subprocess.Popen([sys.executable, "-m", "turboupload", …])`, and its
answer is a `Popen` like any other. On Linux the process is forked from one that has imported the
package, of which each process that starts some has one: it becomes the module as `python -m` makes
it, with an environment, a folder, stdin, stdout and stderr of its own, and ends as an interpreter
does. Where that isn't the same, because something is asked for that holds from the interpreter's
first moment (a `preexec_fn`, a variable such as PYTHONIOENCODING or LANG), it is not done.

How the command starts, and what it imports, is tested with interpreters that start from nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from tests.support.networks import enter

__all__ = ["start"]

SET_CHILD_SUBREAPER: Final = 36
"""Of prctl(2): whose parent has died becomes a child of this process."""

DECISIVE: Final = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "OPENBLAS_", "AWS_PROFILE")
"""What is read when the interpreter starts, or a library is loaded: how its names begin. With a
profile the home counts as well: botocore asks where it is when it is imported, for its cache of
tokens."""

PRELOADED: Final = ("aiobotocore.session", "anyio._backends._asyncio", "rich.live", "uvloop")
"""What the package's modules import only when they need it, and most commands do."""

PATIENCE_S: Final = 60.0
MESSAGE_BYTES: Final = 1 << 20


def start(
    module: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | os.PathLike[str] | None = None,
    network: str | os.PathLike[str] | None = None,
    preexec_fn: Any = None,
    **streams: Any,
) -> subprocess.Popen[str]:
    """Starts `python -m MODULE ARGUMENTS`, with text for streams.

    Args:
        module: `turboupload` or `turboupload.emulator`, or a command of Dask's.
        arguments: Of the command.
        env: Its whole environment.
        cwd: Where it runs.
        network: The network namespace that it is in, as `networks` makes it.
        preexec_fn: As of `subprocess.Popen`.
        streams: `stdin`, `stdout` and `stderr`, likewise.
    """
    command = [sys.executable, "-m", module, *arguments]
    if sys.platform == "linux" and preexec_fn is None and _nursery().suits(env):
        return _Forked(network, command, env=env, cwd=cwd, text=True, **streams)
    if network is not None:
        preexec_fn = partial(enter, network)
    return subprocess.Popen(command, env=env, cwd=cwd, text=True, preexec_fn=preexec_fn, **streams)


class _Forked(subprocess.Popen[str]):
    """A `Popen` whose process is forked from one that is ready."""

    def __init__(
        self, network: str | os.PathLike[str] | None, command: Sequence[str], **more: Any
    ) -> None:
        self._network = None if network is None else os.fspath(network)
        super().__init__(command, **more)

    def _execute_child(self, *given: Any) -> None:
        """What `subprocess` calls to have the process; the order of its arguments is fixed."""
        command, folder, environment, pipes = given[0], given[5], given[6], given[10:16]
        stdin, stdout, stderr = (
            own if theirs == -1 else theirs for own, theirs in enumerate((pipes[0], *pipes[3::2]))
        )
        order = {
            "module": command[2],
            "arguments": command[3:],
            "folder": os.fspath(folder or Path.cwd()),
            "environment": dict(environment),
            "network": self._network,
        }
        try:
            self.pid = _nursery().fork(order, [stdin, stdout, stderr])
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined] # as subprocess itself does
        self._child_created = True


def _decisive(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(DECISIVE)}


class _Nursery:
    """The process that is ready, seen from the one whose children it makes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decisive = _decisive(os.environ)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(PATIENCE_S)
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.quickstart", str(theirs.fileno())],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._close)

    def _close(self) -> None:
        self._line.close()
        self._process.wait(timeout=PATIENCE_S)

    def suits(self, env: Mapping[str, str]) -> bool:
        """Whether an interpreter that starts with this environment would be no other."""
        return _decisive(env) == self._decisive

    def fork(self, order: dict[str, Any], streams: list[int]) -> int:
        """Makes a child of this process; returns its id."""
        with self._lock:
            # Only for the moment: whoever else is orphaned is none of ours.
            self._prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._line, [json.dumps(order).encode()], streams)
                return int(self._line.recv(MESSAGE_BYTES))
            finally:
                self._prctl(SET_CHILD_SUBREAPER, 0, 0, 0, 0)


_made: list[_Nursery] = []
_making = threading.Lock()


def _nursery() -> _Nursery:
    with _making:
        if not _made:
            _made.append(_Nursery())
        return _made[0]


# --- in the process that is ready ---------------------------------------------------------------


def import_all_of_it() -> None:
    """Has all that a command may import, once for all runs: it is most of what one takes."""
    # As the command says it itself; a process of more threads than one can't be forked well.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import botocore.session

    import turboupload

    for each in pkgutil.walk_packages(turboupload.__path__, "turboupload."):
        # The plugin is of other people's tests, and no command's; exporters are of few.
        if not each.name.endswith(
            ("__main__", "pytest_plugin", ".opentelemetry", ".prometheus", ".otel")
        ):
            importlib.import_module(each.name)
    for name in PRELOADED:
        # Without uvloop the commands have another loop.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    botocore.session.get_session().create_client("omics", region_name="us-east-1")
    gc.collect()
    gc.freeze()


def _serve(line: socket.socket) -> dict[str, Any] | None:
    """Forks a child for each order; returns the order in the child, else None at the end."""
    while True:
        message, streams, _, _ = socket.recv_fds(line, MESSAGE_BYTES, 3)
        if not message:
            return None
        heard, tell = os.pipe()
        between = os.fork()
        if between == 0:
            # Its child loses its parent, and so becomes the child of who gave the order.
            child = os.fork()
            if child:
                os.write(tell, str(child).encode())
                os._exit(0)
            for each in (heard, tell):
                os.close(each)
            line.close()
            order: dict[str, Any] = json.loads(message)
            _become(order, streams)
            return order
        for each in (tell, *streams):
            os.close(each)
        os.waitpid(between, 0)
        line.send(os.read(heard, 20))
        os.close(heard)


def _become(order: dict[str, Any], streams: list[int]) -> None:
    if order["network"] is not None:
        enter(order["network"])
    # Over what is in their place already, and may be one of them.
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
    for stream in streams:
        os.close(stream)
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        made = _stream(descriptor, getattr(sys, name))
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)
    os.environ.clear()
    os.environ.update(order["environment"])
    if "dask" in sys.modules:
        sys.modules["dask"].config.refresh()  # it has read the environment of before
    time.tzset()
    os.chdir(order["folder"])
    sys.path[0] = order["folder"]
    sys.argv = [order["module"], *order["arguments"]]


def _stream(descriptor: int, before: io.TextIOWrapper) -> IO[str]:
    """A standard stream as the interpreter makes it."""
    return open(
        descriptor,
        "r" if descriptor == 0 else "w",
        encoding=before.encoding,
        errors=before.errors,
        buffering=1 if descriptor == 2 else -1,
        closefd=False,
    )


if __name__ == "__main__":
    import_all_of_it()
    wanted = _serve(socket.socket(fileno=int(sys.argv[1])))
    if wanted is not None:
        runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)
