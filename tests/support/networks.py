"""Hosts with addresses of their own: network namespaces of Linux, plugged into one bridge."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["NetworkRefused", "Networks", "enter"]

T = TypeVar("T")

CLONE_NEWNET: Final = 0x40000000
PREFIX: Final = "10.77.0"
SWITCH: Final = "switch"


class NetworkRefused(Exception):
    """This machine, or what we may do on it, has no network namespaces."""


def enter(network: str | os.PathLike[str]) -> None:
    """Takes the calling thread into a namespace; children that it forks are in it, too.

    Args:
        network: As `Networks.path` tells it.

    Raises:
        OSError: It can't be entered.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(network))
    finally:
        os.close(descriptor)


class Networks:
    """Hosts on a switch, which has a namespace too: the machine's own network stays as it is.

    Args:
        names: Of the hosts, each of at most 15 letters: they are interfaces, too.
    """

    def __init__(self, *names: str) -> None:
        self._tag = f"t{uuid.uuid4().hex[:6]}"
        self._names = names
        self._made: list[str] = []

    def open(self) -> None:
        """Makes them.

        Raises:
            NetworkRefused: It is not possible here; the message is what `ip` said.
        """
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Removes them; who is still in one keeps it."""
        while self._made:
            _ip("netns", "del", self._full(self._made.pop()))

    def _make(self) -> None:
        self._add(SWITCH)
        self._in(SWITCH, "link", "add", "bridge", "type", "bridge")
        self._in(SWITCH, "addr", "add", f"{PREFIX}.1/24", "dev", "bridge")
        self._in(SWITCH, "link", "set", "bridge", "up")
        for name in self._names:
            self._add(name)
            peer = ("peer", "name", name, "netns", self._full(SWITCH))
            self._in(name, "link", "add", "eth0", "type", "veth", *peer)
            self._in(SWITCH, "link", "set", name, "master", "bridge", "up")
            self._in(name, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            self._in(name, "link", "set", "eth0", "up")
            self._in(name, "route", "add", "default", "via", f"{PREFIX}.1")

    def _add(self, name: str) -> None:
        _ip("netns", "add", self._full(name))
        self._made.append(name)
        self._in(name, "link", "set", "lo", "up")

    def _full(self, name: str) -> str:
        return f"{self._tag}-{name}"

    def _in(self, name: str, *words: str) -> None:
        _ip("-n", self._full(name), *words)

    def address(self, name: str) -> str:
        """A host's address."""
        return f"{PREFIX}.{self._names.index(name) + 2}"

    def path(self, name: str) -> Path:
        """What `enter` takes."""
        return Path("/run/netns") / self._full(name)

    def cut(self, name: str) -> None:
        """Pulls a host's plug out of the switch."""
        self._in(SWITCH, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        """Puts it back."""
        self._in(SWITCH, "link", "set", name, "up")

    def call(self, name: str, ask: Callable[[], T]) -> T:
        """Calls something in a thread that is on a host."""
        with ThreadPoolExecutor(1, initializer=enter, initargs=(self.path(name),)) as pool:
            return pool.submit(ask).result()


def _ip(*words: str) -> None:
    command = shutil.which("ip")
    if command is None:
        raise NetworkRefused("there is no command `ip` (Debian's iproute2)")
    done = subprocess.run([command, *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise NetworkRefused(f"`ip {' '.join(words)}`: {done.stderr.strip()}")
