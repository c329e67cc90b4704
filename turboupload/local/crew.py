"""Processes beside this one that check ranges of a file.

Checking records is Python's work, of which one process does one thread's worth at a time, however
many processors there are. So a long check shares it out: `check_ranges` hands ranges of BGZF
blocks to processes of their own and gives their outcomes back in the file's order. (A plain gzip
file can only be read from its start; a process that inflated it for us was measured to gain
nothing, since moving the text costs what it saves.)

The processes are `python -m turboupload.local.crew`; they get the open file itself, end with their
standard input, and hear no Ctrl-C meant for us. Where one can't be started or dies, there is no
outcome, and the caller does the work itself.

Memory: about 40 MiB a process, and at most 8 answers waiting for each, of a tenth of 4 MiB or so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import IO, Any

from turboupload.local.bgzf import block_size
from turboupload.local.outcome import Outcome
from turboupload.local.ranges import check_range

__all__ = ["Range", "check_ranges"]

_RANGE_BYTES = 1024 * 1024
_CONTENT_BYTES = 8 * 1024 * 1024
_AHEAD = 8
_LOOK_S = 0.1
_PIPE_BYTES = 1024 * 1024
_HEADER_BYTES = 64
_LENGTH_BYTES = 4
_LENGTH = struct.Struct("<II")
_ENVIRONMENT = {
    # glibc keeps what was freed: to give it back and have it mapped afresh, a page at a time, for
    # every piece of content costs a sixth of the time. Older versions take no threshold above
    # 32 MiB; other C libraries don't read these.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024),
    # numpy would start a thread a processor for linear algebra, of which there is none here.
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbouring whole BGZF blocks: where they start and how long they are, in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where the next range starts, in bytes."""
        return self.offset + self.length


def check_ranges(
    descriptor: int,
    size: int,
    start: int,
    *,
    workers: int,
    sequences: int | None,
    names: bool,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Range, Outcome | None], None, None]:
    """Has the blocks from `start` on checked, as far as their chain goes and processes last.

    Args:
        descriptor: The file, open.
        size: Its size in bytes.
        start: Where a block starts, in bytes.
        workers: How many processes to use.
        sequences: How many reference sequences a BAM's header lists; None for a FASTQ.
        names: Whether the names of a FASTQ's reads are wanted.
        stopped: Asked now and then whether to end early.
    """
    crew = [_Worker.start(descriptor) for _ in range(workers)]
    pending: deque[tuple[Range, _Worker]] = deque()
    try:
        for index, each in enumerate(_ranges(descriptor, size, start)):
            worker = crew[index % len(crew)]
            worker.ask(
                {
                    "offset": each.offset,
                    "length": each.length,
                    "sequences": sequences,
                    "names": names,
                }
            )
            pending.append((each, worker))
            if len(pending) < _AHEAD * len(crew):
                continue
            done, worker = pending.popleft()
            if (answer := worker.answer(stopped)) is None:
                return
            yield done, _outcome(answer)
        while pending:
            done, worker = pending.popleft()
            if (answer := worker.answer(stopped)) is None:
                return
            yield done, _outcome(answer)
    finally:
        for worker in crew:
            worker.end()


def _ranges(descriptor: int, size: int, start: int) -> Iterator[Range]:
    """Follows the chain of blocks by their headers, up to where it breaks or the file ends."""
    first = at = start
    content = 0
    head = os.pread(descriptor, _HEADER_BYTES, at)
    while at < size:
        length = block_size(head)
        if length is None or at + length > size:
            break
        at += length
        # A block ends with the length of its content.
        ahead = os.pread(descriptor, _LENGTH_BYTES + _HEADER_BYTES, at - _LENGTH_BYTES)
        content += int.from_bytes(ahead[:_LENGTH_BYTES], "little")
        head = ahead[_LENGTH_BYTES:]
        if at - first >= _RANGE_BYTES or content >= _CONTENT_BYTES:
            yield Range(first, at - first)
            first, content = at, 0
    if at > first:
        yield Range(first, at - first)


_Answer = tuple[dict[str, Any], bytes]


class _Worker:
    """One process, and a thread that takes its answers, so that it never waits to be asked.

    Once it has failed it answers nothing more.
    """

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        self._answers: queue.Queue[_Answer | None] = queue.Queue(_AHEAD)
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._take_answers, args=(process,), name="crew")
        self._reader.start()

    @classmethod
    def start(cls, descriptor: int) -> _Worker:
        """Starts one; where that is impossible, it is one that answers nothing."""
        if not sys.executable or getattr(sys, "frozen", False):
            return cls(None)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "turboupload.local.crew", str(descriptor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                env={**_ENVIRONMENT, **os.environ, "PYTHONPATH": path},
                process_group=0,
            )
        except OSError:
            return cls(None)
        _widen(process.stdout)
        return cls(process)

    def ask(self, question: dict[str, Any]) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        # One that has died is noticed when it doesn't answer.
        with contextlib.suppress(OSError):
            _write(self._process.stdin, question)

    def answer(self, stopped: Callable[[], bool]) -> _Answer | None:
        """The next answer; None where there will be none any more, or nobody wants it."""
        while not stopped():
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=_LOOK_S)
        return None

    def end(self) -> None:
        self._ended.set()
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
        self._reader.join()
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                # What is left to be written goes nowhere.
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


def _widen(pipe: IO[bytes] | None) -> None:
    """Lets an answer go through at once: else it would take a dozen wake-ups of both sides."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        # A user's pipes may be limited together; then this one stays as it is.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


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


def _packed(outcome: Outcome | None) -> _Answer:
    if outcome is None:
        return {}, b""
    fields = {
        each.name: getattr(outcome, each.name)
        for each in dataclasses.fields(outcome)
        if each.name not in _BLOBS
    }
    blobs = [getattr(outcome, name) for name in _BLOBS]
    return {"fields": fields, "blobs": [len(blob) for blob in blobs]}, b"".join(blobs)


def _outcome(answer: _Answer) -> Outcome | None:
    about, data = answer
    if not about:
        return None
    blobs: dict[str, Any] = {}
    at = 0
    for name, length in zip(_BLOBS, about["blobs"], strict=True):
        blobs[name] = data[at : at + length]
        at += length
    return Outcome(**blobs, **about["fields"])


def _work(descriptor: int) -> None:
    """Answers questions until there are no more."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while (question := _read(questions)) is not None:
        asked = question[0]
        found = check_range(
            descriptor,
            asked["offset"],
            asked["length"],
            sequences=asked["sequences"],
            names=asked["names"],
        )
        _write(answers, *_packed(found))


if __name__ == "__main__":
    # Whoever asked may be gone at any moment.
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        _work(int(sys.argv[1]))
    os._exit(0)
