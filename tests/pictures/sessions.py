"""What is shown: sessions with the emulator, in a folder of files made for them."""

from __future__ import annotations

import gzip
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

from tests.pictures.terminal import Terminal
from tests.support import samples
from tests.support.emulator import RunningEmulator

__all__ = ["FOLDER", "REPORT", "Lab", "Shot", "lab", "terminals"]

FOLDER: Final = Path("/tmp/turboupload-pictures")
"""Always the same, as it is seen in the pictures."""

REPORT: Final = "run42.html"

MIB: Final = 2**20
WIDE, NARROW = 110, 100


@dataclass(frozen=True, slots=True)
class Shot:
    """A terminal at a moment.

    Attributes:
        name: Of the picture.
        text: What was on it.
        columns: How wide it is.
    """

    name: str
    text: Text
    columns: int


@dataclass(frozen=True, slots=True)
class Lab:
    """Where the sessions happen.

    Attributes:
        folder: With the files.
        env: The commands' environment.
        emulator: The service.
    """

    folder: Path
    env: dict[str, str]
    emulator: RunningEmulator

    def run(self, *words: str, columns: int = NARROW) -> Terminal:
        return Terminal(words, self.folder, self.env, columns=columns)


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A service, and a folder with the files of a sequencing run."""
    fastq = _fastq_members()
    (folder / "run42").mkdir()
    for number in range(2, 8):
        for mate in (1, 2):
            size = (6 + 4 * ((number + mate) % 3)) * MIB
            (folder / "run42" / f"HG00{number}_R{mate}.fastq.gz").write_bytes(
                fastq[mate] * (size // len(fastq[mate]))
            )
    for mate in (1, 2):
        (folder / f"HG001_R{mate}.fastq.gz").write_bytes(fastq[mate] * 100)
    bam = samples.bam(folder / "HG002.bam").path
    cut = bam.read_bytes()[:-100]
    (folder / "HG002.bam").write_bytes(cut)
    service = RunningEmulator("--ingest-delay", "1", root=folder / "service", tls=True)
    with service as emulator:
        kept = {
            key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "LC_ALL")
        }
        env = {**kept, **emulator.env(), "HOME": str(folder), "TURBOUPLOAD_STORE": "local"}
        env.pop("TURBOUPLOAD_LISTING_LAG", None)
        yield Lab(folder, env, emulator)


def _fastq_members() -> dict[int, bytes]:
    """About half a MiB of reads of each mate, compressed; many of them are a longer file."""
    rng = random.Random(42)
    found = {}
    for mate in (1, 2):
        reads = (
            f"@A00:42:HX:1:{1000 + number}:{number} {mate}:N:0:ACGTACGT\n"
            f"{''.join(rng.choices('ACGT', k=150))}\n+\n{''.join(rng.choices('F:,#', k=150))}\n"
            for number in range(6000)
        )
        found[mate] = gzip.compress("".join(reads).encode(), compresslevel=1)
    return found


def terminals(at: Lab) -> Iterator[Shot]:
    """All terminals, in an order in which each finds what it needs."""
    yield from _check(at)
    yield from _doctor(at)
    yield from _upload(at)
    yield from _batch(at)


def _check(at: Lab) -> Iterator[Shot]:
    with at.run("check", "HG002.bam", "HG001_R1.fastq.gz", "HG001_R2.fastq.gz") as terminal:
        assert terminal.ended() == 3
        yield Shot("check", terminal.styled(), NARROW)


def _doctor(at: Lab) -> Iterator[Shot]:
    with at.run("doctor", "HG001_R1.fastq.gz", columns=WIDE) as terminal:
        assert terminal.ended() == 0, terminal.shows()
        yield Shot("doctor", terminal.styled(), WIDE)


def _upload(at: Lab) -> Iterator[Shot]:
    words = ("upload", "HG001_R1.fastq.gz", "HG001_R2.fastq.gz", "--name", "HG001-lane1",
             "--sample", "HG001", "--subject", "NA12878", "--max-bandwidth", "16MiB/s")  # fmt: skip
    with at.run(*words) as terminal:
        terminal.wait(lambda shown: _percent(shown) >= 40 and "on the way" in shown)
        yield Shot("upload", terminal.styled(), NARROW)
        assert terminal.ended() == 0, terminal.shows()


def _batch(at: Lab) -> Iterator[Shot]:
    with at.run("sheet", "run42", "--output", "run42.csv", "--subject-from", "sample") as terminal:
        assert terminal.ended() == 0, terminal.shows()
    at.emulator.set_faults(
        [
            {
                "operation": "UploadReadSetPart", "times": None, "probability": 0.15, "seed": 1,
                "action": {"type": "error", "code": "InternalServerException", "afterBytes": MIB},
            }
        ]
    )  # fmt: skip
    words = ("batch", "run42.csv", "--max-bandwidth", "16MiB/s", "--report", REPORT)
    with at.run(*words, columns=WIDE) as batch:
        batch.wait(lambda shown: _percent(shown) >= 30 and "on the way" in shown)
        yield Shot("batch", batch.styled(), WIDE)
        with at.run("jobs", columns=WIDE) as jobs:
            assert jobs.ended() == 0, jobs.shows()
            yield Shot("jobs", jobs.styled(), WIDE)
        assert batch.ended() == 0, batch.shows()


def _percent(shown: str) -> int:
    """How far the first bar is; 0 where there is none."""
    found = re.search(r"━ +(\d+) %", shown)
    return int(found[1]) if found else 0
