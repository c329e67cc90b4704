"""Makes folders as instruments and their software leave them, with small files of real content.

`python -m tests.support.run_folders FOLDER` makes one of each kind, to look at by hand.

Sources, read 2026-11: https://support-docs.illumina.com/SW/dragen_v42 (BCL Convert and DRAGEN),
https://support.10xgenomics.com (Cell Ranger's `fastq_path`),
https://nanoporetech.github.io/ont-output-specifications (MinKNOW),
https://pacbiofileformats.readthedocs.io/en/13.1/FileStructure.html (Revio and Vega).
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

from tests.seqcheck.preflight_samples import bgzf

__all__ = ["KINDS", "bam", "fastq"]

ILLUMINA_RUN = "230801_A00123_0045_AHGV7DSX7"
FLOWCELL = "HGV7DSX7"
READ = "A00123:45:{}:1:1101:1000:1000 1:N:0:A"
ONT_RUN = "20250603_1201_3E_PAA12345_e05460c6"
PACBIO_RUN = "r84001_20220722_134701"
MOVIE = "m84001_220722_134701_s1"

RUN_INFO = f"""<?xml version="1.0"?>
<RunInfo Version="5">
  <Run Id="{ILLUMINA_RUN}" Number="45">
    <Flowcell>{FLOWCELL}</Flowcell><Instrument>A00123</Instrument>
  </Run>
</RunInfo>
"""
SHEET_V1 = """[Header],,,
Experiment Name,E1,,
[Reads],,,
151,,,
[Data],,,
Lane,Sample_ID,Sample_Name,index
1,P_001,liver,ACGT
1,P_002,kidney,TGCA
"""
SHEET_V2 = """[Header],,,
FileFormatVersion,2,,
RunName,MyRun,,
[BCLConvert_Settings],,,
SoftwareVersion,4.2.7,,
[BCLConvert_Data],,,
Lane,Sample_ID,index,index2
1,A_1,ATCCACTG,AGGTGCGT
2,A_1,ATCCACTG,AGGTGCGT
1,B,GCTTGTCA,GAACATAC
"""


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def fastq(path: Path, name: str = "r1") -> None:
    """A gzipped FASTQ of one read."""
    write(path, gzip.compress(f"@{name}\nACGT\n+\n####\n".encode()))


def bam(path: Path, header: str = "@HD\tVN:1.6\n") -> None:
    """A BAM with a header and no record."""
    text = header.encode()
    write(path, bgzf(b"BAM\1" + len(text).to_bytes(4, "little") + text + bytes(4)))


def bcl_convert(root: Path) -> Path:
    """BCL Convert's output: two lanes, index reads, Undetermined, `Reports`, checksums."""
    out = root / "bcl_convert"
    names = [f"A-1_S1_L00{lane}" for lane in (1, 2)] + ["B_S2_L001", "Undetermined_S0_L001"]
    for name in names:
        for read in ("R1", "R2", "I1"):
            fastq(out / f"{name}_{read}_001.fastq.gz", READ.format(FLOWCELL))
    write(out / "Reports" / "RunInfo.xml", RUN_INFO)
    write(out / "Reports" / "SampleSheet.csv", SHEET_V2)
    listed = ["RGID,RGSM,RGLB,Lane,Read1File,Read2File"]
    for name, sample in zip(names, ("A_1", "A_1", "B", "Undetermined"), strict=True):
        reads = ",".join(f"/staging/out/{name}_R{mate}_001.fastq.gz" for mate in (1, 2))
        listed.append(f"ATCC.1,{sample},UnknownLibrary,1,{reads}")
    write(out / "Reports" / "fastq_list.csv", "\n".join(listed) + "\n")
    write(out / "Logs" / "FastqComplete.txt", "\n")
    write(out / "md5sum.txt", "d41d8cd98f00b204e9800998ecf8427e  A-1_S1_L001_R1_001.fastq.gz\n")
    return out


