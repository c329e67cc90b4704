"""A sheet's rows in several shards, so that several machines send one sheet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from turboupload.core.model import ReadSet

__all__ = ["Shard"]

MOST: Final = 10_000
_FORM: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the shards of a sheet.

    A row's shard hangs on nothing but its name, sample and subject, which tell it apart in the
    store. So each row is in exactly one, in whatever order the rows are, and stays there when
    others are added or taken out. The shards are about as large as each other where rows are many,
    and some may have none where they are few.

    Attributes:
        number: From 1.
        count: Of how many.

    Raises:
        ValueError: There is no such shard.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST:
            raise ValueError(
                f"there is no shard {self}: write 3/10 for the third of ten, of {MOST:,} at most"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str, environ: Mapping[str, str]) -> Shard:
        """The shard of a text: `3/10`, or `auto` for that of this task of an array job.

        Args:
            text: As the option takes it.
            environ: The environment, where Slurm and AWS Batch say which task this is.

        Raises:
            ValueError: There is no such shard, or the environment tells of no array.
        """
        if text.strip().lower() == "auto":
            return _of_environment(environ)
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is neither `auto` nor a shard such as 3/10")
        return cls(int(found[1]), int(found[2]))

    def has(self, read_set: ReadSet) -> bool:
        """Whether a row is in it."""
        identity = (read_set.name, read_set.sample_id or "", read_set.subject_id or "")
        digest = hashlib.sha256("\0".join(identity).encode(errors="surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.number - 1

    def beside(self, path: PurePath) -> PurePath:
        """The shard's own file of results: `run.3-of-10.csv` for `run.csv`."""
        return path.with_name(f"{path.stem}.{self.number}-of-{self.count}{path.suffix}")


def _of_environment(environ: Mapping[str, str]) -> Shard:
    """The task of an array, and where that has several tasks of its own, the task of the step."""
    places = [each for each in (_slurm_array(environ), _slurm_step(environ)) if each]
    if not places and (batch := _aws_batch(environ)):
        places = [batch]
    if not places:
        raise ValueError(
            "`auto` finds no array job: neither Slurm (SLURM_ARRAY_TASK_ID, or several tasks of "
            "srun) nor AWS Batch (AWS_BATCH_JOB_ARRAY_INDEX) says which task this is; write 3/10 "
            "for the third of ten"
        )
    index, count = 0, 1
    for inner, inner_count in places:
        index, count = index * inner_count + inner, count * inner_count
    return Shard(index + 1, count)


def _slurm_array(environ: Mapping[str, str]) -> tuple[int, int] | None:
    if "SLURM_ARRAY_TASK_ID" not in environ:
        return None
    task, count, first, last = (
        _number(environ, f"SLURM_ARRAY_TASK_{name}") for name in ("ID", "COUNT", "MIN", "MAX")
    )
    step = _number(environ, "SLURM_ARRAY_TASK_STEP", "1")
    if step < 1 or (last - first) // step + 1 != count or (task - first) % step:
        # With --array=1,5,6 nobody can tell which of three tasks 5 is.
        raise ValueError(
            f"the tasks of this Slurm array ({count} from {first} to {last}) are not evenly "
            "spaced: write --array=0-9, or say which shard each is, such as 3/10"
        )
    return (task - first) // step, count


def _slurm_step(environ: Mapping[str, str]) -> tuple[int, int] | None:
    # A batch script has SLURM_PROCID, too, and is no step of several tasks: only srun makes those.
    if environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        return None
    return _number(environ, "SLURM_PROCID"), _number(environ, "SLURM_STEP_NUM_TASKS")


def _aws_batch(environ: Mapping[str, str]) -> tuple[int, int] | None:
    if "AWS_BATCH_JOB_ARRAY_INDEX" not in environ:
        return None
    return (
        _number(environ, "AWS_BATCH_JOB_ARRAY_INDEX"),
        _number(environ, "AWS_BATCH_JOB_ARRAY_SIZE"),
    )


def _number(environ: Mapping[str, str], variable: str, default: str | None = None) -> int:
    text = environ.get(variable, default)
    if text is None or not re.fullmatch("[0-9]{1,9}", text):
        said = "is not set" if text is None else f"is {text!r}"
        raise ValueError(f"`auto` needs {variable}, which {said}; write 3/10 for the third of ten")
    return int(text)
