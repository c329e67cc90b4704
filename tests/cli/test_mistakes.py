"""Mistakes that new users make: the exit code, and the sentence that names the way on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.cli.ran import Ran
from tests.support.samples import fastq

ABOUT = "--name n --sample s --subject u"
ROLE = "--role-arn arn:aws:iam::000000000000:role/import"
ILLUMINA = "this is Illumina's sample sheet, which names no files"
RUN_SHEET = "run `turboupload sheet RUNFOLDER`"
NOT_SENT = ("UploadReadSetPart", "CreateMultipartReadSetUpload", "StartReadSetImportJob")


@dataclass(frozen=True)
class Mistake:
    """A command line in a folder with `a.fastq.gz`, `b.fastq.gz`, `run/` and the files given.

    Attributes:
        words: What follows `turboupload`, blanks between.
        code: The exit code.
        told: What is said, on stdout or stderr.
        files: Text by name; `FASTQ` is a whole gzipped one, and `GZ` one that was cut.
        env: Over the environment; HOME is the folder.
        first: Another command line, which comes before and works.
    """

    words: str
    code: int
    told: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    first: str = ""


def sheet(*rows: str, columns: str = "sample,subject,name,fastq_1") -> str:
    return "\n".join([columns, *rows, ""])


MISTAKES = {
    # --- text that nobody sees
    "zero-width space in a sheet": Mistake(
        "batch s.csv --dry-run", 3,
        ("row 3, sample: sample id has U+200B ZERO WIDTH SPACE at position 3",),
        {"s.csv": sheet("S1,u,one,a.fastq.gz", "S2\u200b,u,two,b.fastq.gz")},
    ),
    "the same in an import": Mistake(
        f"import s.csv {ROLE}", 3, ("row 2, subject: subject id has U+00AD SOFT HYPHEN",),
        {"s.csv": sheet("S1,u\u00ad,one,s3://bucket/a.fastq.gz")},
    ),
    "direction mark in a default": Mistake(
        "batch s.csv --generated-from x\u202e", 3, ("generated from has U+202E RIGHT-TO-LEFT",),
        {"s.csv": sheet("S1,u,one,a.fastq.gz")},
    ),
    # --- streams
    "nothing in the pipe": Mistake(f"upload - {ABOUT}", 3, ("standard input: nothing came",)),
    "a pair from a pipe": Mistake(f"upload - a.fastq.gz {ABOUT}", 2, ("a pair can't come",)),
    "a rehearsal of a pipe": Mistake(
        f"upload - --dry-run {ABOUT}", 2, ("--dry-run looks at files", "only once")
    ),
    "a pipe resumed": Mistake(
        f"upload - --upload-id 1234567890 {ABOUT}", 2, ("a stream's upload can't be resumed",)
    ),
    "a spool too small": Mistake(
        f"upload - --spool 9MiB {ABOUT}", 2, ("doesn't hold 2 parts", "16 MiB or more")
    ),
    "a spool where there is no folder": Mistake(
        f"upload - --spool-dir nowhere {ABOUT}", 2, ("no room for a spool of 500 MiB in nowhere",)
    ),
    "a command that isn't there": Mistake(
        f"upload --from-command {ABOUT} -- samtols view", 2,
        ("samtols view can't be run: No such file", "follow `--`"),
    ),
    "a command in quotes": Mistake(
        f"upload --from-command {ABOUT} cat\u00a0a.fastq.gz", 2, ("can't be run",)
    ),
    "zero-width space in an option": Mistake(
        "upload a.fastq.gz --name n --sample S\u200b1 --subject u", 3, ("U+200B",)
    ),
    "in a filter": Mistake("readsets list --sample S\u200b1", 2, ("U+200B ZERO WIDTH SPACE",)),
    "in a store's name": Mistake("stores list --name S\u200b1", 2, ("U+200B ZERO WIDTH SPACE",)),
    # --- bytes that are no text
    "a file's name of other bytes": Mistake(
        "sheet odd", 0, ("good.fastq.gz", "left out, in names that are not UTF-8", "b\\udce4d"),
        {"odd/good.fastq.gz": "x", "odd/b\udce4d.fastq.gz": "x"},
    ),
    "a folder's name of other bytes": Mistake(
        "sheet o\udce4d", 3, ("write the sheet into FOLDER with --output",),
        {"o\udce4d/good.fastq.gz": "x"},
    ),
    "a name of other bytes": Mistake(
        "upload a.fastq.gz --name b\udce4d --sample s --subject u", 3, ("a byte that is not UTF-8",)
    ),
    "a receipt's name of other bytes": Mistake("receipt show b\udce4d", 3, ("has no receipt of",)),
    "an endpoint of other bytes": Mistake(
        f"upload a.fastq.gz {ABOUT} --endpoint-url https://b\udce4d/", 2, ("is not a plain URL",)
    ),
    "an endpoint with an underscore": Mistake(
        "stores list --endpoint-url http://health_omics:8080", 2, ("HOST has letters, digits",)
    ),
    "a proxy of other bytes": Mistake(
        "stores list", 2, ("HTTPS_PROXY is not the URL of a proxy",),
        env={"HTTPS_PROXY": "http://b\udce4d/"},
    ),
    # --- sheets of other kinds
    "Illumina's sheet": Mistake(
        "batch SampleSheet.csv", 3, (ILLUMINA, RUN_SHEET),
        {"SampleSheet.csv": "[Header]\nFileFormatVersion,2\n[BCLConvert_Data]\nLane,Sample_ID\n"},
    ),
    "Illumina's of version 1, from Excel": Mistake(
        f"import SampleSheet.csv {ROLE}", 3, (ILLUMINA, RUN_SHEET),
        {"SampleSheet.csv": "\ufeff[Header],,,,\r\nIEMFileVersion,4,,,\r\n[Data],,,,\r\n"},
    ),
    "Illumina's with its data alone": Mistake(
        "batch SampleSheet.csv", 3, (ILLUMINA, RUN_SHEET),
        {"SampleSheet.csv": "\n[Data]\nSample_ID,index\nS1,ACGT\n"},
    ),
    "Illumina's samples, cut out": Mistake(
        "batch SampleSheet.csv", 3, (ILLUMINA, RUN_SHEET),
        {"SampleSheet.csv": "Lane,Sample_ID,index\n1,S1,ACGT\n"},
    ),
    "a FASTQ for a sheet": Mistake("batch a.fastq.gz", 3, ("not a sheet", "`turboupload upload`")),
    "a folder for a sheet": Mistake("batch run", 3, ("is a folder", "`turboupload sheet run`")),
    # --- units and sizes
    "a duration without a unit": Mistake(
        "uploads clean --older-than 7", 2, ("'7' has no unit: write 7s, 7m, 7h or 7d",)
    ),
    "the same in a variable": Mistake(
        f"upload a.fastq.gz {ABOUT}", 2, ("'90' has no unit", "--wait-timeout"),
        env={"TURBOUPLOAD_WAIT_TIMEOUT": "90"},
    ),
    "a moment without a unit": Mistake(
        "readsets list --created-after 7", 2, ("7d for seven days ago",)
    ),
    "a part a byte too large": Mistake(
        f"upload a.fastq.gz {ABOUT} --part-size 104857601", 2, ("100 MiB, not 100.000001 MiB",)
    ),
    # --- homes
    "a home in a sheet": Mistake(
        "batch s.csv --results=~/r.csv --state-dir=~/state --dry-run", 0,
        ("row 2 (one): send",), {"s.csv": sheet("S1,u,one,~/a.fastq.gz")},
    ),
    "a home in options": Mistake(
        f"upload ~/a.fastq.gz {ABOUT} --receipt=~/none/r.json", 2, ("there is no such folder",)
    ),
    "a home in a variable": Mistake(
        "receipt show x", 3, ("place/state: the journal has no receipt",),
        env={"TURBOUPLOAD_STATE_DIR": "~/state"},
    ),
    # --- what would be lost
    "results over a sheet": Mistake(
        "batch s.csv --results other.csv", 2, ("other.csv: exists already", "--results"),
        {"s.csv": sheet("S1,u,one,a.fastq.gz"), "other.csv": sheet("S1,u,one,a.fastq.gz")},
    ),
    "results over notes": Mistake(
        f"import s.csv {ROLE} --results notes.json", 2, ("notes.json: exists already",),
        {"s.csv": sheet("S1,u,one,s3://bucket/a.fastq.gz"), "notes.json": '{"precious": 1}'},
    ),
    "results over reads": Mistake(
        "batch s.csv --results a.fastq.gz", 2, ("end the file's name in .csv or .json",),
        {"s.csv": sheet("S1,u,one,a.fastq.gz")},
    ),
    "a receipt over reads": Mistake(
        f"upload a.fastq.gz {ABOUT} --receipt b.fastq.gz", 2, ("something else is there",)
    ),
    "a sheet over reads": Mistake("sheet run -o a.fastq.gz", 2, ("is there already",)),
    "a sheet over reads, meant so": Mistake(
        "sheet run -o a.fastq.gz --overwrite", 2, ("is not a sample sheet, so it is not replaced",)
    ),
    # --- dead ends
    "a file in S3": Mistake(
        f"upload s3://bucket/a.fastq.gz {ABOUT}", 3, ("is in S3", "`turboupload import`")
    ),
    "a URL": Mistake("check https://host.example/a.fastq.gz", 3, ("is a URL", "fetch it first")),
    "a sheet of files in S3": Mistake(
        "batch s.csv", 3, ("`turboupload import`",),
        {"s.csv": sheet("s,u,one,s3://bucket/a.fastq.gz")},
    ),
    "a folder": Mistake(f"upload run {ABOUT}", 3, ("is a folder", "`turboupload sheet FOLDER`")),
    "a folder to check": Mistake("check run", 3, ("is a folder", "`turboupload sheet FOLDER`")),
    "a file for a folder": Mistake("sheet a.fastq.gz", 3, ("is a file", "`turboupload upload`")),
    "a file to watch": Mistake(
        "watch a.fastq.gz --once", 3,
        ("a.fastq.gz: is a file, not a folder", "name the folder that it is in"),
    ),
    "a device as a manifest": Mistake(
        "check a.fastq.gz --md5 /dev/null", 3,
        ("/dev/null: is a device, not a file", "write the manifest to a file first"),
    ),
    "parts too large, of a batch": Mistake(
        "batch s.csv --part-size 200MiB", 2,
        ("'--part-size'", "parts have at most 100 MiB, not 200 MiB"),
        {"s.csv": sheet("S1,u,one,a.fastq.gz")},
    ),
    "parts too large, of a watcher": Mistake(
        "watch run --once --part-size 200MiB", 2, ("parts have at most 100 MiB, not 200 MiB",)
    ),
    "parts of nothing": Mistake(
        "batch s.csv --part-size 0", 2, ("'--part-size'", "a part has more than no bytes"),
        {"s.csv": sheet("S1,u,one,a.fastq.gz")},
    ),
    "a folder to audit that isn't there": Mistake(
        "audit ruin", 3, ("error: ruin: no such folder", "did you mean run?"),
    ),
    "a file without its command": Mistake(
        "x&y.fastq.gz", 2, ("did you mean `turboupload upload 'x&y.fastq.gz'`?",),
        {"x&y.fastq.gz": "FASTQ"},
    ),
    "a sheet for a file": Mistake(
        f"upload s.csv {ABOUT}", 3, ("`turboupload batch`",), {"s.csv": sheet("s,u,n,a.fastq.gz")}
    ),
    "twelve files": Mistake(
        f"upload {' '.join(f'{n}.fastq.gz' for n in range(12))} {ABOUT}", 3,
        ("12 were given", "`turboupload sheet FOLDER`", "`turboupload batch SHEET`"),
    ),
    "a store's name": Mistake("readsets list --name zz --store local", 0, ("in store STORE",)),
    "a store's name that is none": Mistake(
        "readsets list --store lokal", 2, ("is called 'lokal'", "`turboupload stores list`")
    ),
    "a store's ARN": Mistake(
        "readsets list --name zz --store arn:aws:omics:us-east-1:000000000000:sequenceStore/STORE",
        0, ("in store STORE", "names and ids are compared whole"),
    ),
    "an ARN of another Region": Mistake(
        f"upload a.fastq.gz {ABOUT} --store arn:aws:omics:eu-west-1:0:sequenceStore/1234567890", 2,
        ("is of Region eu-west-1, and the configured Region is us-east-1", "--region eu-west-1"),
    ),
    "an ARN of another kind": Mistake(
        "readsets list --store arn:aws:omics:us-east-1:0:referenceStore/1234567890", 2,
        ("is not the ARN of a sequence store",),
    ),
    "too short an id": Mistake("readsets list --store 12", 2, ("those are 10 to 36 digits",)),
    "a misspelt command": Mistake("uplaod a.fastq.gz", 2, ("did you mean upload",)),
    "a misspelt one of a group": Mistake("readsets lst", 2, ("did you mean list",)),
    "a misspelt one of import": Mistake("import lst", 2, ("did you mean list",)),
    "another tool's command": Mistake("uploads rm", 2, ("those are list, show, abort, clean",)),
    "a command that was forgotten": Mistake("a.fastq.gz", 2, ("`turboupload upload a.fastq.gz`",)),
    "a store's name, looked for": Mistake("stores list --name loc", 0, ("of exactly this name",)),
    # --- what is there already
    "another description than that of the read set": Mistake(
        "upload a.fastq.gz --name there --sample s --subject u --description new --json", 0,
        ("is not as it is described now: it shows no description; a read set can't be changed",
         '"event": "upload.remark"', '"code": "metadata-differs"', '"existed": true'),
        first="upload a.fastq.gz --name there --sample s --subject u",
    ),
    "the same in a rehearsal": Mistake(
        "upload a.fastq.gz --name there2 --sample s --subject u --generated-from run --dry-run", 0,
        ("note: read set", "it shows no origin (generated from)"),
        first="upload a.fastq.gz --name there2 --sample s --subject u",
    ),
    "the same in a batch": Mistake(
        "batch s.csv --description new", 0, ("row 2", "it shows no description"),
        {"s.csv": sheet("s,u,there3,a.fastq.gz")},
        first="upload a.fastq.gz --name there3 --sample s --subject u",
    ),
    "tags, where a read set is there": Mistake(
        "upload a.fastq.gz --name there4 --sample s --subject u --tag a=b", 0,
        ("has these tags was not looked at",),
        first="upload a.fastq.gz --name there4 --sample s --subject u",
    ),
    "a description that differs": Mistake(
        "upload a.fastq.gz --name there5 --sample s --subject u --description new", 4,
        ("its description is 'old', not 'new'", "add --force"),
        first="upload a.fastq.gz --name there5 --sample s --subject u --description old",
    ),
    # --- rehearsals
    "a pattern that fits no file": Mistake(
        f"upload *.fq.gz {ABOUT}", 3, ("no such file", "no file fits this pattern")
    ),
    "neither sample nor subject": Mistake(
        "upload a.fastq.gz --name n", 3,
        ("no sample and subject were given", "add --sample ID and --subject ID"),
    ),
    "the same for files in S3": Mistake(
        f"import s3://bucket/a.fastq.gz {ROLE}", 2,
        ("no sample and no subject was given", "add --sample ID and --subject ID"),
    ),
    "a user in place of a role": Mistake(
        "import s3://bucket/a.fastq.gz --sample s --subject u "
        "--role-arn arn:aws:iam::000000000000:user/x", 2, ("is not the ARN of a role",),
    ),
    "a tag with two values": Mistake(
        f"upload a.fastq.gz {ABOUT} --tag k=1 --tag k=2", 2, ("the tag 'k' is given twice",)
    ),
    "a part of five bytes": Mistake(
        f"upload a.fastq.gz {ABOUT} --part-size 64", 2, ("'64' has no unit: write 64MiB",)
    ),
    "a rate of a hundred bytes": Mistake(
        f"upload a.fastq.gz {ABOUT} --max-bandwidth 100", 2, ("'100' has no unit: write 100MiB",)
    ),
    "a rate in bits": Mistake(
        f"upload a.fastq.gz {ABOUT} --max-bandwidth 100Mbps", 2, ("is in bits: write 11.9MiB/s",)
    ),
    "another format than the name says": Mistake(
        "check reads.bam", 0, ("is a gzipped FASTQ, and is named as a BAM",), {"reads.bam": "FASTQ"}
    ),
    "a sheet of R2 alone": Mistake(
        "batch s.csv", 3, ("there is a column for R2, and none for R1", "fastq_1, fastq_2"),
        {"s.csv": sheet("s,u,n,b.fastq.gz", columns="sample,subject,name,fastq_2")},
    ),
    "a report as a PDF": Mistake(
        f"upload a.fastq.gz {ABOUT} --report r.pdf", 2, ("end its name in .html",)
    ),
    "a sheet as a workbook": Mistake(
        "sheet run --output run.xlsx", 2, ("not as a workbook", "end the file's name in .csv")
    ),
    "a word of other tools for help": Mistake("help", 2, ("`turboupload --help`",)),
    "a word of other tools for a listing": Mistake("ls", 2, ("`turboupload readsets list`",)),
    "a word for what needs none": Mistake("resume", 2, ("the same `turboupload upload`",)),
    "credentials looked for here": Mistake("login", 2, ("`aws sso login`",)),
    # --- a path at which there is nothing
    "an ending that was left out": Mistake(
        f"upload a.fastq {ABOUT}", 3, ("a.fastq: no such file", "did you mean a.fastq.gz?")
    ),
    "two files in one word": Mistake(
        f"upload a.fastq.gz,b.fastq.gz {ABOUT}", 3,
        ("these are several files, each an argument of its own: a.fastq.gz b.fastq.gz",),
    ),
    "a path of Windows": Mistake(
        f"upload run\\c.fastq.gz {ABOUT}", 3, ("has / between its folders", "give run/c.fastq.gz")
    ),
    "a drive of Windows, in a sheet": Mistake(
        "batch s.csv", 3, ("row 2", "no drive letter", "name the folder as it is mounted here"),
        {"s.csv": sheet("s,u,n,D:\\run\\a.fastq.gz")},
    ),
    "a folder that is elsewhere": Mistake(
        f"upload runs/a.fastq.gz {ABOUT}", 3, ("check the path: there is no folder runs",)
    ),
    "a path from another folder": Mistake(
        f"upload zzz.bam {ABOUT}", 3, ("check the path: it begins in the folder /",)
    ),
    "a sheet that isn't here": Mistake("batch run43.csv", 3, ("run43.csv", "check the path")),
    "a blank that was copied with an id": Mistake(
        "upload a.fastq.gz --name n --subject u --sample=s\t", 2,
        ("begins or ends with a blank", "leave it out"),
    ),
    # --- half a pair
    "R1 alone beside its R2": Mistake(
        f"upload x_R1.fastq.gz {ABOUT} --dry-run", 0,
        ("note: x_R1.fastq.gz: its mate by its name, x_R2.fastq.gz, lies beside it",
         "give R1 and R2 together, in a sheet in one row"),
        {"x_R1.fastq.gz": "FASTQ", "x_R2.fastq.gz": "FASTQ"},
    ),
    "the same in a sheet, rehearsed": Mistake(
        "batch s.csv --dry-run", 0,
        ("note: row 2: x_R1.fastq.gz: its mate by its name, x_R2.fastq.gz, lies beside it",
         "1 new read set"),
        {"s.csv": sheet("S1,u,one,x_R1.fastq.gz"), "x_R1.fastq.gz": "FASTQ",
         "x_R2.fastq.gz": "FASTQ"},
    ),
    "one file in the place of two": Mistake(
        f"upload a.fastq.gz a.fastq.gz {ABOUT}", 3,
        ("the same file was given twice", "give R1 and then R2, or one file alone"),
    ),
    # --- sheets of others
    "columns in another language": Mistake(
        "batch s.csv", 3,
        ("no column names the files; the first line has 'Probe', 'Patient', 'Datei'",
         "the first line names the columns: sample, subject"),
        {"s.csv": "Probe;Patient;Datei\r\nS1;u;a.fastq.gz\r\n"},
    ),
    "a sheet without its first line": Mistake(
        "batch s.csv", 3, ("the first line has 's', 'u', 'n', 'a.fastq.gz'",),
        {"s.csv": "s,u,n,a.fastq.gz\n"},
    ),
    # --- other words for what there is
    "one dash": Mistake(
        "upload a.fastq.gz -name n", 2, ("begin with two dashes, such as --name",)
    ),
    "a read set's name for its id": Mistake(
        "readsets show HG002", 2, ("'HG002' is not the id", "`turboupload readsets list --name")
    ),
    "a file as the state folder": Mistake(
        f"upload a.fastq.gz {ABOUT} --state-dir b.fastq.gz", 2,
        ("it is a file, or its path leads through one", "set --state-dir or TURBOUPLOAD_STATE_DIR"),
    ),
    "a watcher of a folder that is no run": Mistake(
        "watch run --once --subject-from sample", 0,
        ("no run is over", "such as CopyComplete.txt", "`turboupload sheet`"),
    ),
    "a rehearsal with a row that is refused": Mistake(
        "batch s.csv --dry-run", 8, ("row 3 (two): would be refused", "1 refused"),
        {"s.csv": sheet("S1,u,one,a.fastq.gz", "S2,u,two,bad.fastq.gz"), "bad.fastq.gz": "GZ"},
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the command, which is also the home."""
    folder = tmp_path / "place"
    (folder / "run").mkdir(parents=True)
    for path in ("a.fastq.gz", "b.fastq.gz", "run/c.fastq.gz"):
        fastq(folder / path, reads=2)
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {os.fspath(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_told_with_the_way_on(
    shell: Shell,
    within: Callable[..., Ran],
    place: Path,
    mistake: Mistake,
) -> None:
    for name, text in mistake.files.items():
        (place / name).parent.mkdir(exist_ok=True)
        if text in ("FASTQ", "GZ"):
            reads = (place / "a.fastq.gz").read_bytes()
            (place / name).write_bytes(reads[:-9] if text == "GZ" else reads)
        else:
            (place / name).write_bytes(text.encode())
    for name, value in mistake.env.items():
        shell.env[name] = value
    shell.env["HOME"] = str(place)
    if mistake.first:
        assert within(*mistake.first.split(" ")).code == 0
    before = contents(place)
    ran = within(*mistake.words.replace("STORE", shell.emulator.store_id).split(" "))
    said = ran.out + ran.err
    assert ran.code == mistake.code, said
    told = [each.replace("STORE", shell.emulator.store_id) for each in mistake.told]
    assert [each for each in told if each not in said] == [], said
    assert "Traceback" not in said
    assert contents(place) == before
    if not mistake.first:
        assert [each for each in NOT_SENT if shell.count(each)] == []


def test_a_receipt_that_proves_more_stays_and_is_named(
    within: Callable[..., Ran], place: Path
) -> None:
    words = ("upload", "a.fastq.gz", "--name", "there7", "--sample", "s", "--subject", "u")
    # Made with another journal; this one finds it by its ETag, and from then on by its own word.
    assert within(*words, "--state-dir", place / "other").code == 0
    found = within(*words)
    assert "proven     yes, by the ETag" in found.out
    again = within(*words)
    assert "the journal (`turboupload receipt show " in again.err
    assert "keeps the receipt of an earlier run, which proves more" in again.err
