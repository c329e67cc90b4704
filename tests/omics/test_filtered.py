"""Rows that the service's filter lets through though they are not what was asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.omics.test_reply_fuzz import Client, connected
from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.omics.client import OmicsClient

STORE = "1234567890"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def service(member: str, rows: list[dict[str, Any]]) -> OmicsClient:
    """A service that filters nothing."""
    body = json.dumps({member: [{"id": str(n), **row} for n, row in enumerate(rows)]}).encode()
    return OmicsClient(connected(Client(200, {}, body)))


def texts(member: str, right: str = "lane1", **more: Any) -> list[dict[str, Any]]:
    """One that is it, one that begins with it, one that ends with it, another, and two without."""
    values = [right, f"{right}0", f"x{right}", right.swapcase(), None]
    return [{member: value, **more} for value in values] + [more]


def moments(member: str) -> list[dict[str, Any]]:
    return [
        {member: moment and moment.isoformat()}
        for moment in (NOON, NOON - 3 * HOUR, NOON + 3 * HOUR, NOON - HOUR, NOON + HOUR, None)
    ]


RIGHT, IN_TIME = ["0", "4", "5"], ["0", "3", "4", "5"]
SPAN = {"created_after": NOON - HOUR, "created_before": NOON + HOUR}
ORIGINS: list[dict[str, Any]] = [
    {"sequenceInformation": {"generatedFrom": value}} for value in ("g", "g2", "xg", "G", None)
]


@pytest.mark.parametrize(
    ("wanted", "rows", "ids"),
    [
        ({"name": "lane1"}, texts("name"), RIGHT),
        ({"sample_id": "lane1"}, texts("sampleId"), RIGHT),
        ({"subject_id": "lane1"}, texts("subjectId"), RIGHT),
        ({"status": "ACTIVE"}, texts("status", "ACTIVE"), RIGHT),
        ({"creation_type": "UPLOAD"}, texts("creationType", "UPLOAD"), RIGHT),
        ({"reference_arn": "arn:x"}, texts("referenceArn", "arn:x"), RIGHT),
        ({"reference_arn": ""}, texts("referenceArn", "arn:x"), ["4", "5"]),
        ({"generated_from": "g"}, ORIGINS, ["0", "4"]),
        (SPAN, moments("creationTime"), IN_TIME),
        ({}, texts("name"), ["0", "1", "2", "3", "4", "5"]),
    ],
)
async def test_read_sets(
    wanted: dict[str, Any], rows: list[dict[str, Any]], ids: list[str]
) -> None:
    listed = service("readSets", rows)
    page = await listed.list_read_sets(STORE, ReadSetFilter(**wanted))
    assert [row.read_set_id for row in page.rows] == ids


@pytest.mark.parametrize(
    ("wanted", "rows", "ids"),
    [
        ({"status": "FAILED"}, texts("status", "FAILED"), RIGHT),
        (SPAN, moments("creationTime"), IN_TIME),
    ],
)
async def test_jobs(wanted: dict[str, Any], rows: list[dict[str, Any]], ids: list[str]) -> None:
    listed = service("importJobs", rows)
    page = await listed.list_import_jobs(STORE, ImportJobFilter(**wanted))
    assert [row.job_id for row in page.rows] == ids


@pytest.mark.parametrize(
    ("wanted", "rows", "ids"),
    [
        ({"name": "lane1"}, texts("name"), RIGHT),
        ({"status": "ACTIVE"}, texts("status", "ACTIVE"), RIGHT),
        (SPAN, moments("creationTime"), IN_TIME),
        (
            {"updated_after": NOON - HOUR, "updated_before": NOON + HOUR},
            moments("updateTime"),
            IN_TIME,
        ),
    ],
)
async def test_stores(wanted: dict[str, Any], rows: list[dict[str, Any]], ids: list[str]) -> None:
    listed = service("sequenceStores", rows)
    page = await listed.list_sequence_stores(SequenceStoreFilter(**wanted))
    assert [row.store_id for row in page.rows] == ids


async def test_a_status_that_is_another() -> None:
    rows = texts("status", "PROCESSING_UPLOAD")
    wanted = ReadSetFilter(status="PROCESSING_UPLOAD")
    page = await service("readSets", rows).list_read_sets(STORE, wanted)
    statuses = [row.status for row in page.rows]
    assert statuses == ["PROCESSING_UPLOAD", None, None], "what a row lacks contradicts nothing"
