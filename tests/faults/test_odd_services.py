"""Services that are odd, yet within what is documented or seen: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.emulator.omics import omics_client
from tests.faults.answers import COMPLETE, CREATE, LIST_PARTS, OPERATIONS, SEND
from tests.support.emulator import RunningEmulator
from tests.support.samples import fastq_pair
from turboupload.core.upload.events import PartSeen
from turboupload.errors import IntegrityError, ServiceRefused

PART = 10_000
ODDITIES = [
    ["--odd-replies", "null-members", "--odd-replies", "extra-members",
     "--odd-replies", "new-values"],
    ["--odd-replies", "sparse"],
]  # fmt: skip
STRANGE = [
    "--page-size",
    "2",
    "--listing-order",
    "shuffled",
    "--completed-uploads-listed",
    "600",
    "--world",
    "completed_uploads=without-parts",
]
EXPIRED = {"type": "error", "code": "ExpiredTokenException", "message": "token expired"}


def named(kind: tuple[str, int]) -> str:
    return f"{kind[0]}, {'sparse' if kind[1] else 'null, extra, new'}"


KINDS = [("base64", 0), ("hex", 1), ("opaque", 0), ("absent-in-listing", 1)]
TWO_KINDS = [KINDS[0], KINDS[3]]
one_kind = pytest.mark.parametrize("odd", KINDS[:1], ids=named, indirect=True)
two_kinds = pytest.mark.parametrize("odd", TWO_KINDS, ids=named, indirect=True)


@pytest.fixture(scope="module", params=KINDS, ids=named)
def odd(request: pytest.FixtureRequest) -> Iterator[tuple[str, RunningEmulator]]:
    form, oddity = request.param
    options = ["--quotas", "off", "--ingest-delay", "0.2", "--checksum", form]
    with RunningEmulator(*options, *STRANGE, *ODDITIES[oddity]) as emulator:
        yield form, emulator
        assert "Traceback" not in emulator.stderr()


@pytest.fixture(autouse=True)
def environment(
    odd: tuple[str, RunningEmulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for key, value in odd[1].env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path / "state"))
    yield
    odd[1].clear_faults()


class Lab:
    """A pair of files and one odd emulator."""

    def __init__(self, form: str, emulator: RunningEmulator, folder: Path, name: str) -> None:
        self.form = form
        self.emulator = emulator
        self.folder = folder
        one, two = fastq_pair(folder, reads=400)
        self.paths = [one.path, two.path]
        self.name = name
        emulator.reset_stats()
        self.client = omics_client(emulator, held=False)

    async def upload(
        self, on_event: Callable[[object], None] | None = None, **more: Any
    ) -> turboupload.UploadResult:
        fields: dict[str, Any] = {
            "part_size_bytes": PART,
            "concurrency": 1,
            "poll_interval_s": 0.2,
            # Nothing lags here.
            "listing_lag_s": 1.0,
            "transactions_per_s": dict.fromkeys(OPERATIONS, 1000.0),
            **more,
        }
        read_set = turboupload.ReadSet(
            sources=self.paths, name=self.name, sample_id="HG002", subject_id="NA24385"
        )
        config = turboupload.UploadConfig(**fields)
        return await turboupload.upload(
            read_set, store_id=self.emulator.store_id, config=config, on_event=on_event
        )

    async def upload_until(self, parts: int) -> None:
        rule = {"operation": SEND, "after": parts, "times": None, "action": EXPIRED}
        self.emulator.set_faults([rule])
        with pytest.raises(ServiceRefused):
            await self.upload()
        self.emulator.clear_faults()

    def forget(self) -> None:
        for each in (self.folder / "state").glob("journal*"):
            each.unlink()

    def calls(self, operation: str) -> int:
        found = self.emulator.stats()["operations"].get(operation, {})
        return int(found.get("requests", 0))

    @property
    def stored(self) -> list[int]:
        return [row["stored"] for row in self.emulator.stats()["parts"]]

    def read_sets(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for page in self.client.get_paginator("list_read_sets").paginate(
            sequenceStoreId=self.emulator.store_id, filter={"name": self.name}
        ):
            rows += page["readSets"]
        return rows

    def bytes_of(self, read_set_id: str) -> list[bytes]:
        return [
            self.client.get_read_set(
                sequenceStoreId=self.emulator.store_id, id=read_set_id, partNumber=1, file=file
            )["payload"].read()
            for file in ("SOURCE1", "SOURCE2")
        ]

    def create(self, name: str | None = None) -> str:
        reply = self.client.create_multipart_read_set_upload(
            sequenceStoreId=self.emulator.store_id, sourceFileType="FASTQ", subjectId="NA24385",
            sampleId="HG002", name=name or self.name,
        )  # fmt: skip
        return str(reply["uploadId"])

    def put(self, upload_id: str, number: int, data: bytes, source: str = "SOURCE1") -> None:
        self.client.upload_read_set_part(
            sequenceStoreId=self.emulator.store_id, uploadId=upload_id, partSource=source,
            partNumber=number, payload=data,
        )  # fmt: skip

    def put_all(self, upload_id: str, part_size: int, *, last: int | None = None) -> None:
        for source, path in zip(("SOURCE1", "SOURCE2"), self.paths, strict=True):
            data = path.read_bytes()
            cuts = [data[at : at + part_size] for at in range(0, len(data), part_size)]
            for number, piece in enumerate(cuts[:last], start=1):
                self.put(upload_id, number, piece, source)


@pytest.fixture
def lab(
    odd: tuple[str, RunningEmulator], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    lab = Lab(*odd, tmp_path, request.node.name[:100])
    yield lab
    lab.client.close()


def check(lab: Lab, result: turboupload.UploadResult) -> None:
    """One read set, of these bytes, ACTIVE."""
    assert result.status == "ACTIVE"
    assert [row["id"] for row in lab.read_sets()] == [result.read_set_id]
    assert lab.bytes_of(result.read_set_id) == [path.read_bytes() for path in lab.paths]


async def test_the_straight_way(lab: Lab) -> None:
    result = await lab.upload()
    check(lab, result)
    assert result.verified == ("opaque" if lab.form == "opaque" else "sha256")
    assert set(lab.stored) == {1}
    again = await lab.upload()
    assert (again.read_set_id, again.bytes_sent) == (result.read_set_id, 0)


async def test_with_the_journal_no_part_is_sent_twice(lab: Lab) -> None:
    await lab.upload_until(5)
    result = await lab.upload()
    check(lab, result)
    assert result.parts_reused == 5
    assert set(lab.stored) == {1}
    assert lab.calls(CREATE) == 1
    assert result.verified == ("opaque" if lab.form == "opaque" else "sha256")


async def test_without_the_journal_what_can_be_compared_is_not_sent_twice(lab: Lab) -> None:
    await lab.upload_until(5)
    lab.forget()
    result = await lab.upload()
    check(lab, result)
    comparable = lab.form in ("base64", "hex")
    assert result.parts_reused == (5 if comparable else 0)


@one_kind
async def test_a_completed_upload_that_is_still_listed_is_not_completed_again(
    lab: Lab,
) -> None:
    rule = {"operation": COMPLETE, "action": {"type": "lose_reply"}}
    lab.emulator.set_faults([rule])
    result = await lab.upload()
    check(lab, result)
    assert lab.calls(COMPLETE) == 1


@one_kind
@pytest.mark.parametrize(
    ("code", "status"),
    [("ValidationException", 400), ("ConflictException", 409), ("Gone", 410)],
)
async def test_an_upload_that_ended_elsewhere_is_known_by_the_list_whatever_is_answered(
    lab: Lab, code: str, status: int
) -> None:
    await lab.upload_until(5)
    ended = str(lab.emulator.stats()["parts"][0]["uploadId"])
    lab.client.abort_multipart_read_set_upload(
        sequenceStoreId=lab.emulator.store_id, uploadId=ended
    )
    # It would be asked for its parts when the run begins, and once more when the wait is over.
    refusal = {"type": "error", "code": code, "status": status, "message": "it is over"}
    lab.emulator.set_faults([{"operation": LIST_PARTS, "times": 2, "action": refusal}])
    result = await lab.upload()
    check(lab, result)
    assert result.upload_id != ended
    assert lab.calls(CREATE) == 2


@two_kinds
async def test_parts_of_another_tool_and_another_size_are_gone_on_with(lab: Lab) -> None:
    upload_id = lab.create()
    lab.put_all(upload_id, 7_000, last=3)
    result = await lab.upload()
    check(lab, result)
    if lab.form == "base64":
        assert (result.upload_id, result.parts_reused) == (upload_id, 6)


@one_kind
async def test_parts_that_are_not_of_these_files_are_left_alone(lab: Lab) -> None:
    upload_id = lab.create()
    lab.put(upload_id, 1, bytes(PART))
    result = await lab.upload()
    check(lab, result)
    assert result.upload_id != upload_id


@one_kind
async def test_parts_of_unequal_sizes_are_left_alone(lab: Lab) -> None:
    upload_id = lab.create()
    data = lab.paths[0].read_bytes()
    for number, (begin, end) in enumerate([(0, 100), (100, 5000), (5000, 5007)], start=1):
        lab.put(upload_id, number, data[begin:end])
    result = await lab.upload()
    check(lab, result)
    assert result.upload_id != upload_id


@one_kind
async def test_more_parts_than_the_file_has_are_not_completed(lab: Lab) -> None:
    await lab.upload_until(5)
    upload = lab.emulator.stats()["parts"][0]
    lab.put(upload["uploadId"], 99, bytes(10))
    result = await lab.upload()
    check(lab, result)
    assert result.upload_id == upload["uploadId"]
    assert result.parts_reused == 5


@two_kinds
async def test_of_several_open_uploads_that_match_the_fullest_is_gone_on_with(lab: Lab) -> None:
    emptier, fuller, other = lab.create(), lab.create(), lab.create()
    lab.put_all(emptier, PART, last=1)
    lab.put_all(fuller, PART, last=4)
    lab.put(other, 1, bytes(PART))
    lab.create(name="another")
    result = await lab.upload()
    check(lab, result)
    if lab.form == "base64":
        assert (result.upload_id, result.parts_reused) == (fuller, 8)


@two_kinds
async def test_a_told_upload_of_other_bytes_is_an_integrity_error_or_sent_anew(lab: Lab) -> None:
    upload_id = lab.create()
    lab.put(upload_id, 1, bytes(PART))
    if lab.form == "base64":
        with pytest.raises(IntegrityError):
            await lab.upload(upload_id=upload_id)
        return
    result = await lab.upload(upload_id=upload_id)
    check(lab, result)
    assert result.parts_reused == 0


async def test_a_part_that_is_there_with_another_size_is_noticed_before_complete(
    lab: Lab,
) -> None:
    data = lab.paths[0].read_bytes()
    cut: list[int] = []

    def cut_short(notice: object) -> None:
        """As a service would that keeps a part in part: nobody's reply says so."""
        if isinstance(notice, PartSeen) and notice.origin == "sent" and not cut:
            cut.append(notice.part.number)
            (upload,) = {row["uploadId"] for row in lab.emulator.stats()["parts"]}
            lab.put(upload, 1, data[: PART - 1000])

    result = await lab.upload(cut_short)
    assert cut == [1]
    check(lab, result)
    assert sorted(lab.stored)[-2:] == [1, 3]
