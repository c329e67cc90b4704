"""The steps of the demo, in order."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio

from turboupload.core.formats import FORMATS
from turboupload.demo.command import Ended, UploadCommand
from turboupload.demo.readback import read_back
from turboupload.demo.samples import REFERENCE_ARN, Sample, make_samples
from turboupload.demo.service import LocalService
from turboupload.errors import ConfigError, IntegrityError
from turboupload.limits import MAX_PART_BYTES
from turboupload.runtime.eventloop import BACKEND_OPTIONS
from turboupload.seqcheck.checks.names import find_pairs
from turboupload.seqcheck.formats import require_type
from turboupload.units import MIB, counted, format_duration, format_size

__all__ = ["Demo", "UploadFailed", "require_extra"]

NEEDS: Final = ("aiohttp", "isal", "pysam", "trustme")
PARTS_WANTED: Final = 8
"""The least number of parts of the upload that is killed."""

SILENCE_S: Final = 600.0
"""How long the service doesn't answer, in seconds: longer than the killed upload runs."""


class UploadFailed(Exception):
    """An upload of the demo failed.

    Attributes:
        ended: The result of its command.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.stderr)
        self.ended = ended


@dataclass(slots=True)
class Demo:
    """Uploads to a local service, with a kill half-way.

    Attributes:
        folder: The folder for all data.
        files: What to upload; empty makes samples of all four types.
        say: Called with each line of output.
    """

    folder: Path
    files: Sequence[Path]
    say: Callable[[str], None]
    _read_sets: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    _etags: list[Mapping[str, str]] = field(default_factory=list)
    _parts: int = 0

    def run(self) -> None:
        """Runs all steps.

        Raises:
            ConfigError: The service doesn't start.
            InputError: A file can't be uploaded.
            UploadFailed: An upload failed.
            IntegrityError: A read set differs from its files.
        """
        began = time.monotonic()
        samples, references = self._samples()
        self.say("")
        with LocalService(
            self.folder / "store", self.folder / "service.log", references
        ) as service:
            self.say(f"A local HealthOmics listens at {service.endpoint_url}")
            self.say(f"  sequence store {service.store_id}, real quotas, its own certificates")
            environment = service.environment(self.folder / "state")
            largest = max(samples, key=lambda sample: sample.size)
            for sample in samples:
                if sample is not largest:
                    self._upload(sample, service, environment)
            self._upload_with_a_kill(largest, service, environment)
            self._compare(service, environment, references.get(REFERENCE_ARN))
            self._sum_up(samples, service)
        self.say(f"  took          {format_duration(time.monotonic() - began)} in all")

    # --- files ------------------------------------------------------------------------------

    def _samples(self) -> tuple[list[Sample], dict[str, Path]]:
        if self.files:
            return _given_samples(self.files), {}
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        self.say("Making files of all four types …")
        samples, reference = make_samples(folder)
        for sample in samples:
            names = " and ".join(path.name for path in sample.files)
            self.say(f"  {sample.label:<10} {format_size(sample.size):>9}  {names}")
        return samples, {REFERENCE_ARN: reference}

    # --- uploads ----------------------------------------------------------------------------

    def _upload(
        self, sample: Sample, service: LocalService, environment: Mapping[str, str]
    ) -> None:
        self.say("")
        self.say(f"$ turboupload upload {_short(sample)}")
        ended = UploadCommand(_arguments(sample, service.store_id), environment).run()
        self._arrived(sample, ended)

    def _upload_with_a_kill(
        self, sample: Sample, service: LocalService, environment: Mapping[str, str]
    ) -> None:
        part_size = _part_size(sample)
        parts = sum(-(-path.stat().st_size // part_size) for path in sample.files)
        half = parts // 2
        cut = ["--part-size", str(part_size), "--concurrency", "2"]
        command = UploadCommand([*_arguments(sample, service.store_id), *cut], environment)

        self.say("")
        self.say(f"$ turboupload upload {_short(sample)}")
        # The kill must happen half-way on a machine of any speed: so the service reads half of each
        # further part, and then doesn't answer.
        service.stop_answering(after=half, seconds=SILENCE_S, after_bytes=part_size // 2)
        ended = command.run(kill_when=lambda event: _is_half_way(event, half, part_size))
        service.answer_again()
        if ended.exit_code != -9:
            raise UploadFailed(ended)
        there = ended.progress["done_parts"]
        self.say(
            f"  killed (SIGKILL) when {there} of {parts} parts had arrived "
            f"and {ended.progress['in_flight']} were on their way"
        )
        self.say("")
        self.say("$ the same command again")
        ended = command.run()
        self._arrived(sample, ended)
        if ended.last["parts_reused"] < there:
            raise IntegrityError(
                f"{there} parts had arrived, but only {ended.last['parts_reused']} were reused"
            )

    def _arrived(self, sample: Sample, ended: Ended) -> None:
        if not ended.finished:
            raise UploadFailed(ended)
        last = ended.last
        self._read_sets[last["read_set_id"]] = sample.files
        self._etags.append(last["etag"])
        self._parts += last["parts"]
        sent = last["parts"] - last["parts_reused"]
        reused = f", {last['parts_reused']} reused" if last["parts_reused"] else ""
        self.say(
            f"  ACTIVE after {format_duration(last['seconds'])}: read set {last['read_set_id']}, "
            f"{counted(sent, 'part')} sent{reused}"
        )

    # --- proof ------------------------------------------------------------------------------

    def _compare(
        self, service: LocalService, environment: Mapping[str, str], reference: Path | None
    ) -> None:
        self.say("")
        self.say("Reading everything back with GetReadSet …")
        found = anyio.run(
            read_back, environment, service.store_id, self._read_sets, self.folder, reference,
            backend_options=BACKEND_OPTIONS,
        )  # fmt: skip
        if found.differing:
            raise IntegrityError(
                "a read set in the store differs from its files",
                path=str(found.differing[0]),
            )
        for files, verdict in (
            (found.equal, "every byte is equal"),
            (found.same_content, "every record is equal; HealthOmics adds a comment to the header"),
            (found.unread, "not compared, since the reference isn't here"),
        ):
            if files:
                size = sum(path.stat().st_size for path in files)
                self.say(f"  {counted(len(files), 'file')}, {format_size(size)}: {verdict}")

    def _sum_up(self, samples: Sequence[Sample], service: LocalService) -> None:
        total = sum(sample.size for sample in samples)
        stored, sent = service.received()
        again = stored - self._parts
        self.say("")
        self.say("Summary")
        self.say(f"  read sets     {len(samples)}, all ACTIVE, equal to the files")
        self.say(f"  parts         {stored} stored, {again or 'none'} of them twice")
        self.say(
            f"  sent twice    {format_size(max(0, sent - total))} of {format_size(total)}: "
            "parts in flight when the command was killed"
        )
        for etag, files in zip(self._etags, self._read_sets.values(), strict=True):
            for source, path in zip(("source1", "source2"), files, strict=False):
                self.say(f"  ETag          {path.name:<18} {etag['algorithm']} {etag[source]}")
        self.say(f"  files         {self.folder}")


def require_extra() -> None:
    """Checks that the local service can run.

    Raises:
        ConfigError: The extra `emulator` isn't installed.
    """
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the demo needs the local service, and {', '.join(missing)} isn't installed",
            hint="pip install 'turboupload[emulator]'",
        )


def _given_samples(files: Sequence[Path]) -> list[Sample]:
    """The user's own files, paired as R1 and R2 by their names."""
    types = {str(path): require_type(path, None) for path in files}
    pairs = find_pairs(path for path, kind in types.items() if FORMATS[kind].paired).pairs
    mates = {path for pair in pairs for path in pair}
    samples = [Sample("FASTQ pair", (Path(first), Path(second))) for first, second in pairs]
    samples += [
        Sample(file_type, (Path(path),), REFERENCE_ARN if file_type.needs_reference else None)
        for path, file_type in types.items()
        if path not in mates
    ]
    return samples


def _arguments(sample: Sample, store_id: str) -> list[str]:
    name = sample.files[0].name.partition(".")[0]
    reference = ["--reference", sample.reference_arn] if sample.reference_arn else []
    return [
        *(str(path) for path in sample.files),
        *("--store", store_id, "--name", name, "--sample", "demo-sample"),
        *("--subject", "demo-subject", *reference),
    ]


def _part_size(sample: Sample) -> int:
    """The part size in bytes; whole MiB if the files are large enough."""
    share = -(-sample.size // PARTS_WANTED)
    return min(MAX_PART_BYTES, share if share < MIB else -(-share // MIB) * MIB)


def _short(sample: Sample) -> str:
    """The command line, shortened for a reader."""
    names = " ".join(path.name for path in sample.files)
    reference = " --reference ARN" if sample.reference_arn else ""
    return f"{names} --store … --name {sample.files[0].name.partition('.')[0]} …{reference}"


def _is_half_way(event: Mapping[str, Any], half: int, part_size: int) -> bool:
    """Whether half of the parts have arrived, and a part of the next one was sent."""
    if event["event"] != "upload.progress":
        return False
    return bool(event["done_parts"] >= half and event["in_flight_bytes"] > 0)
