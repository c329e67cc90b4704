"""What isn't known of the service: every answer can be had, and the recorded one is the default."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.omics import (
    error_of,
    omics_client,
    upload_files,
    wait_for,
    wait_for_read_set,
)
from tests.emulator.wire import Wire, begin_part, signed_headers
from tests.support import samples
from tests.support.emulator import RunningEmulator
from turboupload.emulator.world import BadWorld, World, Worlds, from_texts

FASTQ = gzip.compress(b"@r\nACGT\n+\nFFFF\n")
NOT_FOUND = ("ResourceNotFoundException", 404)
GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "emulator.md").read_text()
ROLE = "arn:aws:iam::000000000000:role/import"
MIB = 2**20


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0") as running:
        yield running
        assert "Traceback" not in running.stderr(), running.stderr()


@pytest.fixture(scope="module")
def raw(lab: RunningEmulator) -> Iterator[Any]:
    """A client that takes replies which are not by the model."""
    client = omics_client(lab, held=False)
    yield client
    client.close()


@pytest.fixture
def store(lab: RunningEmulator, raw: Any) -> Iterator[str]:
    yield str(raw.create_sequence_store(name="of a test")["id"])
    lab.reset_world()


class Uploading:
    """One upload of a store, by hand."""

    def __init__(self, client: Any, store: str, **details: Any) -> None:
        self.client = client
        self.store = store
        fields = {"sourceFileType": "FASTQ", "subjectId": "u", "sampleId": "a", "name": "n"}
        created = client.create_multipart_read_set_upload(
            sequenceStoreId=store, **{**fields, **details}
        )
        self.id = str(created["uploadId"])
        self.place = {"sequenceStoreId": store, "uploadId": self.id}

    def put(self, data: bytes = FASTQ, number: int = 1) -> str:
        return str(
            self.client.upload_read_set_part(
                **self.place, partSource="SOURCE1", partNumber=number, payload=data
            )["checksum"]
        )

    def parts(self, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.list_read_set_upload_parts(
            **self.place, partSource="SOURCE1", **more
        )["parts"]
        return found

    def complete(self, checksum: str) -> str:
        part = {"partNumber": 1, "partSource": "SOURCE1", "checksum": checksum}
        reply = self.client.complete_multipart_read_set_upload(**self.place, parts=[part])
        return str(reply["readSetId"])

    def abort(self) -> None:
        self.client.abort_multipart_read_set_upload(**self.place)

    def is_listed(self) -> bool:
        rows = self.client.list_multipart_read_set_uploads(sequenceStoreId=self.store)["uploads"]
        return self.id in {row["uploadId"] for row in rows}


def read_sets(client: Any, store: str, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.list_read_sets(sequenceStoreId=store, filter=wanted)[
        "readSets"
    ]
    return found


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call()
    return error_of(caught)


class TestSaying:
    def test_every_member_is_in_the_guide_with_its_default_first(self) -> None:
        rows = dict(re.findall(r"^\| (`[a-z0-9_`, ]+`) \| ([^|]+) \|", GUIDE, re.MULTILINE))
        told = {
            name: values for names, values in rows.items() for name in re.findall(r"\w+", names)
        }
        for field in fields(World):
            value = getattr(World(), field.name)
            if field.name != "odd_replies":
                first = told[field.name].split(",")[0].strip()
                assert from_texts(World(), {field.name: first}) == World(), (field.name, value)
        assert "odd_replies" in told

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("second_complete=409", "409"),
            ("second_complete=same", "same"),
            ("gzip_replies=true", True),
            ("uploads_lag_s=2.5", 2.5),
            ("archive_after_s=null", None),
            ("upload_expires_s=60", 60.0),
            ("page_size=7", 7),
            ("odd_replies=sparse,new-values", frozenset({"sparse", "new-values"})),
            ('odd_replies=["sparse"]', frozenset({"sparse"})),
        ],
    )
    def test_a_member_as_text(self, text: str, value: object) -> None:
        name, _, given = text.partition("=")
        assert getattr(from_texts(World(), {name: given}), name) == value

    @pytest.mark.parametrize(
        "members",
        [
            {"no_such_member": 1},
            {"second_complete": 500},
            {"gzip_replies": 1},
            {"uploads_lag_s": "soon"},
            {"uploads_lag_s": -1},
            {"uploads_lag_s": 3601},
            {"uploads_lag_s": None},
            {"uploads_lag_s": True},
            {"page_size": 0},
            {"page_size": 1.5},
            {"odd_replies": 1},
            {"odd_replies": ["odd"]},
        ],
    )
    def test_what_no_world_has(self, members: dict[str, Any]) -> None:
        worlds = Worlds(World())
        with pytest.raises(BadWorld, match=next(iter(members)).removesuffix("_size")):
            worlds.change({"lag_flaps": True, **members})
        assert worlds.current == World()

    def test_over_the_control_routes(self, lab: RunningEmulator, store: str) -> None:
        before = lab.world()
        assert before == World(ingest_delay_s=0).as_json()
        lab.set_world(second_complete="new", filters="prefix")
        lab.set_world(lag_flaps=True)
        assert lab.world() == {
            **before, "second_complete": "new", "filters": "prefix", "lag_flaps": True,
        }  # fmt: skip
        wire = Wire(lab)
        for body in (b'{"filters": "vague"}', b"[]", b"{"):
            assert wire.raw("POST", wire.url("/_emulator/world"), body, {}).status == 400
        wire.close()
        lab.reset_world()
        assert lab.world() == before

    def test_at_the_start(self) -> None:
        options = ("--listing-lag", "3", "--second-complete", "same")
        more = ("--world", "parts_lag_s=0", "--world", "odd_replies=sparse,null-members")
        with RunningEmulator(*options, *more) as running:
            assert (
                running.world()
                == World(
                    read_sets_lag_s=3,
                    uploads_lag_s=3,
                    second_complete="same",
                    odd_replies=frozenset({"sparse", "null-members"}),
                ).as_json()
            )


class TestCompletedUploads:
    @pytest.fixture
    def done(self, lab: RunningEmulator, raw: Any, store: str) -> tuple[Uploading, str, str]:
        """An upload whose read set is processed; its part's checksum, and the read set."""
        lab.set_world(ingest_delay_s=3600)
        upload = Uploading(raw, store)
        checksum = upload.put()
        return upload, checksum, upload.complete(checksum)

    @pytest.mark.parametrize(
        ("shown", "is_listed", "has_parts"),
        [("with-parts", True, True), ("without-parts", True, False), ("gone", False, False)],
    )
    def test_what_is_shown_while_the_read_set_is_processed(
        self,
        lab: RunningEmulator,
        done: tuple[Uploading, str, str],
        shown: str,
        is_listed: bool,
        has_parts: bool,
    ) -> None:
        upload, checksum, read_set = done
        lab.set_world(completed_uploads=shown)
        assert upload.is_listed() == is_listed
        if has_parts:
            assert [row["checksum"] for row in upload.parts()] == [checksum]
        else:
            assert refused(upload.parts) == NOT_FOUND
        lab.set_world(ingest_delay_s=0)
        wait_for_read_set(upload.client, upload.store, read_set)
        assert not upload.is_listed()
        assert refused(upload.parts) == NOT_FOUND

    def test_it_may_be_listed_for_longer(
        self, lab: RunningEmulator, done: tuple[Uploading, str, str]
    ) -> None:
        upload, _, read_set = done
        lab.set_world(ingest_delay_s=0, completed_uploads_listed_s=3600)
        wait_for_read_set(upload.client, upload.store, read_set)
        assert upload.is_listed()

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ("404", NOT_FOUND),
            ("409", ("ConflictException", 409)),
            ("400", ("ValidationException", 400)),
        ],
    )
    def test_a_second_complete_may_be_refused(
        self,
        lab: RunningEmulator,
        done: tuple[Uploading, str, str],
        answer: str,
        error: tuple[str, int],
    ) -> None:
        upload, checksum, read_set = done
        lab.set_world(second_complete=answer)
        calls = (lambda: upload.complete(checksum), upload.put, upload.abort)
        assert [refused(call) for call in calls] == [error] * 3
        lab.set_world(ingest_delay_s=0)
        assert wait_for_read_set(upload.client, upload.store, read_set)["status"] == "ACTIVE"
        assert [refused(call) for call in calls] == [error] * 3
        assert [row["id"] for row in read_sets(upload.client, upload.store)] == [read_set]

    def test_a_second_complete_may_give_the_same_read_set(
        self, lab: RunningEmulator, done: tuple[Uploading, str, str]
    ) -> None:
        upload, checksum, read_set = done
        lab.set_world(second_complete="same")
        assert upload.complete(checksum) == read_set
        lab.set_world(ingest_delay_s=0)
        wait_for_read_set(upload.client, upload.store, read_set)
        assert upload.complete(checksum) == read_set
        assert len(read_sets(upload.client, upload.store)) == 1

    def test_a_second_complete_may_make_a_second_read_set(
        self, lab: RunningEmulator, done: tuple[Uploading, str, str]
    ) -> None:
        upload, checksum, first = done
        client, store = upload.client, upload.store
        lab.set_world(second_complete="new")
        second = upload.complete(checksum)
        assert {row["id"] for row in read_sets(client, store)} == {first, second}
        lab.set_world(ingest_delay_s=0)
        for read_set in (first, second):
            assert wait_for_read_set(client, store, read_set)["status"] == "ACTIVE"
        # Each has bytes of its own: one may go and the other stays.
        client.batch_delete_read_set(sequenceStoreId=store, ids=[first])
        kept = client.get_read_set(sequenceStoreId=store, id=second, partNumber=1)
        assert kept["payload"].read() == FASTQ
        assert refused(lambda: upload.complete(checksum)) == NOT_FOUND

    def test_the_blobs_of_parts_go_when_the_read_set_is_done(
        self, lab: RunningEmulator, done: tuple[Uploading, str, str]
    ) -> None:
        upload, _, read_set = done
        before = len(list((lab.root / "blobs").iterdir()))
        lab.set_world(ingest_delay_s=0)
        wait_for_read_set(upload.client, upload.store, read_set)
        wait_for(lambda: len(list((lab.root / "blobs").iterdir())) == before - 1, "the part's end")

    @pytest.mark.parametrize(("second", "made"), [("404", 1), ("same", 1), ("new", 2)])
    def test_complete_works_on_though_the_client_has_gone(
        self, lab: RunningEmulator, raw: Any, store: str, second: str, made: int
    ) -> None:
        lab.set_world(complete_takes_s=0.5, second_complete=second, ingest_delay_s=3600)
        upload = Uploading(raw, store)
        part = {"partNumber": 1, "partSource": "SOURCE1", "checksum": upload.put()}
        url = f"{lab.endpoint_url}/sequencestore/{store}/upload/{upload.id}/complete"
        body = str({"parts": [part]}).replace("'", '"').encode()
        for _ in range(2):
            head = "".join(
                f"{name}: {value}\r\n"
                for name, value in {
                    **signed_headers("POST", url, body),
                    "Host": f"127.0.0.1:{lab.port}",
                    "Content-Length": str(len(body)),
                }.items()
            )
            with socket.create_connection(("127.0.0.1", lab.port), timeout=10) as connection:
                path = url.removeprefix(lab.endpoint_url)
                connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        assert read_sets(raw, store) == []

        def idle() -> bool:
            rows = lab.stats()["underWay"]
            return not rows and bool(read_sets(raw, store))

        wait_for(idle, "the end of both")
        assert len(read_sets(raw, store)) == made


