from __future__ import annotations

import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.model import Part, PartSource
from turboupload.errors import InputError, SourceChanged, Stopped
from turboupload.files.source import (
    PartReaders,
    check_unchanged,
    inspect_source,
    read_digest,
)

ONE = PartSource.SOURCE1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "reads.gz"
    made.write_bytes(bytes(range(256)) * 40)
    return made


def read_all(path: Path, part: Part, buffer_size: int, checksum: str = "sha256") -> bytes:
    source = inspect_source(str(path), ONE)
    out = bytearray()
    buffer = memoryview(bytearray(buffer_size))
    readers = PartReaders([source], checksum=checksum)  # type: ignore[arg-type] # literals
    reader = readers.reader(part)
    assert len(reader) == part.size
    while count := reader.readinto(buffer):
        reader.hash_chunk(buffer[:count])
        out += buffer[:count]
    digest = reader.digest()
    assert digest["xxh3"] == xxhash.xxh3_128(bytes(out)).digest()
    assert digest.get("sha256") == (hashlib.sha256(out).digest() if checksum == "sha256" else None)
    return bytes(out)


@given(
    offset=st.integers(0, 10_000),
    size=st.integers(1, 3000),
    buffer_size=st.integers(1, 4000),
    checksum=st.sampled_from(["sha256", "xxh3"]),
)
def test_a_part_is_read_exactly_and_hashed_as_it_passes(
    tmp_path_factory: pytest.TempPathFactory,
    offset: int,
    size: int,
    buffer_size: int,
    checksum: str,
) -> None:
    path = tmp_path_factory.getbasetemp() / "exact.gz"
    data = bytes(range(256)) * 40
    if not path.exists():
        path.write_bytes(data)
    size = min(size, len(data) - offset)
    part = Part(ONE, 1, offset, size)
    assert read_all(path, part, buffer_size, checksum) == data[offset : offset + size]


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    one, other = inspect_source(str(path), ONE), inspect_source(str(copy), ONE)
    assert one.fingerprint == other.fingerprint
    assert one.files[0].identity != other.files[0].identity
    copy.write_bytes(path.read_bytes()[:-1] + b"!")
    assert inspect_source(str(copy), ONE).fingerprint != one.fingerprint
    copy.write_bytes(path.read_bytes() + b"!")
    assert inspect_source(str(copy), ONE).fingerprint != one.fingerprint


def test_what_cannot_be_read_in_parts_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        cases = {
            "missing": "no such file",
            "empty": "empty",
            "pipe": "pipe",
            "socket": "socket",
            ".": "folder",
            "empty/below": "no such file",
            "a\0b": "null",
        }
        for name, message in cases.items():
            with pytest.raises(InputError, match=message):
                inspect_source(str(tmp_path / name), ONE)
    with pytest.raises(InputError, match="device"):
        inspect_source("/dev/null", ONE)
    with pytest.raises(InputError) as caught:
        inspect_source(str(tmp_path / "empty" / "below"), ONE)
    assert "not a folder" in str(caught.value.hint)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_rejected(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        inspect_source(str(path), ONE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("grow", "had 10,240 bytes and has 10,244"),
        ("shrink", "had 10,240 bytes and has 5"),
        ("touch", "was written to"),
        ("replace", "another file has taken its place"),
        ("delete", "can no longer be reached"),
    ],
)
@pytest.mark.parametrize("when", ["before", "within"])
def test_a_change_is_noticed_before_and_within_a_part(
    path: Path, change: str, message: str, when: str
) -> None:
    source = inspect_source(str(path), ONE)
    reader = PartReaders([source], checksum="sha256").reader(Part(ONE, 1, 0, 1000))
    if when == "within":
        reader.readinto(memoryview(bytearray(100)))
    match change:
        case "grow":
            with path.open("ab") as file:
                file.write(b"more")
        case "shrink":
            os.truncate(path, 5)
        case "touch":
            os.utime(path, ns=(1, 1))
        case "replace":
            new = path.with_name("new")
            new.write_bytes(path.read_bytes())
            new.replace(path)
        case "delete":
            path.unlink()
    with pytest.raises(SourceChanged, match=message):
        read_digest(reader, threading.Event(), chunk_bytes=100)
    with pytest.raises(ValueError, match="bytes were hashed"):
        reader.digest()
    with pytest.raises(SourceChanged):
        check_unchanged([source])


def test_a_read_error_says_where_and_keeps_what_was_sent(path: Path) -> None:
    source = inspect_source(str(path), ONE)
    reader = PartReaders([source], checksum="sha256").reader(Part(ONE, 2, 512, 1000))
    reader.readinto(memoryview(bytearray(100)))
    assert reader._open is not None
    os.close(reader._open._descriptor)
    with pytest.raises(Stopped, match="byte 612") as caught:
        reader.readinto(memoryview(bytearray(100)))
    assert caught.value.path == str(path)


def test_a_read_that_nobody_wants_ends_at_its_next_chunk(path: Path) -> None:
    source = inspect_source(str(path), ONE)
    stop = threading.Event()
    stop.set()
    reader = PartReaders([source], checksum="sha256").reader(Part(ONE, 1, 0, 1000))
    with pytest.raises(ValueError, match="0 of 1000"):
        read_digest(reader, stop)
