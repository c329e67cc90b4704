"""Any folder's files: what the check says of each, quick and deep, beside htslib and gzip.

`scripts/compare FOLDER` prints a table, and at its end where they disagree: a file that is refused
for its structure though the others read it, or one that the check takes though another can't read
it. htslib reads a FASTQ as `pysam.FastxFile`, a BAM and CRAM as `samtools quickcheck` and
`samtools view` (a CRAM without its bases, which need a reference).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from turboupload.seqcheck.checks import Findings, check_files

_FASTX = """
import sys, pysam
with pysam.FastxFile(sys.argv[1]) as file:
    for record in file:
        pass
"""
_VIEW = """
import sys, pysam
pysam.samtools.quickcheck("-u", sys.argv[1], catch_stdout=False)
fields = ["--input-fmt-option", "required_fields=0x1cff"]
pysam.samtools.view("-o", "/dev/null", *fields, sys.argv[1], catch_stdout=False)
"""
# What an error says about the structure; others are the service's rules, or the header's text.
_STRUCTURE = ("compression.", "fastq.", "bam.", "cram.", "file.", "bgzf.", "gzip.")


@dataclass(frozen=True, slots=True)
class Row:
    """What is said about one file.

    Attributes:
        path: The file.
        kind: Its type; None where it is none that can be uploaded.
        quick: The errors of the quick check.
        deep: Those of the deep one.
        readers: What each other reader says against it; None where it reads all of it.
    """

    path: Path
    kind: str | None
    quick: tuple[str, ...]
    deep: tuple[str, ...]
    readers: dict[str, str | None]

    @property
    def disagreement(self) -> str | None:
        """How the check and the others disagree; None where they don't."""
        complaints = [f"{name}: {said}" for name, said in self.readers.items() if said]
        refused = [code for code in (*self.deep, *self.quick) if code.startswith(_STRUCTURE)]
        if refused and not complaints and self.readers:
            return f"refused ({', '.join(dict.fromkeys(refused))}), and read by the others"
        if complaints and not self.deep:
            return f"taken, and not read ({'; '.join(complaints)})"
        if self.quick and not self.deep:
            return f"refused by the quick check alone ({', '.join(self.quick)})"
        return None


def compare(path: Path) -> Row:
    """Has a file judged by all."""
    quick, deep = check_files([path]), check_files([path], deep=True)
    facts = deep.files[0]
    readers: dict[str, str | None] = {}
    if facts.compression in ("gzip", "bgzf"):
        readers["gzip"] = _complaint(["gzip", "-t", str(path)])
    if facts.file_type == "FASTQ":
        readers["htslib"] = _complaint([sys.executable, "-c", _FASTX, str(path)])
    elif facts.file_type is not None:
        readers["htslib"] = _complaint([sys.executable, "-c", _VIEW, str(path)])
    return Row(path, facts.file_type, _codes(quick), _codes(deep), readers)


def _codes(found: Findings) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f.code for f in found.errors))


def _complaint(command: list[str]) -> str | None:
    """What a reader says against a file; nothing that a file names is fetched."""
    environment = {**os.environ, "REF_PATH": "/dev/null/none", "REF_CACHE": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment, check=False
    )
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1][:100] if said else f"exit {done.returncode}"


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder, by name; links to folders are not followed."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(root, name) for name in sorted(names) if Path(root, name).is_file())


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/compare", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"{folder} is no folder")
    disagreements = []
    judged = 0
    print(f"{'quick':8} {'deep':8} {'htslib':8} {'gzip':8} {'type':6} file")
    for path in files(folder):
        row = compare(path)
        judged += 1
        taken = [not codes for codes in (row.quick, row.deep)]
        cells = ["ok" if ok else "refused" if row.kind else "other" for ok in taken]
        for name in ("htslib", "gzip"):
            cells.append(("damaged" if row.readers[name] else "ok") if name in row.readers else "-")
        print(*(f"{cell:8}" for cell in cells), f"{row.kind or '-':6}", path, flush=True)
        if row.disagreement is not None:
            disagreements.append(f"{path}: {row.disagreement}")
    print(f"{judged} files, {len(disagreements)} disagreements")
    for each in disagreements:
        print(f"DISAGREEMENT {each}")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
