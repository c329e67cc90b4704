"""Places in which the processes of a round share their quota, and what of them can be killed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support.dask_cluster import free_port

__all__ = ["FileShare", "NoShare", "RedisShare", "Share"]

PATIENCE_S: Final = 30.0
REDIS: Final = shutil.which("redis-server") or ""

HOLDER: Final = """
import sys, time
from pathlib import Path
from turboupload.state.quota_file import QuotaFile

def hold(turns, now):
    print("holding", flush=True)
    time.sleep(600)

QuotaFile(Path(sys.argv[1]), "holder", "here", private=False).take("UploadReadSetPart", hold)
"""
"""Takes a turn, and is killed while it does: it has the file's lock all the while."""


class NoShare:
    """Each host has its part of the quota from the coordinator."""

    url: str | None = None
    victim: str | None = None

    def start(self) -> None:
        """Nothing is to be started."""

    def strike(self, for_s: float) -> None:
        """Nothing is to be killed."""

    def stop(self) -> None:
        """Nothing is to be stopped."""


class FileShare(NoShare):
    """A file, whose lock somebody holds for a while and is killed with it.

    Args:
        path: The file.
    """

    victim = "holder"

    def __init__(self, path: Path) -> None:
        self.url = str(path)

    def strike(self, for_s: float) -> None:
        """Has a process take the lock, and kills it after so many seconds."""
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.url)], stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            time.sleep(for_s)
            holder.kill()


class RedisShare(NoShare):
    """A Redis server that keeps nothing, and forgets all turns when it is killed."""

    victim = "redis"

    def __init__(self) -> None:
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    @staticmethod
    def there() -> bool:
        """Whether Debian's server is installed."""
        return bool(REDIS)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._server = subprocess.Popen(
            [REDIS, "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1.0):
                return
            time.sleep(0.05)
        raise TimeoutError("redis-server does not start")

    def strike(self, for_s: float) -> None:
        """Kills it, and starts it again after so many seconds."""
        self.stop()
        time.sleep(for_s)
        self.start()

    def stop(self) -> None:
        """Kills it."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None


Share = NoShare | FileShare | RedisShare


def all_of_them(folder: Path) -> list[Callable[[], Share]]:
    """Each of them that there is here."""
    file = folder / "quota.share"
    kinds: list[Callable[[], Share]] = [NoShare, lambda: FileShare(file)]
    return [*kinds, RedisShare] if RedisShare.there() else kinds
