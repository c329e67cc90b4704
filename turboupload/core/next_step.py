"""Results in the form that the next step takes: a sample sheet of nf-core, runs of HealthOmics.

Only read sets that exist are in them. Their files are named by S3 URIs, where the store gives
access; HealthOmics also takes its own URIs.

Sources, read 2026-11: https://nf-co.re/docs (usage pages of rnaseq and sarek),
https://docs.aws.amazon.com/omics/latest/api/API_BatchRunSettings.html (the same JSON array inline
and as a file in S3) and https://docs.aws.amazon.com/omics/latest/dev/create-ref-files.html (URIs).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from turboupload.core.formats import FORMATS
from turboupload.core.rows import RowResult

__all__ = [
    "NF_CORE_HEAD",
    "RESULTS_FORMATS",
    "RUN_SETTINGS_HEAD",
    "ResultsFormat",
    "as_nf_core",
    "as_run_settings",
    "without_uri",
]

ResultsFormat = Literal["nf-core", "healthomics-run"]
"""The forms that have rows of successful read sets only; the others have a row for each."""

RESULTS_FORMATS: Final[tuple[ResultsFormat, ...]] = get_args(ResultsFormat)

_THERE: Final = frozenset({"active", "exists"})
_ARN: Final = re.compile(
    r"arn:aws:omics:([a-z0-9-]+):([0-9]{12}):sequenceStore/([0-9]+)/readSet/([0-9]+)"
)
_COLUMNS: Final = ("sample", "fastq_1", "fastq_2")

# By these the files are known as ours, so that they may be replaced. Others write run settings,
# too, but without the line break and with other ids.
NF_CORE_HEAD: Final = rb"sample,fastq_1,fastq_2,(?:bam,|cram,)*patient,read_set_id\r?\n"
RUN_SETTINGS_HEAD: Final = rb'\[\n(?:\{"runSettingId": "[0-9]{10}|\n\]\n$)'


def as_nf_core(rows: Sequence[RowResult]) -> str:
    """A sample sheet of nf-core: `sample,fastq_1,fastq_2`, and `bam` or `cram` where needed.

    Beside these are sarek's `patient` and the read set's id, which other pipelines pass over. Read
    sets that have no S3 URI are left out.
    """
    there = [row for row in rows if row.status in _THERE and row.s3_source1]
    forms = [_form(row) for row in there]
    aligned = [each for each in ("bam", "cram") if each in forms]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_COLUMNS, *aligned, "patient", "read_set_id"], restval="")
    writer.writeheader()
    for row, form in zip(there, forms, strict=True):
        writer.writerow(
            {
                "sample": row.sample,
                **_files(row, form, row.s3_source1, row.s3_source2),
                "patient": row.subject,
                "read_set_id": row.read_set_id,
            }
        )
    return text.getvalue()


def as_run_settings(rows: Sequence[RowResult]) -> str:
    """What StartRunBatch takes for each of its runs, in `inlineSettings` or as a file in S3.

    `parameters` of one of them is also what StartRun takes. They are called as nf-core's columns.
    """
    settings = []
    for row in rows:
        first, second = _uris(row)
        if row.status not in _THERE or first is None:
            continue
        parameters = {
            "sample": row.sample,
            "subject": row.subject,
            "read_set_id": row.read_set_id,
            **_files(row, _form(row), first, second),
        }
        settings.append(
            {
                "runSettingId": row.read_set_id,
                "name": row.name,
                "parameters": {key: value for key, value in parameters.items() if value},
            }
        )
    lines = ",\n".join(json.dumps(each) for each in settings)
    return f"[\n{lines}\n]\n"


def without_uri(rows: Sequence[RowResult], form: ResultsFormat) -> int:
    """How many read sets exist that a form can't name."""
    there = [row for row in rows if row.status in _THERE]
    if form == "nf-core":
        return sum(not row.s3_source1 for row in there)
    return sum(_uris(row)[0] is None for row in there)


def _form(row: RowResult) -> str:
    """The column of a read set's file: `fastq`, `bam` or `cram`."""
    about = FORMATS.get(row.file_type or "")
    return about.etag.lower() if about is not None else "fastq"


def _files(row: RowResult, form: str, first: str | None, second: str | None) -> dict[str, Any]:
    return {"fastq_1": first, "fastq_2": second} if form == "fastq" else {form: first}


def _uris(row: RowResult) -> tuple[str | None, str | None]:
    """A read set's files as a workflow of HealthOmics names them."""
    if row.s3_source1:
        return row.s3_source1, row.s3_source2
    found = _ARN.fullmatch(row.read_set_arn or "")
    if found is None:
        return None, None
    region, account, store, read_set = found.groups()
    place = f"omics://{account}.storage.{region}.amazonaws.com/{store}/readSet/{read_set}"
    return f"{place}/source1", f"{place}/source2" if row.source2 else None
