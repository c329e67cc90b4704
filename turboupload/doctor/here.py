"""What can be found out on this machine: versions, speeds, the state folder, files."""

from __future__ import annotations

import platform
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from turboupload import __version__
from turboupload.core.doctor.facts import FileLook, Machine, Speeds
from turboupload.core.doctor.line import Line, failure_of
from turboupload.core.doctor.machine import judge_folder
from turboupload.doctor.abandonable import in_abandonable_thread
from turboupload.errors import InputError, TurbouploadError
from turboupload.files.digests import HASHERS
from turboupload.files.read_speed import read_bytes_per_s
from turboupload.http.tls_speed import tls_bytes_per_s
from turboupload.runtime.processors import processors, sha_instructions
from turboupload.seqcheck.formats import UNDECIDED, judge_type, look_further, sniff
from turboupload.state.look import look_at_folder
from turboupload.units import KIB

__all__ = ["look_at_file", "look_at_files", "look_at_machine", "look_at_state", "measure_speeds"]

PACKAGES: Final = (
    "aiobotocore", "botocore", "aiohttp", "uvloop", "awscrt", "isal", "numpy", "pysam",
)  # fmt: skip

DISK_S: Final = 3.0
"""How long a disk may take to answer, in seconds."""

READING_S: Final = 1.5
"""How long all files together are read, in seconds."""

MEASURED_S: Final = 0.03
"""How much of a processor's time each speed is measured for, in seconds."""


def look_at_machine() -> Machine:
    """Versions and processors."""
    return Machine(
        version=__version__,
        python=platform.python_version(),
        openssl=ssl.OPENSSL_VERSION,
        packages={name: _version(name) for name in PACKAGES},
        processors=processors(),
        sha_instructions=sha_instructions(),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


async def measure_speeds() -> Speeds:
    """What one processor does alone; it counts the processor's time, so others don't disturb."""

    def measure() -> Speeds:
        return Speeds(
            sha256=_hash_bytes_per_s("sha256"),
            xxh3=_hash_bytes_per_s("xxh3"),
            tls=tls_bytes_per_s(MEASURED_S),
        )

    try:
        return await in_abandonable_thread(measure, DISK_S)
    except TimeoutError:  # too busy a machine to measure
        return Speeds()


def _hash_bytes_per_s(name: str) -> float:
    hasher = HASHERS[name]()
    chunk = memoryview(bytearray(512 * KIB))
    done, began = 0, time.thread_time()
    while (took := time.thread_time() - began) < MEASURED_S:
        hasher.update(chunk)
        done += len(chunk)
    return done / took


async def look_at_state(folder: Callable[[], Path]) -> Line:
    """The state folder.

    Args:
        folder: Says which; raises ConfigError where there is none.
    """
    try:
        return judge_folder(await in_abandonable_thread(lambda: look_at_folder(folder()), DISK_S))
    except TurbouploadError as error:
        return failure_of("state", error)
    except TimeoutError:
        return Line(
            topic="state",
            level="failure",
            text=f"{folder()}: its disk did not answer within {DISK_S:g} s",
            advice="set TURBOUPLOAD_STATE_DIR to a folder on a local disk",
            blame="settings",
        )


async def look_at_files(paths: Sequence[str]) -> list[FileLook]:
    """What each file is, and how fast its disk gives it; one after the other."""
    each_s = READING_S / max(1, len(paths))
    found: dict[str, FileLook] = {}

    def look() -> None:
        for path in paths:
            found[path] = look_at_file(path, each_s)

    with suppress(TimeoutError):
        await in_abandonable_thread(look, READING_S + DISK_S)
    return [found.get(path, FileLook(path=path, problem="slow")) for path in paths]


def look_at_file(path: str, seconds: float) -> FileLook:
    """A file's type by its first bytes, and how fast it is read; blocking.

    Args:
        path: The file.
        seconds: How long to read, at the most.
    """
    size, kind, detail, rate = 0, None, "", None
    try:
        size = Path(path).stat().st_size if Path(path).is_file() else 0
        sniffed = look_further(path, sniff(path))
        detail = sniffed.detail
        rate = read_bytes_per_s(path, seconds)
        kind = str(judge_type(path, sniffed, None))
    except TurbouploadError as error:
        undecided = isinstance(error, InputError) and error.code == UNDECIDED
        return FileLook(
            path=path,
            size=size,
            detail=detail,
            bytes_per_s=rate,
            error=error,
            undecided=undecided,
        )
    return FileLook(path=path, size=size, file_type=kind, detail=detail, bytes_per_s=rate)
