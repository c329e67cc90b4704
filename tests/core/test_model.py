import pathlib
import pickle
from typing import Any

import pytest

from tests.support.values import read_set
from turboupload.core.imports.jobs import ImportSource
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, ReadSet
from turboupload.errors import InputError


def test_paths_may_be_of_any_kind() -> None:
    made = ReadSet(
        sources=[pathlib.Path("a.bam")], name="n", sample_id="s", subject_id="u", file_type="BAM"
    )
    assert made.paths == ("a.bam",)
    assert made.file_type is FileType.BAM


def test_a_source_may_be_several_files() -> None:
    made = read_set(sources=[["a", pathlib.Path("b")], ("c", "d")])
    assert made.sources == (("a", "b"), ("c", "d"))
    assert made.files == made.sources
    assert made.paths == ("a", "b", "c", "d")
    assert read_set(sources=[["a"], ["b"]]) == read_set(sources=["a", "b"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name must have 1 to 127"),
        ({"name": "x" * 128}, "name must have 1 to 127"),
        ({"sample_id": ""}, "sample id must have"),
        ({"subject_id": "a\nb"}, "subject id has U\\+000A LINE FEED at position 2"),
        ({"sample_id": "S1\u200b"}, "sample id has U\\+200B ZERO WIDTH SPACE at position 3"),
        ({"tags": {"a\u00ad": "b"}}, "the key of tag 'a.*' has U\\+00AD SOFT HYPHEN"),
        ({"tags": {"a": "\u202eb"}}, "tag 'a' has U\\+202E RIGHT-TO-LEFT OVERRIDE at position 1"),
        ({"description": "x" * 256}, "description must have 1 to 255"),
        ({"generated_from": ""}, "generated from must have"),
        ({"reference_arn": "hg38"}, "not the ARN of a reference"),
        ({"reference_arn": "arn:" + "x" * 124}, "not the ARN of a reference"),
        ({"file_type": "VCF"}, "not a file type"),
        ({"sources": []}, "one file, or two"),
        ({"sources": ["a", "b", "c"]}, "one file, or two"),
        ({"sources": "a.bam"}, "must be a list"),
        ({"sources": ["a", "b"], "file_type": "BAM"}, "only FASTQ comes in pairs"),
        ({"sources": ["a", "a"]}, "same file was given twice"),
        ({"sources": [["a", "b", "a"]]}, "same file was given twice"),
        ({"sources": [["a", "b"], ["c", "a"]]}, "same file was given twice"),
        ({"sources": [["a", "b"], ["c"]]}, "R1 has 2 and R2 has 1"),
        ({"sources": [[]]}, "a source has no files"),
        ({"sources": [["a", "b"]], "file_type": "BAM"}, "only FASTQ files can be merged"),
        ({"sources": [["a", "b"], ["c", "d"], ["e", "f"]]}, "one file, or two"),
        ({"sources": [["a", 1]]}, "or sequences of paths"),
        ({"tags": {str(number): "" for number in range(51)}}, "at most 50 tags"),
        ({"tags": {"": "x"}}, "keys have 1 to 128"),
        ({"tags": {"k": "x" * 257}}, "values at most 256"),
        ({"tags": {"aws:k": "x"}}, "reserved by AWS"),
    ],
)
def test_what_the_service_would_refuse_is_refused_here(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_set(**change)


def test_the_longest_values_are_taken() -> None:
    made = read_set(
        name="x" * 127,
        description="x" * 255,
        reference_arn="arn:" + "x" * 123,
        tags={f"{number:0128}": "v" * 256 for number in range(50)},
    )
    assert len(made.tags) == 50


def test_a_read_set_is_not_changed_by_its_maker() -> None:
    tags = {"run": "1"}
    made = read_set(tags=tags)
    tags["run"] = "2"
    assert made.tags == {"run": "1"}


@pytest.mark.parametrize(
    "described",
    [
        ReadSet(sources=["a.bam"], name="n", file_type="BAM", tags={"project": "giab"}),
        ImportSource(
            source1="s3://bucket/key",
            file_type="CRAM",
            sample_id="s",
            subject_id="u",
            tags={"a": "b"},
        ),
    ],
)
def test_what_describes_a_read_set_can_be_sent_to_another_process(described: Description) -> None:
    came = pickle.loads(pickle.dumps(described))  # noqa: S301 - pickled here
    assert came == described
    assert came.file_type is described.file_type