def bcl2fastq(root: Path) -> Path:
    """A run folder with FASTQs in it, a sample sheet of version 1, and base calls."""
    run = root / ILLUMINA_RUN
    calls = run / "Data" / "Intensities" / "BaseCalls"
    for sample, number in (("liver", 1), ("kidney", 2)):
        for read in ("R1", "R2"):
            fastq(calls / f"{sample}_S{number}_L001_{read}_001.fastq.gz")
    write(run / "RunInfo.xml", RUN_INFO)
    write(run / "SampleSheet.csv", SHEET_V1)
    write(run / "RTAComplete.txt", "")
    write(calls / "L001" / "C1.1" / "s_1_1101.bcl.gz", b"x")
    write(calls / "L001" / "L001_1.cbcl", b"x")
    return run


def dragen_ora(root: Path) -> Path:
    """DRAGEN's output with FASTQs that it compressed as ORA."""
    out = root / "dragen_ora"
    for read in ("R1", "R2"):
        write(out / f"A_S1_L001_{read}_001.fastq.ora", b"ora")
        fastq(out / f"B_S2_L001_{read}_001.fastq.gz")
    write(out / "Reports" / "RunInfo.xml", RUN_INFO)
    return out


def three_reads(root: Path) -> Path:
    """A kit whose R2 is a UMI: bcl2fastq gives three reads."""
    out = root / "three_reads"
    for read in ("R1", "R2", "R3", "I1"):
        fastq(out / f"A_S1_L001_{read}_001.fastq.gz", READ.format(FLOWCELL))
    for read in ("R1", "R2"):
        fastq(out / f"B_S2_L001_{read}_001.fastq.gz", READ.format(FLOWCELL))
    return out


def tenx(root: Path) -> Path:
    """Cell Ranger's `mkfastq`: gene expression with index reads, and ATAC with a third read."""
    out = root / "tenx" / "outs" / "fastq_path"
    name = READ.format("HFLC5BBXX")
    for read in ("I1", "I2", "R1", "R2"):
        fastq(out / "HFLC5BBXX" / "gex1" / f"gex1_S1_L001_{read}_001.fastq.gz", name)
    for read in ("I1", "R1", "R2", "R3"):
        fastq(out / "HFLC5BBXX" / "atac1" / f"atac1_S2_L001_{read}_001.fastq.gz", name)
    return root / "tenx" / "outs"


def minknow(root: Path) -> Path:
    """A barcoded run of MinKNOW with aliases for two of its three barcodes."""
    run = root / "Group" / "pool7" / ONT_RUN
    for status in ("pass", "fail"):
        for barcode in ("barcode01", "barcode02", "barcode03", "unclassified"):
            for chunk in range(3 if barcode == "barcode01" else 1):
                stem = f"PAA12345_{status}_{barcode}_e05460c6_d11637af_{chunk}"
                fastq(run / f"fastq_{status}" / barcode / f"{stem}.fastq.gz", "e1-uuid runid=x")
    write(run / "pod5" / "PAA12345_e05460c6_d11637af_0.pod5", b"x")
    head = "protocol_run_id,position_id,flow_cell_id,sample_id,experiment_id,flow_cell_product_code"
    rows = [f"{head},kit,barcode,alias,type"] + [
        f"u,3E,PAA12345,pool7,Group,FLO-PRO114,SQK-NBD114-24,barcode0{n},{alias},test_sample"
        for n, alias in ((1, "HG002"), (2, "HG003"))
    ]
    write(run / "sample_sheet_PAA12345_20250603_1201_e05460c6.csv", "\n".join(rows) + "\n")
    write(run / "final_summary_PAA12345_e05460c6_d11637af.txt", "flow_cell_id=PAA12345\n")
    write(run / "output_hash_PAA12345_20250603_1201_e05460c6.csv", "path,hash\n")
    return run


