"""The installed command as a subprocess, against the emulator over HTTPS."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator
from tests.support.quickstart import start
from tests.support.stored import check_comment

MIB = 1024 * 1024
PATIENCE_S = 60.0


def wait_until(
    condition: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S
) -> None:
    """Waits for a condition, with a bound."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"did not happen within {patience_s:.0f} s: {what}")
        time.sleep(0.02)


def stored_fastq(path: Path, size: int, *, seed: int = 1) -> Path:
    """A valid gzip FASTQ of about `size` bytes that hardly compresses: reads of 10 kB, stored."""
    rng = random.Random(seed)
    packer = zlib.compressobj(level=0, wbits=31)
    with path.open("wb") as file:
        written = read = 0
        while written < size:
            bases = rng.randbytes(5000).translate(bytes(b"ACGT"[value % 4] for value in range(256)))
            text = b"@read%d\n%s\n+\n%s\n" % (read, bases, b"I" * len(bases))
            written += file.write(packer.compress(text))
            read += 1
        file.write(packer.flush())
    return path


class Command:
    """One run of `turboupload upload`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_S)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def finish(self) -> tuple[int, dict[str, Any], str]:
        """The exit code, the last line of stdout, and stderr."""
        out, err = self._process.communicate(timeout=PATIENCE_S)
        lines = out.splitlines()
        last = json.loads(lines[-1]) if lines else {}
        return self._process.returncode, last, err


class Lab:
    """An emulator, a folder, and the command."""

    def __init__(self, folder: Path, emulator: RunningEmulator) -> None:
        self.folder = folder
        self.emulator = emulator
        self.state = folder / "state"
        self.started: list[Command] = []

    def start(self, *arguments: str | Path) -> Command:
        process = start(
            "turboupload",
            ["upload", *map(str, arguments), "--json", "--store", self.emulator.store_id],
            env={
                **{key: value for key, value in os.environ.items() if "TURBOUPLOAD" not in key},
                **self.emulator.env(),
                "TURBOUPLOAD_STATE_DIR": str(self.state),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        command = Command(process)
        self.started.append(command)
        return command

    def upload(self, *arguments: str | Path) -> dict[str, Any]:
        """Runs the command to its end, which must be a good one."""
        code, last, err = self.start(*arguments).finish()
        assert code == 0, (code, last, err)
        return last

    def forget(self) -> None:
        """Deletes the state folder."""
        for each in sorted(self.state.rglob("*"), reverse=True):
            with contextlib.suppress(FileNotFoundError):
                each.rmdir() if each.is_dir() else each.unlink()

    @property
    def received(self) -> dict[tuple[str, int], int]:
        """How often each part of any upload was received whole and stored."""
        rows = self.emulator.stats()["parts"]
        return {(row["partSource"], row["partNumber"]): row["stored"] for row in rows}

    def client(self) -> Any:
        return omics_client(self.emulator, attempts=5)

    def read_sets(self, name: str) -> list[dict[str, Any]]:
        reply = self.client().list_read_sets(
            sequenceStoreId=self.emulator.store_id, filter={"name": name}
        )
        return list(reply["readSets"])

    def open_uploads(self) -> list[dict[str, Any]]:
        reply = self.client().list_multipart_read_set_uploads(
            sequenceStoreId=self.emulator.store_id
        )
        return list(reply["uploads"])

    def stored_bytes(self, read_set_id: str, file: str = "SOURCE1") -> bytes:
        client = self.client()
        where = {"sequenceStoreId": self.emulator.store_id, "id": read_set_id}
        files = client.get_read_set_metadata(**where)["files"]
        return b"".join(
            client.get_read_set(**where, file=file, partNumber=number)["payload"].read()
            for number in range(1, files[file.lower()]["totalParts"] + 1)
        )

    def check_arrived(self, read_set_id: str, path: Path, reference: Path | None = None) -> None:
        """A FASTQ is stored byte for byte; to alignments a comment is added."""
        kept = self.stored_bytes(read_set_id)
        if path.name.endswith(".fastq.gz"):
            assert kept == path.read_bytes()
            return
        copy = path.with_name(f"stored-{path.name}")
        copy.write_bytes(kept)
        check_comment(path, copy, self.emulator.store_id, reference)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as emulator:
        made = Lab(tmp_path, emulator)
        yield made
        for command in made.started:
            if command.running:
                command.kill()
