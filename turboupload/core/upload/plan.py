"""Sources to parts: arithmetic only, so that a plan of any size costs nothing to make or keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from msgspec import structs

from turboupload import limits
from turboupload.core.model import FileIdentity, Part, PartSource, Source, SourceFile
from turboupload.core.rate.risk import part_size_for
from turboupload.errors import ConfigError, InputError
from turboupload.units import MIB, format_size, format_sizes_apart
from turboupload.value import Value

__all__ = ["Plan", "choose_part_size", "make_plan", "plan_of_stream"]


class Plan(Value, frozen=True):
    """How the sources are cut.

    Attributes:
        sources: In the order SOURCE1, SOURCE2.
        part_size: Size of every part but the last of a source, in bytes.
        open_ended: Whether the source is a stream whose end hasn't been seen. Then it has as many
            bytes as are to be sent by now: whole parts only.
    """

    sources: tuple[Source, ...]
    part_size: int
    open_ended: bool = False

    @property
    def streamed(self) -> bool:
        """Whether the source is what a pipe gives."""
        return self.sources[0].streamed

    def grown(self, size: int, *, ended: bool) -> Plan:
        """The plan of a stream of which so much was read, in bytes."""
        file = replace(self.sources[0].files[0], identity=FileIdentity(0, 0, size, 0))
        source = replace(self.sources[0], files=(file,))
        return structs.replace(self, sources=(source,), open_ended=not ended)

    @property
    def total_bytes(self) -> int:
        """Of all sources together."""
        return sum(source.size for source in self.sources)

    @property
    def largest_part(self) -> int:
        """Size of the largest part, in bytes: a file may be smaller than a part may be."""
        if self.open_ended:
            return self.part_size
        return min(self.part_size, max(source.size for source in self.sources))

    @property
    def total_parts(self) -> int:
        """Of all sources together."""
        return sum(self.count(source) for source in self.sources)

    def count(self, source: Source) -> int:
        """How many parts a source has."""
        return -(-source.size // self.part_size)

    def source(self, which: PartSource) -> Source | None:
        """The source at that place, if there is one."""
        return next((each for each in self.sources if each.part_source is which), None)

    def part(self, which: PartSource, number: int) -> Part | None:
        """Part `number` of a source; None where the source has no such part."""
        source = self.source(which)
        if source is None or not 1 <= number <= self.count(source):
            return None
        offset = (number - 1) * self.part_size
        return Part(which, number, offset, min(self.part_size, source.size - offset))

    def in_sending_order(self) -> Iterator[Part]:
        """Every part, as they are sent: in the order of the files, but each file's first at first.

        So whoever finds the upload while it is young sees that it is of a pair, and doesn't take it
        for one of R1 alone.
        """
        parts = [self._parts_of(source) for source in self.sources]
        for of_one in parts:
            yield from islice(of_one, 1)
        yield from chain.from_iterable(parts)

    def parts(self) -> Iterator[Part]:
        """Every part, in the order of the files."""
        for source in self.sources:
            yield from self._parts_of(source)

    def _parts_of(self, source: Source) -> Iterator[Part]:
        for number in range(1, self.count(source) + 1):
            offset = (number - 1) * self.part_size
            yield Part(
                source.part_source, number, offset, min(self.part_size, source.size - offset)
            )


def plan_of_stream(name: str, fingerprint: str, part_size: int) -> Plan:
    """A plan of one stream, of which nothing was read yet.

    Args:
        name: What messages call it.
        fingerprint: Another one for each stream, since its content isn't known.
        part_size: In bytes.
    """
    file = SourceFile(name, FileIdentity(0, 0, 0, 0))
    source = Source(PartSource.SOURCE1, (file,), fingerprint, streamed=True)
    return Plan((source,), part_size, open_ended=True)


def choose_part_size(sizes: Sequence[int], *, bytes_per_s: float | None = None) -> int:
    """The part size for files of these sizes, in bytes.

    As large as the service takes, since transactions are what is scarce (10 a second), unless the
    link is slow: then as large as may be lost (`rate.risk`), or as a file of 10,000 parts takes.
    Never under 8 MiB, a multiple of 1 MiB, and not more than a file has.

    Args:
        sizes: Of the files, in bytes.
        bytes_per_s: What the link gives; None where nothing says that it is slow.
    """
    largest = max(sizes)
    fewest = _whole_mib(-(-largest // limits.MAX_PARTS))
    wanted = min(part_size_for(bytes_per_s), _whole_mib(largest))
    return max(limits.MIN_PART_BYTES, min(limits.MAX_PART_BYTES, max(fewest, wanted)))


def _whole_mib(size: int) -> int:
    return -(-size // MIB) * MIB


def make_plan(
    sources: Sequence[Source],
    *,
    part_size: int | None = None,
    bytes_per_s: float | None = None,
) -> Plan:
    """Cuts the sources into parts.

    Args:
        sources: One or two files.
        part_size: In bytes, not over the service's limit; None chooses.
        bytes_per_s: What the link gives; None where nothing says that it is slow.

    Raises:
        InputError: A file is empty, or too large for the service.
        ConfigError: `part_size` is so small that a file would need too many parts.
    """
    for source in sources:
        if source.size == 0:
            raise InputError("the file is empty", path=source.path)
        if source.size > limits.MAX_SOURCE_BYTES:
            has, most = format_sizes_apart(source.size, limits.MAX_SOURCE_BYTES)
            raise InputError(
                f"the file has {has}; the service takes at most {limits.MAX_PARTS:,} parts of "
                f"100 MiB ({most})",
                path=source.path,
                hint="split it into several read sets",
            )
    size = part_size or choose_part_size(
        [source.size for source in sources], bytes_per_s=bytes_per_s
    )
    plan = Plan(tuple(sources), size)
    for source in sources:
        if plan.count(source) > limits.MAX_PARTS:
            least = -(-source.size // limits.MAX_PARTS)
            raise ConfigError(
                f"{plan.count(source):,} parts of {format_size(size)} would be needed; "
                f"the service takes {limits.MAX_PARTS:,}",
                path=source.path,
                hint=f"use parts of at least {format_size(_whole_mib(least))}, "
                "or leave the part size out",
            )
    return plan
