"""The kinds of file that are recognised: their magic numbers, and advice for each.

A kind with the name of a file type can be uploaded as that type.

Magic numbers: SAM/BAM and CRAM specifications (samtools.github.io/hts-specs), and those of the
other formats.
"""

from __future__ import annotations

from enum import StrEnum

from turboupload.core.formats import FORMATS, in_words

__all__ = ["HINTS", "MAGIC", "ORA_HINT", "Compression", "Kind"]


class Kind(StrEnum):
    """What a file holds: first what can be uploaded, then what people confuse with it."""

    FASTQ = "fastq"
    BAM = "bam"
    UBAM = "ubam"
    CRAM = "cram"

    PLAIN_FASTQ = "plain_fastq"
    RAW_BAM = "raw_bam"
    OTHER_CRAM = "other_cram"
    GZIPPED_BAM = "gzipped_bam"
    SAM = "sam"
    FASTA = "fasta"
    VCF = "vcf"
    BCF = "bcf"
    INDEX = "index"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ZIP = "zip"
    TAR = "tar"
    SRA = "sra"
    HDF5 = "hdf5"
    POD5 = "pod5"
    ENCRYPTED = "encrypted"
    HTML = "html"
    XML = "xml"
    JSON = "json"
    OTHER_TEXT = "other_text"
    LFS_POINTER = "lfs_pointer"
    ANNEX_POINTER = "annex_pointer"
    GZIP_OTHER = "gzip_other"
    DAMAGED_GZIP = "damaged_gzip"
    ZEROS = "zeros"
    EMPTY = "empty"
    UNKNOWN = "unknown"


class Compression(StrEnum):
    """How the content is wrapped."""

    NONE = "none"
    GZIP = "gzip"
    BGZF = "bgzf"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ZIP = "zip"


ORA_HINT = "make gzipped FASTQ of it first, with Illumina's `orad` or with DRAGEN"

_UPLOADABLE = f"give {in_words((each.example for each in FORMATS.values()), 'or')}"

HINTS = {
    Kind.PLAIN_FASTQ: "FASTQ must be gzipped: compress it with `bgzip FILE` or `gzip FILE`",
    Kind.RAW_BAM: "compress it again: `samtools view -b -o out.bam FILE`",
    Kind.OTHER_CRAM: "write it as CRAM 3.0: `samtools view -C -O cram,version=3.0 -T REFERENCE.fa "
    "-o out.cram FILE`",
    Kind.GZIPPED_BAM: "BAM must be BGZF: write it again with `samtools view -b -o out.bam FILE`",
    Kind.SAM: "convert it: `samtools view -b -o out.bam FILE`",
    Kind.FASTA: "a read set holds reads with qualities; a FASTA belongs into a reference store",
    Kind.VCF: "a read set holds reads; variants don't go into a sequence store",
    Kind.BCF: "a read set holds reads; variants don't go into a sequence store",
    Kind.INDEX: "give the data file itself: the service makes its own index",
    Kind.BZIP2: "recompress it: `bzip2 -dc FILE | bgzip > out.fastq.gz`",
    Kind.XZ: "recompress it: `xz -dc FILE | bgzip > out.fastq.gz`",
    Kind.ZSTD: "recompress it: `zstd -dc FILE | bgzip > out.fastq.gz`",
    Kind.ZIP: "unpack it first; zip is not gzip",
    Kind.TAR: "unpack it first and give the files it holds",
    Kind.SRA: "extract the reads first, for example with `fasterq-dump`",
    Kind.HDF5: "call the bases first; raw signal doesn't go into a sequence store",
    Kind.POD5: "call the bases first; raw signal doesn't go into a sequence store",
    Kind.ENCRYPTED: "decrypt it first: the service reads the content",
    Kind.HTML: "a download saved an error or login page instead of the file: get it again",
    Kind.XML: "a download saved an error reply instead of the file: get it again",
    Kind.JSON: "a download saved an error reply instead of the file: get it again",
    Kind.OTHER_TEXT: "write it as ASCII text with a line feed (LF) after each line: `mac2unix`, "
    "or `iconv -f UTF-16 -t ASCII`",
    Kind.LFS_POINTER: "fetch the content first: `git lfs pull`",
    Kind.ANNEX_POINTER: "fetch the content first: `git annex get FILE`",
    Kind.GZIP_OTHER: _UPLOADABLE,
    Kind.DAMAGED_GZIP: "copy the file again",
    Kind.ZEROS: "the space was reserved but the data never written: copy the file again",
    Kind.EMPTY: "check the step that should have written it",
    Kind.UNKNOWN: f"{_UPLOADABLE}; a sample sheet is for `turboupload batch`",
}

MAGIC: tuple[tuple[bytes, Kind, str, Compression], ...] = (
    (b"BZh", Kind.BZIP2, "bzip2-compressed", Compression.BZIP2),
    (b"\xfd7zXZ\0", Kind.XZ, "xz-compressed", Compression.XZ),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD, "Zstandard-compressed", Compression.ZSTD),
    (b"PK\x03\x04", Kind.ZIP, "a zip archive", Compression.ZIP),
    (b"PK\x05\x06", Kind.ZIP, "an empty zip archive", Compression.ZIP),
    (b"BAM\x01", Kind.RAW_BAM, "a BAM without its compression", Compression.NONE),
    (b"BCF", Kind.BCF, "a BCF file (variants)", Compression.NONE),
    (b"BAI\x01", Kind.INDEX, "a BAM index (.bai)", Compression.NONE),
    (b"CSI\x01", Kind.INDEX, "an index (.csi)", Compression.NONE),
    (b"TBI\x01", Kind.INDEX, "a tabix index (.tbi)", Compression.NONE),
    (b"NCBI.sra", Kind.SRA, "an SRA archive", Compression.NONE),
    (b"\x89HDF\r\n\x1a\n", Kind.HDF5, "an HDF5 file (FAST5?)", Compression.NONE),
    (b"\x8bPOD\r\n\x1a\n", Kind.POD5, "a POD5 file (raw signal)", Compression.NONE),
    (b"crypt4gh", Kind.ENCRYPTED, "encrypted with Crypt4GH", Compression.NONE),
    (b"age-encryption.org/", Kind.ENCRYPTED, "encrypted with age", Compression.NONE),
    (b"-----BEGIN PGP MESSAGE", Kind.ENCRYPTED, "encrypted with PGP", Compression.NONE),
    (
        b"version https://git-lfs.github.com/spec/",
        Kind.LFS_POINTER,
        "a Git LFS pointer, not the file it stands for",
        Compression.NONE,
    ),
)