def minknow_bam(root: Path) -> Path:
    """A run of MinKNOW without barcodes, with BAM from dorado, and an older fast5."""
    run = root / "Group" / "HG005" / "20250603_1201_3E_PAA99999_0a1b2c3d"
    header = "@HD\tVN:1.6\n@RG\tID:x\tPL:ONT\tSM:no_sample\n"
    for chunk in range(2):
        stem = f"PAA99999_pass_0a1b2c3d_4e5f6a7b_{chunk}"
        bam(run / "bam_pass" / f"{stem}.bam", header)
        write(run / "bam_pass" / f"{stem}.bam.bai", b"x")
    write(run / "fast5_skip" / "PAA99999_skip_0a1b2c3d_4e5f6a7b_0.fast5", b"x")
    write(
        run / "sample_sheet_PAA99999_20250603_1201_0a1b2c3d.csv",
        "flow_cell_id,sample_id,experiment_id,kit\nPAA99999,HG005,Group,SQK-LSK114\n",
    )
    return run


def dorado(root: Path) -> Path:
    """What `dorado demux` makes; no instrument says whose the barcodes are."""
    out = root / "dorado"
    group = "0a1b2c3d-0000-4000-8000-0123456789ab_dna_r10.4.1_e8.2_400bps_sup@v5.0.0"
    for name, sample in (("barcode01", "HG002"), ("barcode02", "barcode02"), ("unclassified", "x")):
        header = f"@HD\tVN:1.6\n@RG\tID:{group}\tPL:ONT\tSM:{sample}\n"
        bam(out / f"SQK-NBD114-24_{name}.bam", header)
    return out


def revio(root: Path) -> Path:
    """A barcoded cell of Revio."""
    cell = root / PACBIO_RUN / "1_A01"
    for barcode, sample in (("bc2001", "HG002"), ("bc2002", "HG003"), ("unassigned", "x")):
        header = f"@HD\tVN:1.6\tpb:5.0.0\n@RG\tID:a\tPL:PACBIO\tSM:{sample}\tPU:{MOVIE}\n"
        for kind in ("hifi_reads", "fail_reads"):
            path = cell / kind / f"{MOVIE}.{kind}.{barcode}.bam"
            bam(path, header)
            write(path.with_name(f"{path.name}.pbi"), b"x")
    write(cell / "metadata" / f"{MOVIE}.metadata.xml", "<x/>")
    write(cell / "metadata" / f"{MOVIE}.transferdone", "")
    return root / PACBIO_RUN


def pacbio_without_sample(root: Path) -> Path:
    """A cell without barcodes whose library nobody named."""
    cell = root / "r84001_20230101_101010" / "1_B01"
    movie = "m84001_230101_101010_s2"
    header = "@HD\tVN:1.6\n@RG\tID:a\tPL:PACBIO\tSM:UnnamedSample\n"
    bam(cell / "hifi_reads" / f"{movie}.hifi_reads.default.bam", header)
    return root / "r84001_20230101_101010"


def plain(root: Path) -> Path:
    """Files that people named: mates, replicates, a number too many, an index read, an odd name."""
    out = root / "plain"
    for name in ("mates_1", "mates_2", "x_rep_1", "x_rep_2", "x_rep_3", "y_1", "y_2", "y_3"):
        fastq(out / f"{name}.fq.gz")
    for name in ("z_R1", "z_R2", "z_I1", "w_R2"):
        fastq(out / f"{name}.fastq.gz")
    fastq(out / "caf\udce9_R1.fastq.gz")
    write(out / "raw.fastq", "@a\nA\n+\n#\n")
    write(out / "raw.fastq.md5", "d41d8cd98f00b204e9800998ecf8427e  raw.fastq\n")
    return out


KINDS: tuple[Callable[[Path], Path], ...] = (
    bcl_convert, bcl2fastq, dragen_ora, three_reads, tenx, minknow, minknow_bam, dorado, revio,
    pacbio_without_sample, plain,
)  # fmt: skip


if __name__ == "__main__":
    for kind in KINDS:
        kind(Path(sys.argv[1]))
