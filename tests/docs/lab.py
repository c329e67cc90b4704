"""A place in which the documents' commands run: the files that they speak of, a shell, a store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.support import samples
from tests.support.bash import Bash

__all__ = ["EACH", "KNOWN", "SSH", "Lab", "files_in"]

ROWS = 3


@dataclass(frozen=True)
class Lab:
    """A folder with what the documents speak of, a shell in it, and a store.

    Attributes:
        folder: Where the shell is.
        store_id: The store.
        bash: The shell.
        known: What stands in the documents, and what is here in its place.
    """

    folder: Path
    store_id: str
    bash: Bash
    known: dict[str, str]

    def here(self, text: str) -> str:
        """A command of the documents as it is given here."""
        text = text.replace("--store 1234567890", f"--store {self.store_id}")
        for theirs, ours in self.known.items():
            text = text.replace(theirs, ours)
        for theirs, question in ASKED.items():
            if theirs in text:
                text = text.replace(theirs, self.bash.run(question).strip())
        return text

    def run(self, text: str) -> str:
        """Runs it, after what must have been done before; returns what it printed."""
        for key, before in BEFORE.items():
            if key in text:
                self.bash.run(self.here(before))
        return self.bash.run(self.here(text))

    def read_sets(self) -> list[str]:
        """The names of the store's read sets."""
        told = self.bash.run("turboupload readsets list --json --status ACTIVE").splitlines()
        return sorted(each["name"] for each in map(json.loads, told) if "name" in each)


UPLOAD = "turboupload upload HG002_R?.fastq.gz --name HG002 --sample HG002 --subject NA24385"
CRAM = """printf '@SQ\\tSN:chr20\\tLN:1000\\n@RG\\tID:1\\tSM:HG002\\n' >chr20.sam
for n in $(seq 10); do
  printf 'read%s\\t0\\tchr20\\t%s\\t60\\t10M\\t*\\t0\\t0\\tACGTACGTAC\\t*\\tRG:Z:1\\n' $n $n
done >>chr20.sam
samtools view -C --output-fmt-option no_ref=1 -o HG002.cram chr20.sam
samtools index HG002.cram; rm -f chr20.exit"""
BEFORE = {
    "--output run42.csv": "rm run42.csv",
    "audit run42": "turboupload sheet run42 | turboupload batch -",
    "receipt verify sample": "turboupload receipt show sample >sample.receipt.json",
    "report --output": UPLOAD,
    "samtools view": CRAM,
}
"""What a command's page takes for granted: words of the command, and what is done before."""

ASKED = {
    "4567890123": "turboupload readsets list --name HG002 --quiet --limit 1",
    "7890123456": "turboupload uploads list --quiet --no-parts | tail -n 1",
    "import show 1234567890": "echo import show $(turboupload import list --quiet | head -n 1)",
}
"""Ids in the documents, and what tells one that is there."""

KNOWN = {
    "--reference ARN": f"--reference {samples.REFERENCE_ARN}",
    # The store of most commands here is in the environment; without one this machine is measured.
    "turboupload bench": "TURBOUPLOAD_STORE= turboupload bench",
    # Where nobody is asked.
    "bench --store": "bench --yes --store",
    "--seconds 30s": "--seconds 1s",
    "uploads abort": "uploads abort --yes",
    # Of the sheets in the documents, this is the one with files in S3.
    "import run42.csv": "import s3.csv",
    "import samples.csv": "import s3.csv",
    "--metrics 9464": "--metrics 0",
    "--region eu-central-1": "--region us-east-1",
}

SSH = """#!/bin/bash
# A stand-in for ssh: this machine is every host. As of ssh, the words after the host are one line.
while [[ $1 == -* ]]; do [[ $1 == -[lpio] ]] && shift; shift; done
echo "$1" >>{folder}/hosts-asked; shift
[[ $1 == -- ]] && shift
exec /bin/bash -c "$*"
"""


def files_in(folder: Path) -> None:
    """Makes the files."""
    for name, seed in (("HG002", 1), ("run42/HG003", 2), ("runs/run43/HG004", 3)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for mate, read in enumerate(samples.fastq_pair(path.parent, seed=seed), start=1):
            read.path.rename(f"{path}_R{mate}.fastq.gz")
    for lane in (1, 2):
        for mate, read in enumerate(samples.fastq_pair(folder, seed=lane + 3), start=1):
            read.path.rename(folder / f"HG002_S1_L00{lane}_R{mate}_001.fastq.gz")
    samples.bam(folder / "sample.bam", names=["HG002"])
    for place in ("lab", "fsx"):
        (folder / place / "state").mkdir(parents=True)
    rows = [f"s{row},subject,row{row},{folder}/row{row}.fastq.gz\n" for row in range(ROWS)]
    for row in range(ROWS):
        samples.fastq(folder / f"row{row}.fastq.gz", seed=10 + row)
    for sheet in ("run42.csv", "samples.csv", "lab/run42.csv", "fsx/run42.csv"):
        (folder / sheet).write_text("sample,subject,name,source1\n" + "".join(rows))
    (folder / "s3.csv").write_text(
        "sample,subject,name,source1,reference\n"
        f"HG003,NA24149,s3,s3://bucket/HG003.bam,{samples.REFERENCE_ARN}\n"
    )
    (folder / "hosts.txt").write_text("".join(f"node{number}\n" for number in range(10)))


EACH = [f"row{row}" for row in range(ROWS)]
"""The names of the rows of `run42.csv`."""
