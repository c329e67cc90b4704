"""Unix sockets for their owner alone, wherever there is room for one."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["PREFIX", "is_own_peer", "listen", "peer_uid", "stop_listening"]

PREFIX: Final = "turboupload-job-"
"""The folder of a socket that could not be made in the state folder begins with this."""

MOST_PATH_BYTES: Final = 100
"""What a socket's path may have: 104 on macOS, 108 on Linux, with a zero at the end."""

_UCRED: Final = struct.Struct("3i")  # pid, uid, gid


def listen(wanted: Path) -> tuple[socket.socket, Path]:
    """Listens for this user's processes.

    Args:
        wanted: Where, in a folder that only the user may enter. Where that path is too long for a
            socket, or its file system has none, a new folder under `/tmp` takes its place.

    Returns:
        The socket, which doesn't block, and where it is.

    Raises:
        OSError: There is none, as in a sandbox that forbids it.
    """
    if len(os.fsencode(wanted)) <= MOST_PATH_BYTES:
        with contextlib.suppress(OSError):
            return _listen(wanted), wanted
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short_folder()))
    try:
        path = folder / "sock"
        return _listen(path), path
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


def _short_folder() -> str:
    told = tempfile.gettempdir()
    return told if len(os.fsencode(told)) <= MOST_PATH_BYTES - 32 else "/tmp"  # noqa: S108


def _listen(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # of a process that had this number and is dead
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(8)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def stop_listening(path: Path) -> None:
    """Removes a socket, and the folder that was made for it."""
    with contextlib.suppress(OSError):
        path.unlink()
        if path.parent.name.startswith(PREFIX):
            path.parent.rmdir()


def is_own_peer(uid: int | None) -> bool:
    """Whether somebody may ask: this user alone.

    Args:
        uid: As `peer_uid` says. Where the system doesn't, the folder keeps the others out.
    """
    return uid is None or uid == os.geteuid()


def peer_uid(peer: socket.socket) -> int | None:
    """The user at the other end; None where the system never says, -1 where it doesn't say now.

    Args:
        peer: A connection; only its options are read.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    try:
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    except OSError:
        return -1
    return int(uid)
