"""Which hosts can read which rows' files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from turboupload.core.batch import BatchRow
from turboupload.core.model import FileIdentity, ReadSet
from turboupload.core.sheet.model import SheetFinding

__all__ = ["FilesSeen", "absolute"]


class FilesSeen:
    """What the hosts' looks at the files have found.

    Attributes:
        read_sets: The rows by number, in the order of the sheet.
    """

    def __init__(self) -> None:
        self.read_sets: dict[int, ReadSet] = {}
        self._rows: dict[str, dict[int, BatchRow]] = {}
        self._wrong: dict[str, dict[int, SheetFinding]] = {}

    def wanted(self) -> dict[int, ReadSet]:
        """What a host is to look at: paths don't depend on the folder that a process works in."""
        return {number: absolute(each) for number, each in self.read_sets.items()}

    def unknown(self, host: str) -> bool:
        """Whether a host has still to look."""
        return bool(self.read_sets) and host not in self._rows

    def seen(self, host: str, rows: Iterable[BatchRow], findings: Iterable[SheetFinding]) -> None:
        """Takes in what a host has found."""
        wrong = {each.row: each for each in findings if each.severity == "error"}
        self._rows[host] = {each.number: each for each in rows if each.number not in wrong}
        self._wrong[host] = wrong

    def has(self, host: str, row: BatchRow) -> bool:
        """Whether a host can read a row's files, and they are as large as elsewhere."""
        seen = self._rows.get(host, {}).get(row.number)
        return seen is not None and _sizes(seen) == _sizes(row)

    def has_the_very(self, host: str, row: BatchRow, identities: Sequence[FileIdentity]) -> bool:
        """Whether a host sees the very files of another, and not copies of them.

        Args:
            host: The host.
            row: The row.
            identities: The files' as the other one sees them.
        """
        seen = self._rows.get(host, {}).get(row.number)
        return seen is not None and _inodes(seen.identities) == _inodes(identities)

    def verdict(self) -> tuple[list[BatchRow], list[SheetFinding]]:
        """The rows that some host can send, and what is wrong with the others."""
        rows, findings = [], []
        for number, read_set in self.read_sets.items():
            hosts = sorted(host for host, seen in self._rows.items() if number in seen)
            found = [self._rows[host][number] for host in hosts]
            if not found:
                findings.append(self._nowhere(number))
            elif len({_sizes(each) for each in found}) > 1:
                findings.append(
                    SheetFinding(
                        number,
                        None,
                        f"its files are not the same on {', '.join(hosts)}",
                        "give it a path that means one file wherever it is seen",
                    )
                )
            else:
                # With its paths as the sheet has them.
                rows.append(replace(found[0], read_set=read_set))
        return rows, findings

    def _nowhere(self, number: int) -> SheetFinding:
        found = {host: wrong[number] for host, wrong in self._wrong.items() if number in wrong}
        if not found:
            return SheetFinding(
                number, None, "no worker looked at its files to the end", "give the command again"
            )
        hosts = sorted(found)
        first = found[hosts[0]]
        seen_from = f"as seen from {', '.join(hosts[:3])}" + (" …" if len(hosts) > 3 else "")
        return replace(first, message=f"{first.message} ({seen_from})")


def absolute(read_set: ReadSet) -> ReadSet:
    """A read set with absolute paths."""
    # resolve() would ask this machine's disk, and the files may be on others only.
    whole = os.path.abspath
    return replace(
        read_set,
        sources=[[whole(path) for path in files] for files in read_set.files],
        checksums={whole(path): told for path, told in read_set.checksums.items()},
    )


def _inodes(identities: Iterable[FileIdentity]) -> list[tuple[int, int, int]]:
    """What tells a file wherever it is mounted: a device's number is each machine's own."""
    return [(each.inode, each.size, each.mtime_ns) for each in identities]


def _sizes(row: BatchRow) -> tuple[int, ...]:
    return tuple(each.size for each in row.identities)
