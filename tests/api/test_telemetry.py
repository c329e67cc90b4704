"""Notices in the log: names with a subject and fields that are ready for JSON."""

from __future__ import annotations

import json

import pytest

from turboupload.core.model import Digest, Part, PartSource
from turboupload.core.notices import Notice, Retrying
from turboupload.core.upload.events import Completing, PartSeen
from turboupload.telemetry import describe

PART = PartSeen(
    part=Part(PartSource.SOURCE1, 2, 100, 50),
    digest=Digest(xxh3=bytes(16), sha256=bytes(32)),
    checksum="abc",
    origin="sent",
)


@pytest.mark.parametrize(
    ("notice", "name", "fields"),
    [
        (PART, "part.sent", {"source": "SOURCE1", "number": 2, "size": 50, "checksum": "abc"}),
        (Completing(), "upload.completing", {}),
        (
            Retrying(operation="ListReadSets", reason="reset", message="m", pause_s=0.12345),
            "call.retrying",
            {"operation": "ListReadSets", "reason": "reset", "message": "m", "pause_s": 0.123},
        ),
    ],
)
def test_names_and_fields(notice: Notice, name: str, fields: dict[str, object]) -> None:
    described, told = describe(notice)
    assert described == name
    assert fields.items() <= told.items()
    json.dumps(told)
