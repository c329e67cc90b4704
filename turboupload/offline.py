"""The library's functions that need no service: files, sheets and receipts.

They block, as reading does; in code with an event loop, `await asyncio.to_thread(check, files)`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from turboupload.core.folders.mates import check_mates
from turboupload.core.formats import FileType, FileTypeName
from turboupload.core.metadata import check_kind
from turboupload.core.model import paths_of
from turboupload.core.sheet.model import Sheet, SheetDefaults
from turboupload.core.sheet.writing import SheetFormat, unwritable
from turboupload.core.sheet.writing import write_sheet as sheet_text
from turboupload.errors import InputError
from turboupload.files.manifests import check_manifests
from turboupload.files.receipt_check import ReceiptCheck, check_receipt
from turboupload.files.run_folders import propose_sheet
from turboupload.files.sheets import relative_to, write_new
from turboupload.seqcheck.checks import Findings, check_files
from turboupload.state.receipt_file import load_receipt

__all__ = ["check", "plan_sheet", "verify_receipt", "write_sheet"]

T = TypeVar("T")
Path = str | os.PathLike[str]
OnProgress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes to read, by the threads that read."""


def check(
    files: Path | Sequence[Path | Sequence[Path]],
    *,
    file_type: FileType | FileTypeName | None = None,
    deep: bool = False,
    pair: bool | None = None,
    reference_fasta: Path | None = None,
    md5: Path | Sequence[Path] = (),
    md5_beside: bool = False,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
) -> Findings:
    """Checks files as `turboupload check` and every upload do; a bad file never raises.

    Args:
        files: One, or several; files that are to become one source are a sequence in the place of
            one.
        file_type: What they are; by default their content decides.
        deep: Read all of each file: every checksum, every record.
        pair: Whether two FASTQ files are R1 and R2; by default they are, and more than two are
            paired by their names.
        reference_fasta: A reference to compare @SQ lines with; with `deep`, a CRAM's bases are
            decoded with it.
        md5: Manifests, as md5sum or sha256sum write them: every file must be in one, and is read
            and compared.
        md5_beside: Whether each file must have a manifest of its own beside it.
        threads: How many to use; by default one a processor.
        on_progress: Told how far it is; an exception ends the check.

    Returns:
        What was found; `ok` is True if there is no error.

    Raises:
        ConfigError: `file_type` is unknown, or `threads` is less than one.
        InputError: The reference, or a manifest, can't be read.

    Example:
        ```python
        found = turboupload.check(["HG002_R1.fastq.gz", "HG002_R2.fastq.gz"])
        for each in found.errors:
            print(each.path, each.code, each.sentence, each.advice)
        ```
    """
    found = check_files(
        _listed(files),
        declared_type=file_type,
        deep=deep,
        as_pair=pair,
        reference_fasta=reference_fasta,
        threads=threads,
        progress=on_progress,
    )
    manifests = _listed(md5)
    if not (manifests or md5_beside):
        return found
    paths = [path for each in _listed(files) for path in paths_of(each)]
    more = check_manifests(paths, manifests, beside=md5_beside)
    return replace(found, findings=(*found.findings, *more))


def plan_sheet(
    folder: Path,
    *,
    recursive: bool = False,
    defaults: SheetDefaults | None = None,
    mates: tuple[str, str] | None = None,
) -> Sheet:
    """A sheet of the sequencing files in a folder, as `turboupload sheet` proposes it.

    Args:
        folder: Where to look; hidden files and folders are passed over. Also a `fastq_list.csv`.
        recursive: Whether to look into its folders, too; into those of a run in any case.
        defaults: What every row has.
        mates: Which two reads are the mates where a sample has three, such as R1 and R3.

    Returns:
        A sheet for `upload_batch`, or for `write_sheet` and a person's review; `findings` says
        what was left out, and why, and `left_out` has it file by file.

    Raises:
        ConfigError: `mates` is no such two.
        InputError: There is no such folder, or nothing in it is a sequencing file.
    """
    if defaults is not None:
        check_kind("defaults", defaults, SheetDefaults)
    if mates is not None:
        check_mates(mates)
    return propose_sheet(os.fspath(folder), recursive=recursive, defaults=defaults, mates=mates)


def write_sheet(sheet: Sheet, path: Path, *, overwrite: bool = False) -> None:
    """Writes a sheet to a file that `read_sheet` reads, with paths relative to it.

    Args:
        sheet: The sheet.
        path: Where; `.tsv` and `.jsonl` say the format, anything else is CSV.
        overwrite: Whether a sheet that is there may be replaced; nothing else ever is.

    Raises:
        ConfigError: It is there already, or can't be written.
        InputError: The format can't hold a file's name.
    """
    check_kind("sheet", sheet, Sheet)
    target = os.fspath(path)
    ending = os.path.splitext(target)[1].lower()  # noqa: PTH122 - a path may be bare text
    form: SheetFormat = "tsv" if ending == ".tsv" else "jsonl" if ending == ".jsonl" else "csv"
    rows = relative_to(sheet.rows, target)
    for row in rows:
        for source in row.paths:
            if why := unwritable(source, form):
                raise InputError(why, path=source, hint="write the sheet beside the files")
    write_new(target, sheet_text(rows, form), overwrite=overwrite)


def verify_receipt(
    receipt: Path,
    files: Path | Sequence[Path] = (),
    *,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
) -> ReceiptCheck:
    """Computes every digest of a receipt again, as `turboupload receipt verify` does.

    Args:
        receipt: The receipt's file.
        files: Those to compare with it, in any order; by default those that it names.
        threads: How many to use; by default one a processor.
        on_progress: Told how far it is; an exception ends the call.

    Returns:
        What was found; `proven` says whether the store is proven to hold these very files.

    Raises:
        ConfigError: There are more files, or fewer, than in the receipt.
        InputError: The receipt, or a file, can't be read.
        IntegrityError: The receipt was changed after it was written.
    """
    names = [os.fspath(each) for each in _listed(files)]
    return check_receipt(load_receipt(receipt), names, threads=threads, progress=on_progress)


def _listed(files: Path | Sequence[T]) -> Sequence[Path | T]:
    return [files] if isinstance(files, str | os.PathLike) else files
