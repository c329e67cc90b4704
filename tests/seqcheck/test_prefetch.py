"""Content that passes through buffers comes out as it went in."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.seqcheck.inflate import Damage, DamageKind, Piece
from turboupload.seqcheck.prefetch import BUFFER_BYTES, Prefetched, Prefetcher, in_pieces, prefetch

DAMAGE = Damage(DamageKind.BLOCK, 7, "the block at byte 7 is damaged")
SMALL = 50


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    """What reading a file may give: content with damages here and there."""
    made: list[Piece] = []
    for data, damaged in draw(st.lists(st.tuples(st.binary(max_size=SMALL), st.booleans()))):
        position = (made[-1].position if made else 0) + len(data) + 1
        made.append(Piece(data, position, (DAMAGE,) * damaged))
    return made


def told(found: list[Piece]) -> tuple[bytes, list[tuple[int, int]], int]:
    """The content, after how much of it which position was damaged, and the last position."""
    content, damaged = b"", []
    for piece in found:
        content += piece.data
        damaged += [(len(content), piece.position) for _ in piece.damages]
    last = [piece.position for piece in found if piece.data or piece.damages]
    return content, damaged, last[-1] if last else 0


@given(pieces())
def test_nothing_is_lost_or_moved(given_pieces: list[Piece]) -> None:
    buffers = [memoryview(bytearray(SMALL)) for _ in range(2)]
    found: list[Piece] = []
    with Prefetcher(given_pieces, buffers) as contents:
        for each in contents:
            found += in_pieces([each])
            contents.release(each)
    content, damaged, last = told(found)
    expected, expected_damaged, _ = told(given_pieces)
    assert (content, damaged) == (expected, expected_damaged)
    # An empty piece at a buffer's end may say its position with the next.
    assert last <= (given_pieces[-1].position if given_pieces else 0)


def test_a_large_content() -> None:
    data = [bytes([number]) * 100_000 for number in range(50)]
    given_pieces = [Piece(each, number) for number, each in enumerate(data)]
    found = list(in_pieces(prefetch(given_pieces)))
    assert b"".join(piece.data for piece in found) == b"".join(data)
    assert max(len(piece.data) for piece in found) < 128 * 1024
    assert found[-1].position == 49


def test_whoever_has_time_counts() -> None:
    """The thread ahead counts, unless it is waited for."""

    def count(data: memoryview) -> int:
        return bytes(data).count(b"x")

    first_taken, last_read = threading.Event(), threading.Event()

    def content() -> Iterator[Piece]:
        for number in range(4):
            if number == 2:
                assert first_taken.wait(30)
            # Each fills a buffer by itself.
            yield Piece(b"x" * number + bytes(BUFFER_BYTES - number), number)
        last_read.set()

    found: list[tuple[int, int | None]] = []
    for each in prefetch(content(), count):
        found.append((count(each.data), each.count))
        first_taken.set()
        if len(found) == 1:
            assert last_read.wait(30)
    assert [counted for counted, _ in found] == [0, 1, 2, 3]
    assert found[0][1] is None
    assert found[2][1] == 2
    assert all(by_thread in (None, counted) for counted, by_thread in found)


def test_what_the_reading_raises_comes_after_what_was_read() -> None:
    def broken() -> Iterator[Piece]:
        yield Piece(bytes(BUFFER_BYTES), 1)
        yield Piece(b"abc", 2)
        raise OSError("the disk is gone")

    found: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(each.length for each in prefetch(broken()))
    assert found == [BUFFER_BYTES]


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()

    def endless() -> Iterator[Piece]:
        while True:
            yield Piece(bytes(BUFFER_BYTES), 1)

    contents: Generator[Prefetched, None, None] = prefetch(endless())
    next(contents)
    assert threading.active_count() == before + 1
    contents.close()
    assert threading.active_count() == before


def test_an_interrupt_while_the_thread_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def interrupted(self: threading.Thread) -> None:
        start(self)
        started.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(prefetch(Piece(bytes(BUFFER_BYTES), number) for number in range(9)))
    started[0].join(30)
    assert not started[0].is_alive()
