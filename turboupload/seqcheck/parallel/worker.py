"""A worker process that checks ranges of a file, or of text in shared memory.

Checking records is Python code, which the interpreter lock limits to one thread a process. A worker
is `python -m turboupload.seqcheck.parallel.worker`; it inherits the open file, ends when its
standard input ends, and ignores Ctrl-C. A worker that couldn't be started, or has died, answers
nothing.

Memory: about 40 MiB a process, and at most 8 answers waiting, of a tenth of 4 MiB or so.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from msgspec import structs

from turboupload.seqcheck.parallel.pipes import widen
from turboupload.seqcheck.parallel.ranges import check_range, check_text
from turboupload.seqcheck.parallel.result import RangeResult
from turboupload.value import Value

__all__ = ["MAX_IN_FLIGHT", "Question", "Worker"]

MAX_IN_FLIGHT = 8
"""How many unanswered questions a worker may have."""

_POLL_S = 0.1
_LENGTH = struct.Struct("<II")
_ENVIRONMENT = {
    # Make glibc keep freed memory: returning it and mapping it anew for every piece of content
    # costs a sixth of the time. Older versions take no threshold above 32 MiB; other C libraries
    # don't read these.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024),
    # numpy would start a thread for each processor for linear algebra, which we don't use.
    "OPENBLAS_NUM_THREADS": "1",
}

_Answer = tuple[dict[str, Any], bytes]


class Question(Value, frozen=True):
    """What a worker shall check.

    Attributes:
        offset: Offset of the range, in bytes.
        length: Its length in bytes.
        text: Whether the range is a FASTQ's text rather than whole BGZF blocks.
        sequences: How many reference sequences a BAM's header lists; None for a FASTQ.
        names: Whether to return the names of a FASTQ's reads.
    """

    offset: int
    length: int
    text: bool = False
    sequences: int | None = None
    names: bool = False


class Worker:
    """One worker process, and a thread that reads its answers, so that the worker never waits."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        self._answers: queue.Queue[_Answer | None] = queue.Queue(MAX_IN_FLIGHT)
        self._lost = False
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._take_answers, args=(process,), name="worker")
        self._reader.start()

    @classmethod
    def start(cls, descriptor: int) -> Worker:
        """Starts a worker; if that fails, returns one that answers nothing.

        Args:
            descriptor: The file, or the shared memory, that questions refer to.
        """
        if not sys.executable or getattr(sys, "frozen", False):
            return cls(None)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(descriptor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                env={**_ENVIRONMENT, **os.environ, "PYTHONPATH": path},
                process_group=0,
            )
        except OSError:
            return cls(None)
        widen(process.stdout)
        return cls(process)

    @property
    def lost(self) -> bool:
        """Whether the worker has died."""
        return self._lost

    def ask(self, question: Question) -> None:
        """Asks the next question; at most `MAX_IN_FLIGHT` may be open."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        # A dead worker is noticed because its answer is missing.
        with contextlib.suppress(OSError):
            _write(self._process.stdin, structs.asdict(question))

    def answer(self, stopped: Callable[[], bool]) -> RangeResult | None:
        """The answer to the oldest open question.

        Args:
            stopped: Called now and then; True if the answer is no longer needed.

        Returns:
            None if the worker had no result, has died, or `stopped` returned True.
        """
        while not self._lost and not stopped():
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=_POLL_S)
                self._lost = answer is None
                return None if answer is None else _unpacked(answer)
        return None

    def end(self) -> None:
        """Kills the process."""
        self._ended.set()
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
        self._reader.join()
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                # Unwritten questions are dropped.
                with contextlib.suppress(OSError):
                    pipe.close()

    def _take_answers(self, process: subprocess.Popen[bytes] | None) -> None:
        while process is not None:
            assert process.stdout is not None
            answer = _read(process.stdout)
            if answer is None:
                break
            self._put(answer)
        self._put(None)

    def _put(self, answer: _Answer | None) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(queue.Full):
                self._answers.put(answer, timeout=0.1)
                return


def _write(pipe: IO[bytes], about: dict[str, Any], data: bytes = b"") -> None:
    text = json.dumps(about).encode()
    pipe.write(_LENGTH.pack(len(text), len(data)) + text + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> _Answer | None:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    about, data = _LENGTH.unpack(head)
    body = pipe.read(about + data)
    if len(body) < about + data:
        return None
    return json.loads(body[:about]), body[about:]


_BLOBS = ("head", "tail", "templates")


def _packed(result: RangeResult | None) -> _Answer:
    if result is None:
        return {}, b""
    fields = structs.asdict(result)
    blobs = [fields.pop(name) for name in _BLOBS]
    return {"fields": fields, "blobs": [len(blob) for blob in blobs]}, b"".join(blobs)


def _unpacked(answer: _Answer) -> RangeResult | None:
    about, data = answer
    if not about:
        return None
    blobs: dict[str, Any] = {}
    at = 0
    for name, length in zip(_BLOBS, about["blobs"], strict=True):
        blobs[name] = data[at : at + length]
        at += length
    return RangeResult(**blobs, **about["fields"])


def _work(descriptor: int) -> None:
    """Answers questions until there are no more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while (message := _read(questions)) is not None:
        asked = Question(**message[0])
        if asked.text:
            found = check_text(descriptor, asked.offset, asked.length, names=asked.names)
        else:
            found = check_range(
                descriptor,
                asked.offset,
                asked.length,
                sequences=asked.sequences,
                names=asked.names,
            )
        _write(answers, *_packed(found))


if __name__ == "__main__":
    # The parent process may end at any moment.
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        _work(int(sys.argv[1]))
    os._exit(0)
