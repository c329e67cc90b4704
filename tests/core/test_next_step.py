"""Results in the forms that the next step takes, held against the service's own model."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import botocore.session
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator

from turboupload.core.next_step import (
    NF_CORE_HEAD,
    RUN_SETTINGS_HEAD,
    as_nf_core,
    as_run_settings,
    without_uri,
)
from turboupload.core.rows import RowResult
from turboupload.core.sheet.reading import parse_sheet

ARN = "arn:aws:omics:eu-west-1:111122223333:sequenceStore/1234567890/readSet/"
S3 = "s3://111122223333-1234567890-x-s3alias/111122223333/sequenceStore/1234567890/readSet"

PAIR = RowResult(
    row=2, name="HG002 lane 1", sample="HG002", status="active", read_set_id="5000000001",
    subject="NA24385", file_type="FASTQ", source1="a_R1.fq.gz", source2="a_R2.fq.gz",
    read_set_arn=f"{ARN}5000000001", s3_source1=f"{S3}/5000000001/a_R1.fq.gz",
    s3_source2=f"{S3}/5000000001/a_R2.fq.gz", proven=True,
)  # fmt: skip
BAM = RowResult(
    row=3, name="HG003", sample="HG003", status="exists", read_set_id="5000000002",
    subject="NA24149", file_type="UBAM", source1="b.bam", read_set_arn=f"{ARN}5000000002",
    s3_source1=f"{S3}/5000000002/b.bam",
)  # fmt: skip
NO_S3 = RowResult(
    row=4, name="HG004", sample="HG004", status="active", read_set_id="5000000003",
    subject="NA24143", file_type="FASTQ", source1="c_R1.fq.gz", source2="c_R2.fq.gz",
    read_set_arn=f"{ARN}5000000003",
)  # fmt: skip
FAILED = RowResult(row=5, name="HG005", sample="HG005", status="failed", file_type="CRAM")
ROWS = [PAIR, BAM, NO_S3, FAILED]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_sample_sheet_of_nf_core() -> None:
    assert as_nf_core([PAIR]).splitlines() == [
        "sample,fastq_1,fastq_2,patient,read_set_id",
        f"HG002,{PAIR.s3_source1},{PAIR.s3_source2},NA24385,5000000001",
    ]
    mixed = rows_of(as_nf_core(ROWS))
    assert [(row["sample"], row["bam"], row["fastq_1"]) for row in mixed] == [
        ("HG002", "", PAIR.s3_source1), ("HG003", BAM.s3_source1, ""),
    ]  # fmt: skip
    assert without_uri(ROWS, "nf-core") == 1
    assert without_uri([PAIR, FAILED], "nf-core") == 0
    assert without_uri(ROWS, "healthomics-run") == 0
    # What it writes is a sheet that we read, too: the same read sets, for an import elsewhere.
    again = parse_sheet(as_nf_core([PAIR]))
    assert not again.errors
    assert again.rows[0].sources == (PAIR.s3_source1, PAIR.s3_source2)


@pytest.mark.parametrize("rows", [[], [PAIR], ROWS], ids=["none", "pair", "mixed"])
def test_both_forms_are_known_again(rows: list[RowResult]) -> None:
    assert re.match(NF_CORE_HEAD, as_nf_core(rows).encode())
    assert re.match(RUN_SETTINGS_HEAD, as_run_settings(rows).encode())
    # A sheet of somebody's own is not ours to replace.
    assert not re.match(NF_CORE_HEAD, b"sample,fastq_1,fastq_2,strandedness\n")
    assert not re.match(RUN_SETTINGS_HEAD, b'[{"sample": "x"}]')
    # Somebody's own settings, as json.dumps and a hand write them.
    assert not re.match(RUN_SETTINGS_HEAD, b'[{"runSettingId": "run-1", "name": "x"}]')
    assert not re.match(RUN_SETTINGS_HEAD, b'[\n{"runSettingId": "run-1"}]')


def test_what_a_batch_of_runs_takes() -> None:
    """StartRunBatch takes the array as it is, StartRun each one's parameters."""
    settings: list[dict[str, Any]] = json.loads(as_run_settings(ROWS))
    assert [each["runSettingId"] for each in settings] == ["5000000001", "5000000002", "5000000003"]
    assert settings[0]["parameters"] == {
        "sample": "HG002", "subject": "NA24385", "read_set_id": "5000000001",
        "fastq_1": PAIR.s3_source1, "fastq_2": PAIR.s3_source2,
    }  # fmt: skip
    assert settings[1]["parameters"]["bam"] == BAM.s3_source1
    place = "omics://111122223333.storage.eu-west-1.amazonaws.com/1234567890/readSet/5000000003"
    assert settings[2]["parameters"]["fastq_2"] == f"{place}/source2"

    model = botocore.session.get_session().get_service_model("omics")
    batch = {
        "requestId": "r",
        "defaultRunSetting": {"workflowId": "1", "roleArn": "arn:aws:iam::111122223333:role/r"},
        "batchRunSettings": {"inlineSettings": settings},
    }
    conforms(batch, model.operation_model("StartRunBatch").input_shape)
    for each in settings:
        run = {
            "roleArn": "arn:aws:iam::111122223333:role/r",
            "outputUri": "s3://b/o",
            "requestId": "r",
            "name": each["name"],
            "parameters": each["parameters"],
        }
        conforms(run, model.operation_model("StartRun").input_shape)


def conforms(value: Any, shape: Shape | None) -> None:
    """Holds a value against a model: what botocore checks, and lengths and members beyond that."""
    assert shape is not None
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()
    _within_limits(value, shape)


def _within_limits(value: Any, shape: Any) -> None:
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        assert set(value) <= set(shape.members)
        for name, member in value.items():
            _within_limits(member, shape.members[name])
    elif shape.type_name == "list":
        assert len(value) <= shape.metadata.get("max", len(value))
        for each in value:
            _within_limits(each, shape.member)
    elif shape.type_name == "string":
        limits = shape.metadata
        assert limits.get("min", 0) <= len(value) <= limits.get("max", len(value))
