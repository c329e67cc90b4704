"""BAM and CRAM as the tools of the field write them: the right type, and nothing against them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from tests.writers.tools import Alignments, Studio, assert_taken, needs, run

EMPTY = ("bam.empty", "cram.empty")
Writer = Callable[[Path, Path], None]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("writers"))


@pytest.fixture(scope="module")
def sources(studio: Studio) -> list[Alignments]:
    return studio.all()


def _pysam(*options: str) -> Writer:
    def write(source: Path, target: Path) -> None:
        pysam.view("--no-PG", *options, "-o", str(target), str(source), catch_stdout=False)

    return write


def _tool(*arguments: str, prints: bool = False) -> Writer:
    """A tool that is told IN and OUT, or prints."""

    def write(source: Path, target: Path) -> None:
        named = {
            "IN": str(source),
            "OUT": str(target),
            "IN_BAM": str(source.with_suffix(".in.bam")),
        }
        if "IN_BAM" in arguments:
            pysam.view("-b", "-o", named["IN_BAM"], str(source), catch_stdout=False)
        filled = [_filled(argument, named) for argument in arguments]
        run(*filled, into=target if prints else None)

    return write


def _filled(argument: str, named: dict[str, str]) -> str:
    for name in ("IN_BAM", "IN", "OUT"):
        if argument == name or argument.endswith(f"={name}"):
            return argument[: -len(name)] + named[name]
    return argument


BAM_WRITERS: dict[str, tuple[str | None, Writer]] = {
    "pysam": (None, _pysam("-b")),
    "pysam, stored": (None, _pysam("-u")),
    "pysam, level 9": (None, _pysam("-b", "--output-fmt-option", "level=9")),
    "samtools": ("samtools", _tool("samtools", "view", "-b", "-o", "OUT", "IN")),
    "samtools, stored": ("samtools", _tool("samtools", "view", "-u", "-o", "OUT", "IN")),
    "samtools sort": ("samtools", _tool("samtools", "sort", "-l", "1", "-o", "OUT", "IN")),
    "samtools collate": ("samtools", _tool("samtools", "collate", "-o", "OUT", "IN")),
    "scramble": ("scramble", _tool("scramble", "-I", "sam", "-O", "bam", "IN", "OUT")),
    "scramble, stored": (
        "scramble",
        _tool("scramble", "-0", "-I", "sam", "-O", "bam", "IN", "OUT"),
    ),
    "sambamba": ("sambamba", _tool("sambamba", "view", "-S", "-h", "-f", "bam", "-o", "OUT", "IN")),
    "bamtools": ("bamtools", _tool("bamtools", "filter", "-in", "IN_BAM", "-out", "OUT")),
    "biobambam2": ("bamsort", _tool("bamsort", "level=9", "I=IN_BAM", "O=OUT")),
    "biobambam2, fast": ("bamsort", _tool("bamsort", "level=1", "I=IN_BAM", "O=OUT")),
}


@pytest.mark.parametrize("name", BAM_WRITERS)
def test_bam(studio: Studio, sources: list[Alignments], name: str) -> None:
    tool, write = BAM_WRITERS[name]
    if tool is not None:
        needs(tool)
    made = {}
    for source in sources:
        target = source.sam.with_suffix(f".{list(BAM_WRITERS).index(name)}.bam")
        write(source.sam, target)
        made[target] = source
    types = {path: source.file_type for path, source in made.items()}
    judged = assert_taken(list(made), types, *EMPTY)
    for found in judged.values():
        assert [f.records for f in found.files] == [s.records for s in made.values()]


PROFILES = ("fast", "normal", "small", "archive")
HTSLIB_CRAMS = [
    ("2.1", "no_ref=1"),
    ("2.1", "embed_ref=1"),
    *((version, profile) for version in ("3.0", "3.1") for profile in PROFILES),
    ("3.0", "no_ref=1,use_bzip2=1,use_lzma=1"),
    ("3.0", "embed_ref=1,seqs_per_slice=25"),
    ("3.0", "multi_seq_per_slice=1,slices_per_container=3,seqs_per_slice=25"),
    ("3.1", "lossy_names=1,store_md=1,store_nm=1"),
]


@pytest.mark.parametrize(("version", "options"), HTSLIB_CRAMS)
def test_cram_of_pysam(
    studio: Studio, sources: list[Alignments], version: str, options: str
) -> None:
    made = []
    for source in sources:
        target = source.sam.with_suffix(f".{version}.{options}.cram")
        write = _pysam("-T", str(studio.reference), "-O", f"cram,version={version},{options}")
        write(source.sam, target)
        made.append(target)
    assert_taken(made, "CRAM", *EMPTY)


@pytest.mark.parametrize(
    ("version", "options"), [("2.1", "no_ref=1"), ("3.0", "normal"), ("3.1", "archive")]
)
def test_cram_of_samtools(
    studio: Studio, sources: list[Alignments], version: str, options: str
) -> None:
    needs("samtools")
    made = []
    for source in sources:
        target = source.sam.with_suffix(f".samtools.{version}.cram")
        output = f"cram,version={version},{options}"
        run("samtools", "view", "-T", studio.reference, "-O", output, "-o", target, source.sam)
        made.append(target)
    assert_taken(made, "CRAM", *EMPTY)


@pytest.mark.parametrize(
    "options",
    [
        ("-V2.1",),
        ("-V3.0",),
        ("-V3.0", "-x", "-j", "-Z"),
        ("-V3.1", "-X", "small"),
        ("-V3.1", "-X", "archive"),
    ],
    ids=" ".join,
)
def test_cram_of_scramble(
    studio: Studio, sources: list[Alignments], options: tuple[str, ...]
) -> None:
    needs("scramble")
    made = []
    for source in sources:
        target = source.sam.with_suffix(f".{''.join(options)}.scramble.cram")
        run(
            "scramble",
            *options,
            "-r",
            studio.reference,
            "-I",
            "sam",
            "-O",
            "cram",
            source.sam,
            target,
        )
        made.append(target)
    assert_taken(made, "CRAM", *EMPTY)


def test_what_picard_writes(studio: Studio, sources: list[Alignments]) -> None:
    """Two runs of Java: one for BAM, one for CRAM."""
    needs("picard-tools")
    dictionary = studio.reference.with_suffix(".dict")
    dictionary.write_text(str(pysam.dict(str(studio.reference))))
    short = next(s for s in sources if s.sam.stem == "many")
    for suffix, file_type in ((".picard.bam", "BAM"), (".picard.cram", "CRAM")):
        target = short.sam.with_suffix(suffix)
        run(
            "picard-tools", "SamFormatConverter", f"I={short.sam}", f"O={target}",
            f"R={studio.reference}", "VALIDATION_STRINGENCY=SILENT", "QUIET=true",
        )  # fmt: skip
        assert_taken([target], file_type)
