"""The places in which processes share a quota: a file, and a Redis server."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from turboupload.core.rate.share import NothingShared, QuotaShare, ShareFailed
from turboupload.core.rate.turns import Turns, next_turn
from turboupload.errors import ConfigError
from turboupload.state import quota_file
from turboupload.state.quota_file import HEADER, SLOT_BYTES, QuotaFile
from turboupload.state.quota_redis import QuotaRedis

PART = "UploadReadSetPart"
ACCOUNT, HERE = "AKIASECRETSECRET1234", "us-east-1"


def ten(turns: Turns | None, now: float) -> tuple[Turns, float]:
    return next_turn(turns, 10.0, now)


def at(path: Path, account: str = ACCOUNT, where: str = HERE) -> QuotaFile:
    return QuotaFile(path, account, where, private=True)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        server,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    command += ["--requirepass", "verysecret"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"redis://:verysecret@127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[QuotaShare]]:
    """Two that share one place, as two processes would."""
    shares: list[QuotaShare]
    if request.param == "file":
        shares = [at(tmp_path / "quota.share"), at(tmp_path / "quota.share")]
    else:
        url = request.getfixturevalue("redis_url")
        where = str(tmp_path)
        shares = [QuotaRedis(url, ACCOUNT, where), QuotaRedis(url, ACCOUNT, where)]
    yield shares
    for each in shares:
        each.close()


def test_two_take_their_turns_from_one_place(place: list[QuotaShare]) -> None:
    at_once = time.time()
    take = partial(_at, at_once)
    waits = [place[number % 2].take(PART, take) for number in range(10)]
    assert waits[:5] == [0.0] * 5
    # A little more than a tenth, lest a call come too early.
    assert waits[5:] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], rel=0.03, abs=0.005)
    assert place[0].take("ListReadSets", take) == 0.0


def _at(moment: float, turns: Turns | None, now: float) -> tuple[Turns, float]:
    """A turn at that moment, however long the place takes to answer."""
    assert abs(now - moment) < 60.0, "all who share a place read one clock"
    return next_turn(turns, 10.0, moment)


def test_many_threads_at_once_take_each_turn_once(place: list[QuotaShare]) -> None:
    waits: list[float] = []
    slow = partial(next_turn, per_s=1.0)

    def take(share: QuotaShare) -> None:
        for _ in range(10):
            waits.append(share.take(PART, lambda turns, now: slow(turns, now=now)))

    threads = [threading.Thread(target=take, args=(place[n % 2],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = sorted(round(each) for each in waits)
    # A second is much longer than all of this takes.
    assert taken == pytest.approx([number * 1.02 for number in range(60)], abs=1.5)


def test_another_account_and_another_endpoint_have_their_own(tmp_path: Path) -> None:
    path = tmp_path / "quota.share"
    for _ in range(20):
        at(path).take(PART, ten)
    assert at(path, account="another").take(PART, ten) == 0.0
    assert at(path, where="eu-west-1").take(PART, ten) == 0.0
    assert at(path).take(PART, ten) > 1.0
    content = path.read_bytes()
    assert ACCOUNT.encode() not in content
    assert path.stat().st_mode & 0o777 == 0o600


def _take_for_ever(path: Path) -> None:
    share = at(path)
    while True:
        share.take(PART, ten)


def test_a_process_that_is_killed_at_any_moment_leaves_a_file_that_can_be_used(
    tmp_path: Path,
) -> None:
    path = tmp_path / "quota.share"
    context = multiprocessing.get_context("fork")
    for moment in range(8):
        process = context.Process(target=_take_for_ever, args=(path,), daemon=True)
        process.start()
        time.sleep(0.02 + 0.003 * moment)
        process.kill()
        process.join()
        assert at(path).take(PART, ten) >= 0.0
    assert path.stat().st_size == 2 * SLOT_BYTES


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, HEADER[:1], HEADER[:20], HEADER[:63], HEADER, HEADER + b"\xff" * 30],
)
def test_what_a_crash_may_leave_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "quota.share"
    path.write_bytes(content)
    assert [at(path).take(PART, ten) for _ in range(6)][-1] > 0.0
    assert path.read_bytes().startswith(HEADER)


def test_a_damaged_slot_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "quota.share"
    for _ in range(100):
        at(path).take(PART, ten)
    content = bytearray(path.read_bytes())
    content[SLOT_BYTES + 20] ^= 0xFF
    path.write_bytes(content)
    assert at(path).take(PART, ten) == 0.0


def test_a_full_file_reuses_what_was_used_longest_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_file, "MOST_SLOTS", 3)
    path = tmp_path / "quota.share"
    for number in range(5):
        for _ in range(20):
            at(path, account=str(number)).take(PART, ten)
        time.sleep(0.02)
    assert path.stat().st_size == 4 * SLOT_BYTES
    assert at(path, account="4").take(PART, ten) > 1.0
    assert at(path, account="3").take(PART, ten) > 1.0


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("foreign", "something else is in it"),
        ("long", "something else is in it"),
        ("folder", "Is a directory"),
        ("pipe", "not a regular file"),
        ("link", "symbolic links"),
    ],
)
def test_what_is_no_share_is_left_alone(tmp_path: Path, what: str, said: str) -> None:
    path = tmp_path / "quota.share"
    match what:
        case "foreign":
            path.write_text("sample,subject\n")
        case "long":  # such as an image of a disk that begins with nothing
            path.touch()
            os.truncate(path, 1 << 20)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ShareFailed, match=said):
        at(path).take(PART, ten)
    if what == "foreign":
        assert path.read_text() == "sample,subject\n"
    if what == "long":
        assert not path.read_bytes().strip(b"\0")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "quota.share"
    with pytest.raises(NothingShared):
        at(path).take(PART, ten)
    with pytest.raises(ShareFailed, match="No such file"):
        QuotaFile(path, ACCOUNT, HERE, private=False).take(PART, ten)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    "turns", [(1e9, 1e300, 1.0, 0.0), (1e9, 0.0, 0.0, 0.0), (float("nan"), 0.0, 1.0, 0.0)]
)
def test_turns_that_cannot_be_are_not_believed(
    tmp_path: Path, turns: tuple[float, float, float, float]
) -> None:
    path = tmp_path / "quota.share"
    at(path).take(PART, ten)
    slot = path.read_bytes()[SLOT_BYTES : SLOT_BYTES + 16] + struct.pack("<4d", *turns)
    path.write_bytes(HEADER + slot + struct.pack("<I", zlib.crc32(slot)))
    assert at(path).take(PART, ten) == 0.0


def test_a_lock_that_nobody_gives_back_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_file, "LOCK_S", 0.1)
    path = tmp_path / "quota.share"
    share = at(path)
    share.take(PART, ten)
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(ShareFailed, match="another program holds its lock"):
            share.take(PART, ten)
    assert share.take(PART, ten) == 0.0


def test_a_file_that_was_deleted_is_made_again_by_all(tmp_path: Path) -> None:
    path = tmp_path / "quota.share"
    first, second = at(path), at(path)
    for each in (first, second):
        each.take(PART, ten)
    path.unlink()
    waits = [each.take(PART, ten) for _ in range(4) for each in (first, second)]
    assert waits[-1] > 0.1


def test_a_server_that_is_gone_is_said_without_its_password(redis_url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"redis://:verysecret@127.0.0.1:{free.getsockname()[1]}/0"
    with pytest.raises(ShareFailed, match=r"redis://…@127\.0\.0\.1") as failed:
        QuotaRedis(url, ACCOUNT, HERE).take(PART, ten)
    assert "verysecret" not in str(failed.value)
    wrong = redis_url.replace("verysecret", "wrong")
    with pytest.raises(ShareFailed, match=r"(?i)password|auth") as failed:
        QuotaRedis(wrong, ACCOUNT, HERE).take(PART, ten)
    assert ":wrong@" not in str(failed.value)


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError, match="not the URL of a Redis server") as failed:
        QuotaRedis("redis://:verysecret@host:port/0", ACCOUNT, HERE)
    assert "verysecret" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://127.0.0.1:1/0?password=verysecret", r"redis://127\.0\.0\.1:1/0\?…: "),
        ("redis://127.0.0.1:1/0?password=very@secret", "redis://…: "),
        (
            "redis://:verysecret@127.0.0.1:1/0?unknown=1",
            r"redis://…@127\.0\.0\.1:1/0\?…: .*unknown",
        ),
        (
            "redis://127.0.0.1:1/0?socket_timeout=x&password=verysecret",
            "not the URL of a Redis server",
        ),
        ("redis://:very/secret@127.0.0.1:1/0", "not the URL of a Redis server"),
        ("redis://:very?secret@127.0.0.1:1/0", "not the URL of a Redis server"),
        ("unix:///nowhere/redis?password=verysecret", r"unix:///nowhere/redis\?…: "),
        (f"redis://:verysecret@{'a' * 70}.example/0", r"redis://…@a+\.example/0: "),
    ],
)
def test_a_url_that_does_not_work_is_said_without_what_may_be_a_secret(url: str, said: str) -> None:
    with pytest.raises((ConfigError, ShareFailed), match=said) as failed:
        QuotaRedis(url, ACCOUNT, HERE).take(PART, ten)
    assert "very" not in str(failed.value)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("name", ["a\0b", "half \ud800"])
def test_a_path_that_cannot_be_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(ShareFailed, match=r"null byte|can't encode"):
        QuotaFile(tmp_path / name, ACCOUNT, HERE, private=False).take(PART, ten)


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match="not installed") as failed:
        QuotaRedis("redis://host/0", ACCOUNT, HERE)
    assert failed.value.hint == "pip install 'turboupload[redis]'"
