"""The command in processes that end, stop or are interrupted on an edge of an upload's life.

`python -m tests.support.edges` imports the command once and forks a child for every run, which
then is `turboupload` with its own arguments, environment, stdout and stderr; see `launcher`. Around
each durable step, each call and each read of a part stands a mark. Passing one is an edge: it is
written to a log, and where it is the one that was asked for, the process kills, stops or
interrupts itself then and there. The product knows nothing of this.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from functools import wraps
from typing import Any, Final

from tests.support.quickstart import import_all_of_it
from turboupload.cli.main import main
from turboupload.core.model import Part
from turboupload.core.upload.events import Event, PartSeen
from turboupload.files.source import PartReader
from turboupload.omics.connection import Connection
from turboupload.state.journal import Journal
from turboupload.state.journal_rows import write_event

READ_BYTES: Final = 4096
"""A part is read in pieces of so many bytes, so that even a small one has a middle."""

CALLS: Final = {
    "CreateMultipartReadSetUpload": "Create",
    "UploadReadSetPart": "SendPart",
    "ListReadSetUploadParts": "ListParts",
    "ListMultipartReadSetUploads": "ListUploads",
    "CompleteMultipartReadSetUpload": "Complete",
    "GetReadSetMetadata": "GetReadSet",
    "ListReadSets": "ListReadSets",
    "AbortMultipartReadSetUpload": "Abort",
}

DEEDS: Final = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGSTOP,
    "interrupt": signal.SIGINT,
    "terminate": signal.SIGTERM,
}


DEED_MARK: Final = "done at "
"""Begins the line of the log that says when the deed was done, in seconds."""


class Edges:
    """Marks that a process passes.

    Args:
        log: The file to write each edge to, one a line.
        edge: Where to do the deed.
        deed: What to do there; see `DEEDS`.
    """

    def __init__(self, log: str, edge: str | None, deed: str) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._edge = edge
        self._signal = DEEDS[deed]
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def passes(self, name: str) -> None:
        with self._lock:
            self._passed[name] += 1
            times = self._passed[name]
            edge = name if times == 1 else f"{name} ({times})"
            os.write(self._log, f"{edge}\n".encode())
            if edge == self._edge:
                os.write(self._log, f"{DEED_MARK}{time.monotonic()}\n".encode())
                os.kill(os.getpid(), self._signal)

    def watch(self) -> None:
        """Puts the marks around what the command is made of."""
        self._watch_calls()
        self._watch_append()
        self._watch_reads()

    def _watch_calls(self) -> None:
        send = Connection.send

        @wraps(send)
        async def watched(
            connection: Connection, operation: str, arguments: Any, payload: Any
        ) -> Any:
            name = CALLS[operation]
            if payload is not None:
                name += f" {arguments['partSource'][-1]}/{arguments['partNumber']}"
            self.passes(f"before {name}")
            reply = await send(connection, operation, arguments, payload)
            self.passes(f"after {name}")
            return reply

        setattr(Connection, "send", watched)  # noqa: B010 - mypy has no word for such a mark

    def _watch_append(self) -> None:
        append = Journal.append

        @wraps(append)
        def watched(journal: Journal, events: Iterable[tuple[str, Event]]) -> None:
            rows = list(events)
            for _, event in rows:
                self.passes(f"before the row {_row(event)}")
            append(journal, rows)
            for _, event in rows:
                self.passes(f"after the row {_row(event)}")

        setattr(Journal, "append", watched)  # noqa: B010 - mypy has no word for such a mark

    def _watch_reads(self) -> None:
        readinto = PartReader.readinto

        @wraps(readinto)
        def watched(reader: PartReader, buffer: memoryview) -> int:
            if reader._hashed < reader._part.size:
                self.passes(f"part {_place(reader._part)} from byte {reader._hashed}")
            return readinto(reader, buffer[:READ_BYTES])

        setattr(PartReader, "readinto", watched)  # noqa: B010 - mypy has no word for such a mark


def _place(part: Part) -> str:
    return f"{str(part.source)[-1]}/{part.number}"


def _row(event: Event) -> str:
    kind, _ = write_event(event)
    return f"{kind} {_place(event.part)}" if isinstance(event, PartSeen) else kind


class Server:
    """Forks a child for each run; speaks JSON, a line a message, on stdin and stdout."""

    def serve(self) -> None:
        """Until stdin ends."""
        import_all_of_it()
        print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - the protocol
        for line in sys.stdin:
            order = json.loads(line)
            answer = self._start(order) if "arguments" in order else _look(order["pid"])
            print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol

    def _start(self, order: dict[str, Any]) -> dict[str, Any]:
        pid = os.fork()
        if pid == 0:
            _run(order)
        return {"pid": pid}


def _look(pid: int) -> dict[str, Any]:
    """How a child fares: nothing while it runs, else how it ended or that it stopped."""
    found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
    if not found:
        return {}
    if os.WIFSTOPPED(status):
        return {"stopped": True}
    return {"code": os.waitstatus_to_exitcode(status), "at": time.monotonic()}


def _run(order: dict[str, Any]) -> None:
    """Becomes the command; the interpreter ends as it always does, by SystemExit."""
    for descriptor, path in enumerate((os.devnull, order["stdout"], order["stderr"])):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["turboupload", *order["arguments"]]
    if order.get("log") is not None:
        Edges(order["log"], order.get("edge"), order.get("deed") or "kill").watch()
    main()


if __name__ == "__main__":
    Server().serve()