class TestOpenUploads:
    def test_a_new_upload_may_be_unknown_for_a_while(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        lab.set_world(new_upload_unknown_s=3600)
        upload = Uploading(raw, store)
        calls = (upload.put, upload.parts, upload.abort, lambda: upload.complete("x"))
        assert [refused(call) for call in calls] == [NOT_FOUND] * 4
        lab.set_world(new_upload_unknown_s=0)
        assert upload.put()

    @pytest.mark.parametrize(("shown", "is_listed"), [("listed", True), ("gone", False)])
    def test_an_expired_upload_is_found_no_more(
        self, lab: RunningEmulator, raw: Any, store: str, shown: str, is_listed: bool
    ) -> None:
        upload = Uploading(raw, store)
        checksum = upload.put()
        lab.set_world(upload_expires_s=0, expired_uploads=shown)
        calls = (upload.put, upload.parts, upload.abort, lambda: upload.complete(checksum))
        assert [refused(call) for call in calls] == [NOT_FOUND] * 4
        assert upload.is_listed() == is_listed

    def test_an_upload_may_have_tags_of_the_services_own(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        upload = Uploading(raw, store, tags={"k": "v"})
        read_set = upload.complete(upload.put())
        arn = wait_for_read_set(raw, store, read_set)["arn"]
        other = Uploading(raw, store, tags={"k": "v"})
        own = {"aws:omics:sampleId": "a", "aws:omics:subjectId": "u"}

        def tags() -> list[dict[str, str]]:
            (row,) = raw.list_multipart_read_set_uploads(sequenceStoreId=store)["uploads"]
            return [row["tags"], raw.list_tags_for_resource(resourceArn=arn)["tags"]]

        assert other.is_listed()
        assert tags() == [{"k": "v"}] * 2
        lab.set_world(service_tags="everywhere")
        assert tags() == [{"k": "v", **own}] * 2


class TestTokens:
    def ids(self, client: Any, store: str, count: int = 2) -> list[str]:
        return [Uploading(client, store, clientToken=f"t-{store}").id for _ in range(count)]

    def test_kept(self, raw: Any, store: str) -> None:
        assert len(set(self.ids(raw, store))) == 1

    def test_ignored(self, lab: RunningEmulator, raw: Any, store: str) -> None:
        lab.set_world(client_tokens="ignored")
        assert len(set(self.ids(raw, store, 3))) == 3
        tokens = {"clientToken": f"s-{store}"}
        assert (
            raw.create_sequence_store(name="x", **tokens)["id"]
            != raw.create_sequence_store(name="x", **tokens)["id"]
        )

    def test_forgotten(self, lab: RunningEmulator, raw: Any, store: str) -> None:
        (first,) = self.ids(raw, store, 1)
        lab.set_world(client_tokens_live_s=3600)
        assert self.ids(raw, store, 1) == [first]
        lab.set_world(client_tokens_live_s=0)
        assert len({first, *self.ids(raw, store, 2)}) == 3

    def test_a_conflict(self, lab: RunningEmulator, raw: Any, store: str) -> None:
        lab.set_world(client_tokens="conflict")
        (first,) = self.ids(raw, store, 1)
        assert refused(lambda: self.ids(raw, store, 1)) == ("ConflictException", 409)
        lab.reset_world()
        assert self.ids(raw, store, 1) == [first]

    @pytest.mark.parametrize("given", ["same", "new", "conflict"])
    def test_of_an_upload_that_was_completed_since(
        self, lab: RunningEmulator, raw: Any, store: str, given: str
    ) -> None:
        first = Uploading(raw, store, clientToken=f"t-{store}")
        first.complete(first.put())
        lab.set_world(tokens_of_completed=given)
        if given == "conflict":
            assert refused(lambda: self.ids(raw, store, 1)) == ("ConflictException", 409)
        else:
            assert (self.ids(raw, store, 1) == [first.id]) == (given == "same")

    @pytest.mark.parametrize("world", [{"client_tokens": "ignored"}, {"client_tokens_live_s": 0}])
    def test_of_an_import(
        self, lab: RunningEmulator, raw: Any, store: str, world: dict[str, Any]
    ) -> None:
        def start() -> str:
            source = {
                "sourceFiles": {"source1": "s3://nothing/there"},
                "sourceFileType": "FASTQ",
                "subjectId": "u",
                "sampleId": "a",
            }
            job = raw.start_read_set_import_job(
                sequenceStoreId=store, roleArn=ROLE, sources=[source], clientToken=f"t-{store}"
            )
            return str(job["id"])

        assert start() == start()
        lab.set_world(**world)
        assert start() != start()


class TestLags:
    LAG_S = 600.0

    def test_what_was_just_made_is_not_shown(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        upload = Uploading(raw, store)
        checksum = upload.put()
        for name in ("uploads", "parts", "read_sets", "metadata"):
            lab.set_world(**{f"{name}_lag_s": self.LAG_S})
        assert not upload.is_listed()
        assert upload.parts() == []
        read_set = upload.complete(checksum)
        assert read_sets(raw, store) == []
        look = {"sequenceStoreId": store, "id": read_set}
        assert refused(lambda: raw.get_read_set_metadata(**look)) == NOT_FOUND
        lab.reset_world()
        assert len(read_sets(raw, store)) == 1
        assert raw.get_read_set_metadata(**look)["id"] == read_set

    def test_every_other_answer_may_be_fresh(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        upload = Uploading(raw, store)
        lab.set_world(uploads_lag_s=self.LAG_S, lag_flaps=True)
        assert sorted([upload.is_listed(), upload.is_listed()]) == [False, True]
        seen = [upload.is_listed() for _ in range(6)]
        assert seen in ([True, False] * 3, [False, True] * 3)


class TestListings:
    def test_filters(self, lab: RunningEmulator, raw: Any, store: str) -> None:
        lab.set_world(ingest_delay_s=3600)
        for name in ("lane", "lane-2", "other"):
            upload_files(raw, store, "FASTQ", [FASTQ], details={"name": name})

        def names(**wanted: Any) -> set[str]:
            return {row["name"] for row in read_sets(raw, store, **wanted)}

        assert names(name="lane") == {"lane"}
        lab.set_world(filters="prefix")
        assert names(name="lane") == {"lane", "lane-2"}
        assert names(name="lane-2", sampleId="samp") == {"lane-2"}
        assert names(name="ane") == set()
        assert names(status="ACTIVE") == set()
        lab.set_world(filters="ignored")
        assert names(name="lane", status="ACTIVE") == {"lane", "lane-2", "other"}

    def test_page_tokens(self, lab: RunningEmulator, raw: Any, store: str) -> None:
        ids = {Uploading(raw, store).id for _ in range(3)}
        lab.set_world(page_size=1)
        place = {"sequenceStoreId": store}

        def page(token: str) -> Any:
            return raw.list_multipart_read_set_uploads(**place, nextToken=token)

        token = raw.list_multipart_read_set_uploads(**place)["nextToken"]
        assert page(token)["uploads"] == page(token)["uploads"]
        lab.set_world(page_tokens="once")
        page(token)
        assert refused(lambda: page(token)) == ("ValidationException", 400)
        pages = raw.get_paginator("list_multipart_read_set_uploads").paginate(**place)
        assert {row["uploadId"] for each in pages for row in each["uploads"]} == ids
        lab.set_world(page_tokens="kept", page_tokens_live_s=3600)
        page(token)
        lab.set_world(page_tokens_live_s=0)
        assert refused(lambda: page(token)) == ("ValidationException", 400)

    def test_jobs_are_newest_first_and_all_else_oldest_first(self, raw: Any, store: str) -> None:
        source = {
            "sourceFiles": {"source1": "s3://nothing/there"},
            "sourceFileType": "FASTQ",
            "subjectId": "u",
            "sampleId": "a",
        }
        jobs = [
            raw.start_read_set_import_job(sequenceStoreId=store, roleArn=ROLE, sources=[source])[
                "id"
            ]
            for _ in range(4)
        ]
        uploads = [Uploading(raw, store).id for _ in range(4)]
        sets = [upload_files(raw, store, "FASTQ", [FASTQ]) for _ in range(4)]
        pages = raw.get_paginator("list_read_set_import_jobs").paginate(
            sequenceStoreId=store, PaginationConfig={"PageSize": 3}
        )
        assert [row["id"] for page in pages for row in page["importJobs"]] == jobs[::-1]
        rows = raw.list_multipart_read_set_uploads(sequenceStoreId=store)["uploads"]
        assert [row["uploadId"] for row in rows][:4] == uploads
        assert [row["id"] for row in read_sets(raw, store)] == sets


class TestShapes:
    def test_a_foreign_checksum_is_stable_and_no_sha256(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        lab.set_world(checksum="foreign")
        one, two = Uploading(raw, store), Uploading(raw, store)
        checksum = one.put(b"data")
        assert one.put(b"data", 2) == two.put(b"data") == checksum
        assert one.put(b"other", 3) != checksum
        assert len(base64.b64decode(checksum, validate=True)) == 32
        assert base64.b64decode(checksum) != hashlib.sha256(b"data").digest()
        assert one.complete(checksum)

    def test_times_of_a_part(self, lab: RunningEmulator, store: str) -> None:
        wire = Wire(lab)
        upload = wire.open_upload(store)
        wire.put_part(store, upload, b"once")
        (row,) = wire.list_parts(store, upload).json["parts"]
        created, updated = row["creationTime"], row["lastUpdatedTime"]
        assert re.fullmatch(r".*:\d\d\.\d{6}Z", created)
        assert created < updated
        assert created[:19] == updated[:19] or created[:16] == updated[:16]
        wire.put_part(store, upload, b"twice")
        (again,) = wire.list_parts(store, upload).json["parts"]
        assert again["creationTime"] == created
        assert again["lastUpdatedTime"] > updated
        wire.close()

    @pytest.mark.parametrize("digits", ["mixed", "0", "3", "6"])
    def test_fraction_digits(self, lab: RunningEmulator, store: str, digits: str) -> None:
        wire = Wire(lab)
        lab.set_world(timestamps=digits)
        created = wire.create(store)
        wire.put_part(store, created.json["uploadId"], b"x")
        (part,) = wire.list_parts(store, created.json["uploadId"]).json["parts"]
        source = {"sourceFiles": {"source1": "s3://nothing/x"}, "sourceFileType": "FASTQ"}
        sources = [{**source, "subjectId": "u", "sampleId": "a"}]
        job = wire.call(
            "POST", f"/sequencestore/{store}/importjob", {"roleArn": ROLE, "sources": sources}
        )
        times = [each["creationTime"] for each in (created.json, part, job.json)]
        found = [len(text.partition(".")[2].removesuffix("Z")) for text in times]
        assert found == ([3, 6, 0] if digits == "mixed" else [int(digits)] * 3)
        wire.close()

    def test_gzip_that_nobody_asked_for(self, lab: RunningEmulator, store: str) -> None:
        lab.set_world(gzip_replies=True)
        wire = Wire(lab)
        reply = wire.create(store)
        assert reply.headers["Content-Encoding"] == "gzip"
        assert reply.json["uploadId"]  # urllib3 takes the packing off
        refusal = wire.create("9999999999")
        assert refusal.headers["Content-Encoding"] == "gzip"
        assert refusal.message == "The specified sequence store does not exist"
        wire.close()

    def test_an_archived_read_set_has_no_files(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        read_set = upload_files(raw, store, "FASTQ", [FASTQ])
        assert "files" in wait_for_read_set(raw, store, read_set)
        lab.set_world(archive_after_s=0)
        place = {"sequenceStoreId": store, "id": read_set}
        metadata = raw.get_read_set_metadata(**place)
        assert (metadata["status"], "files" in metadata) == ("ARCHIVED", False)
        assert metadata["etag"]["algorithm"] == "FASTQ_MD5up"
        assert [row["id"] for row in read_sets(raw, store, status="ARCHIVED")] == [read_set]
        assert read_sets(raw, store, status="ACTIVE") == []
        assert refused(lambda: raw.get_read_set(**place, partNumber=1))[1] == 409

    @pytest.mark.parametrize("shown", ["sent", "stored"])
    def test_the_size_of_an_alignment_that_is_processed(
        self, lab: RunningEmulator, raw: Any, store: str, tmp_path: Path, shown: str
    ) -> None:
        lab.set_world(ingest_delay_s=3600, processing_size=shown)
        sample = samples.ubam(tmp_path / "reads.bam")
        read_set = upload_files(raw, store, "UBAM", [sample.path], parts=2)
        place = {"sequenceStoreId": store, "id": read_set}
        metadata = raw.get_read_set_metadata(**place)
        assert metadata["status"] == "PROCESSING_UPLOAD"
        size = metadata["files"]["source1"]["contentLength"]
        assert "s3Access" not in metadata["files"]["source1"]
        lab.set_world(ingest_delay_s=0)
        metadata = wait_for_read_set(raw, store, read_set)
        stored = metadata["files"]["source1"]["contentLength"]
        assert stored != sample.path.stat().st_size
        assert size == {"sent": sample.path.stat().st_size, "stored": stored}[shown]
        data = raw.get_read_set(**place, partNumber=1)["payload"].read()
        assert len(data) == stored

    def test_a_pairs_etag_may_have_one_hash(
        self, lab: RunningEmulator, raw: Any, store: str
    ) -> None:
        read_set = upload_files(raw, store, "FASTQ", [FASTQ, FASTQ])
        assert set(wait_for_read_set(raw, store, read_set)["etag"]) == {
            "algorithm", "source1", "source2",
        }  # fmt: skip
        lab.set_world(pair_etag="source1")
        (row,) = read_sets(raw, store)
        assert set(row["etag"]) == {"algorithm", "source1"}


class TestImports:
    @pytest.fixture
    def job(self, lab: RunningEmulator, raw: Any, store: str) -> Callable[[], dict[str, Any]]:
        lab.set_world(ingest_delay_s=3600)
        sources = [
            {
                "sourceFiles": {"source1": "s3://nothing/there"},
                "sourceFileType": "FASTQ",
                "subjectId": "u",
                "sampleId": "a",
                "tags": {"k": "v"},
            }
        ]
        started = raw.start_read_set_import_job(
            sequenceStoreId=store, roleArn=ROLE, sources=sources
        )

        def look() -> dict[str, Any]:
            found: dict[str, Any] = raw.get_read_set_import_job(
                sequenceStoreId=store, id=started["id"]
            )
            return found

        return look

    def test_a_source_as_it_was_recorded(self, job: Callable[[], dict[str, Any]]) -> None:
        (source,) = job()["sources"]
        assert source["sourceFiles"] == {"source1": "s3://nothing/there", "source2": ""}
        assert source["tags"] == {
            "k": "v", "aws:omics:sampleId": "a", "aws:omics:subjectId": "u",
        }  # fmt: skip
        assert source["status"] == "NOT_STARTED"
        assert source["statusMessage"] == "The source is queued for the job."
        assert job()["statusMessage"].endswith("will start soon.")

    @pytest.mark.parametrize("ends", ["COMPLETED_WITH_FAILURES", "FAILED"])
    def test_a_lone_source_that_fails(
        self, lab: RunningEmulator, job: Callable[[], dict[str, Any]], ends: str
    ) -> None:
        lab.set_world(ingest_delay_s=0, failed_job=ends)
        wait_for(lambda: "completionTime" in job(), "the end of the job")
        assert job()["status"] == ends
        assert "S3 folder" in job()["sources"][0]["statusMessage"]

    def test_jobs_may_say_nothing(
        self, lab: RunningEmulator, job: Callable[[], dict[str, Any]]
    ) -> None:
        lab.set_world(job_messages="none")
        assert "statusMessage" not in job()
        assert "statusMessage" not in job()["sources"][0]

    def test_a_job_that_is_over_may_still_say_that_it_will_start(
        self, client: Any, s3_root: Path
    ) -> None:
        store = client.create_sequence_store(name="x")["id"]
        bucket = s3_root / f"bucket-{store}"
        bucket.mkdir()
        (bucket / "reads.fastq.gz").write_bytes(FASTQ)
        source = {
            "sourceFiles": {"source1": f"s3://{bucket.name}/reads.fastq.gz"},
            "sourceFileType": "FASTQ",
            "subjectId": "u",
            "sampleId": "a",
        }
        place = {"sequenceStoreId": store}
        started = client.start_read_set_import_job(**place, roleArn=ROLE, sources=[source])
        job = wait_for(
            lambda: (
                (found := client.get_read_set_import_job(**place, id=started["id"]))
                if "completionTime" in client.get_read_set_import_job(**place, id=started["id"])
                else None
            ),
            "the end of the job",
        )
        assert job["status"] == "COMPLETED"
        assert job["statusMessage"].endswith("will start soon.")
        assert job["sources"][0]["sourceFiles"]["source2"] == ""


class TestEarlyErrors:
    """A part of 8 MiB for an upload that doesn't exist, of which 1 MiB is sent at first."""

    LENGTH = 8 * MIB

    def begin(self, lab: RunningEmulator) -> socket.socket:
        return begin_part(lab, "1" * 10, length=self.LENGTH, sent=MIB)

    def test_drained(self, lab: RunningEmulator, store: str) -> None:
        with self.begin(lab) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 404 ")
            connection.sendall(bytes(self.LENGTH - MIB))
            self.is_alive(lab, connection)

    def is_alive(self, lab: RunningEmulator, connection: socket.socket) -> None:
        connection.settimeout(0.2)
        try:  # what is left of the error
            while connection.recv(65536):
                pass
        except TimeoutError:
            pass
        connection.settimeout(10)
        connection.sendall(b"GET /_emulator/stats HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")

    def test_closed(self, lab: RunningEmulator, store: str) -> None:
        lab.set_world(early_errors="close")
        with self.begin(lab) as connection:
            received = b""
            try:
                while data := connection.recv(65536):
                    received += data
                    assert b"keep-alive" not in received
            except ConnectionResetError:
                pass
            wait_for(lambda: not is_open(connection), "the end of the connection")

    def test_late(self, lab: RunningEmulator, store: str) -> None:
        lab.set_world(early_errors="late")
        with self.begin(lab) as connection:
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(100)
            connection.settimeout(10)
            connection.sendall(bytes(self.LENGTH - MIB))
            assert connection.recv(100).startswith(b"HTTP/1.1 404 ")

    def test_a_quota_is_answered_before_the_body(self) -> None:
        with RunningEmulator("--quota", "UploadReadSetPart=0.001") as running:
            client = omics_client(running)
            upload = Uploading(client, running.store_id)
            upload.put(b"the one of this hour")
            with begin_part(running, upload.id, length=8 * MIB, sent=0) as connection:
                assert connection.recv(100).startswith(b"HTTP/1.1 429 ")
            client.close()


def is_open(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


class TestCutParts:
    @pytest.mark.parametrize(("claim", "hashed"), [(None, b"fir"), ("sent", b"first part")])
    def test_less_is_stored_than_was_sent(
        self, lab: RunningEmulator, raw: Any, store: str, claim: str | None, hashed: bytes
    ) -> None:
        action = {"type": "cut", "bytes": 3, **({"claim": claim} if claim else {})}
        upload = Uploading(raw, store)
        lab.set_faults([{"operation": "UploadReadSetPart", "action": action}])
        digest = base64.b64encode(hashlib.sha256(hashed).digest()).decode()
        assert upload.put(b"first part") == digest
        lab.clear_faults()
        (row,) = upload.parts()
        assert (row["partSize"], row["checksum"]) == (3, digest)

    def test_a_rule_must_make_sense(self, lab: RunningEmulator) -> None:
        wire = Wire(lab)
        for action in ({}, {"bytes": 0}, {"bytes": 5, "claim": "maybe"}):
            rule = {"action": {"type": "cut", **action}}
            body = str([rule]).replace("'", '"').encode()
            assert wire.raw("POST", wire.url("/_emulator/faults"), body, {}).status == 400
        wire.close()


def test_a_store_can_be_updated(client: Any) -> None:
    made = client.create_sequence_store(
        name="before",
        description="stays",
        propagatedSetLevelTags=["project"],
        s3AccessConfig={"accessLogLocation": "s3://logs/here/"},
    )
    assert made["propagatedSetLevelTags"] == ["project"]
    assert made["s3Access"]["accessLogLocation"] == "s3://logs/here/"
    assert made["s3Access"]["s3Uri"].startswith("s3://")
    changed = client.update_sequence_store(
        id=made["id"], name="after", propagatedSetLevelTags=["a", "b"]
    )
    assert (changed["name"], changed["description"]) == ("after", "stays")
    assert changed["propagatedSetLevelTags"] == ["a", "b"]
    assert changed["updateTime"] >= changed["creationTime"] == made["creationTime"]
    found = client.get_sequence_store(id=made["id"])
    found.pop("ResponseMetadata")
    changed.pop("ResponseMetadata")
    assert found == changed
    assert refused(lambda: client.update_sequence_store(id="9999999999", name="x")) == NOT_FOUND


def test_one_world_for_all_threads(lab: RunningEmulator, raw: Any, store: str) -> None:
    """A change of the world holds for what begins after it, whoever asks."""
    answers: list[bool] = []
    upload = Uploading(raw, store)
    lab.set_world(uploads_lag_s=600)
    threads = [
        threading.Thread(target=lambda: answers.append(upload.is_listed())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [False] * 8
