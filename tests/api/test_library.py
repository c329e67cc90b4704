"""The library as a pipeline uses it: against the emulator, over HTTPS, in loops of all kinds."""

from __future__ import annotations

import hashlib
import io
import logging
import pwd
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

import turboupload
from tests.support import samples
from tests.support.emulator import RunningEmulator
from turboupload.core.notices import Calling, Notice, Planned, Progress
from turboupload.http.connect import connect
from turboupload.operations import CREATE_UPLOAD, SEND_PART, TRANSACTIONS_PER_S


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path / "state"))
    emulator.clear_faults()
    yield
    structlog.reset_defaults()


def read_set(path: Path, name: str) -> turboupload.ReadSet:
    return turboupload.ReadSet(sources=[path], name=name, sample_id="HG002", subject_id="NA24385")


def test_code_without_a_loop_uploads(emulator: RunningEmulator, tmp_path: Path) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    told: list[Notice] = []
    result = turboupload.upload_sync(
        read_set(sample.path, "sync"), store_id=emulator.store_id, on_event=told.append
    )
    assert (result.status, result.verified) == ("ACTIVE", "sha256")
    assert result.total_reads == sample.reads
    assert any(isinstance(each, Progress) for each in told)


def test_calls_and_parts_trust_by_one_context(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To load the system's authorities takes a processor 20 ms."""
    loaded: list[str] = []
    load = ssl.SSLContext.load_verify_locations

    def counting(context: ssl.SSLContext, cafile: str | None = None, *more: Any) -> None:
        loaded.append(str(cafile))
        load(context, cafile, *more)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counting)
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    turboupload.upload_sync(read_set(sample.path, "trusted"), store_id=emulator.store_id)
    assert loaded == [emulator.env()["AWS_CA_BUNDLE"]]


def test_the_connection_for_parts_is_made_ahead(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there when Create has answered."""
    seen: list[str] = []

    def noted(*arguments: Any) -> Any:
        seen.append("connection")
        return connect(*arguments)

    def hear(event: Notice) -> None:
        if isinstance(event, Calling) and event.operation in (CREATE_UPLOAD.name, SEND_PART.name):
            seen.append(event.operation)

    monkeypatch.setattr("turboupload.http.transport.connect", noted)
    emulator.set_faults(
        [{"operation": CREATE_UPLOAD.name, "action": {"type": "delay", "seconds": 0.5}}]
    )
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    turboupload.upload_sync(
        read_set(sample.path, "ahead"), store_id=emulator.store_id, on_event=hear
    )
    assert seen == ["connection", CREATE_UPLOAD.name, SEND_PART.name]


def test_the_library_is_silent_unless_it_is_asked(
    emulator: RunningEmulator,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    turboupload.upload_sync(read_set(sample.path, "silent"), store_id=emulator.store_id)
    assert capfd.readouterr() == ("", "")
    assert not [each for each in caplog.records if each.name == "turboupload"]
    with caplog.at_level(logging.INFO, logger="turboupload"):
        turboupload.upload_sync(read_set(sample.path, "told"), store_id=emulator.store_id)
    told = [each.getMessage() for each in caplog.records if each.name == "turboupload"]
    assert any(each.startswith("upload.started name='told'") for each in told)
    assert not any(each.startswith("call.ended") for each in told), "that is for DEBUG"
    assert capfd.readouterr() == ("", "")


def test_structlog_is_used_where_the_program_has_configured_it(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    events: list[str] = []

    def keep(_: object, __: str, fields: structlog.types.EventDict) -> str:
        events.append(fields["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    turboupload.upload_sync(read_set(sample.path, "structured"), store_id=emulator.store_id)
    assert {"upload.started", "upload.done", "call.ended"} <= set(events)


def test_another_event_loop_than_asyncios_is_refused_at_once() -> None:
    """As trio runs a coroutine: no loop of asyncio's is there."""
    for entering in (
        turboupload.Uploader().__aenter__(),
        turboupload.SequenceStores().__aenter__(),
    ):
        with pytest.raises(turboupload.ConfigError, match="needs asyncio"):
            entering.send(None)


async def test_a_function_without_a_loop_says_what_to_await_instead(tmp_path: Path) -> None:
    with pytest.raises(turboupload.ConfigError) as caught:
        turboupload.upload_sync(read_set(tmp_path / "reads.fastq.gz", "x"), store_id="1234567890")
    assert caught.value.hint == "write: await turboupload.upload(...)"


def test_without_any_home_the_option_for_the_journals_folder_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(_: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("TURBOUPLOAD_STATE_DIR", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(turboupload.ConfigError) as caught:
        _ = turboupload.UploadConfig().state_folder
    assert "TURBOUPLOAD_STATE_DIR" in (caught.value.hint or "")


async def test_an_uploader_serves_many_in_someone_elses_loop(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    results: list[turboupload.UploadResult] = []
    # Else one Create a second would be what this waits for.
    rates = dict.fromkeys(TRANSACTIONS_PER_S, 50.0)
    config = turboupload.UploadConfig(transactions_per_s=rates)
    async with turboupload.Uploader(config) as uploader, anyio.create_task_group() as group:

        async def one(number: int) -> None:
            sample = samples.fastq(tmp_path / f"lane{number}.fastq.gz", seed=number)
            results.append(
                await uploader.upload(read_set(sample.path, f"many-{number}"), emulator.store_id)
            )

        for number in range(8):
            group.start_soon(one, number)
    assert len({result.read_set_id for result in results}) == 8
    assert {result.status for result in results} == {"ACTIVE"}


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_a_cancelled_scope_ends_at_once_and_the_next_call_goes_on(
    emulator: RunningEmulator, tmp_path: Path, use_uvloop: bool
) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz", reads=2000)
    wanted = read_set(sample.path, f"cancelled-{use_uvloop}")
    config = turboupload.UploadConfig(part_size_bytes=40_000, concurrency=1)
    rule = {"operation": "UploadReadSetPart", "partNumber": 3, "times": None}
    emulator.set_faults([{**rule, "action": {"type": "stall", "seconds": 600}}])

    async def cancelled() -> float:
        stalled = anyio.Event()

        def listen(notice: Notice) -> None:
            if isinstance(notice, Progress) and notice.done_parts == 2 and notice.in_flight == 1:
                stalled.set()

        async with turboupload.Uploader(config) as uploader, anyio.create_task_group() as group:

            async def run() -> None:
                await uploader.upload(wanted, emulator.store_id, on_event=listen)

            group.start_soon(run)
            with anyio.fail_after(30):
                await stalled.wait()
            group.cancel_scope.cancel()
            began = anyio.current_time()
        return anyio.current_time() - began

    took = anyio.run(cancelled, backend_options={"use_uvloop": use_uvloop})
    assert took < 20.0  # the part is held for 600
    emulator.clear_faults()
    told: list[Notice] = []
    result = turboupload.upload_sync(
        wanted, store_id=emulator.store_id, config=config, on_event=told.append
    )
    assert result.parts_reused == 2
    assert [each.resumed for each in told if isinstance(each, Planned)] == [True]


async def test_a_store_that_is_no_id_is_refused_at_once() -> None:
    async with turboupload.Uploader() as uploader:
        with pytest.raises(turboupload.ConfigError, match="not the id of a store"):
            await uploader.upload(read_set(Path("x"), "x"), "../../etc")


async def test_an_upload_id_that_is_none_is_refused_at_once() -> None:
    async with turboupload.Uploader(turboupload.UploadConfig(upload_id="abc")) as uploader:
        with pytest.raises(turboupload.ConfigError, match="not the id of an upload"):
            await uploader.upload(read_set(Path("x"), "x"), "1234567890")


async def test_an_uploader_outside_its_context_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await turboupload.Uploader().upload(read_set(Path("x"), "x"), "1234567890")


async def test_an_unknown_profile_and_a_missing_region_are_configuration_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(turboupload.ConfigError, match="profile"):
        async with turboupload.Uploader(turboupload.UploadConfig(profile="nobody")):
            pass
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(turboupload.ConfigError, match="Region"):
        async with turboupload.Uploader():
            pass


async def test_a_missing_ca_bundle_is_a_configuration_error(tmp_path: Path) -> None:
    config = turboupload.UploadConfig(ca_bundle=tmp_path / "missing.pem")
    with pytest.raises(turboupload.ConfigError, match=r"missing\.pem"):
        async with turboupload.Uploader(config):
            pass


async def test_the_bandwidth_cap_holds_for_all_uploads_together(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    paths = [samples.fastq(tmp_path / f"{n}.gz", reads=4000, seed=n).path for n in range(2)]
    total = sum(path.stat().st_size for path in paths)
    config = turboupload.UploadConfig(max_bandwidth=total // 2, part_size_bytes=20_000)
    began = anyio.current_time()
    async with turboupload.Uploader(config) as uploader, anyio.create_task_group() as group:
        for number, path in enumerate(paths):
            group.start_soon(uploader.upload, read_set(path, f"capped-{number}"), emulator.store_id)
    # The cap lets a tenth of a second's worth go at once; the rest takes its time.
    assert anyio.current_time() - began >= 1.85


def test_many_read_sets_are_one_call(emulator: RunningEmulator, tmp_path: Path) -> None:
    read_sets = [
        read_set(
            samples.fastq(tmp_path / f"{number}.fastq.gz", seed=number).path, f"batch-{number}"
        )
        for number in range(3)
    ]
    told: list[object] = []
    first = turboupload.upload_batch_sync(
        read_sets,
        store_id=emulator.store_id,
        results=tmp_path / "results.csv",
        on_event=told.append,
    )
    assert dict(first.counts) == {"active": 3}
    assert any(isinstance(each, turboupload.RowChanged) for each in told)
    assert (tmp_path / "results.csv").read_text().count(",active,") == 3
    again = turboupload.upload_batch_sync(read_sets, store_id=emulator.store_id)
    assert [row.read_set_id for row in again.rows] == [row.read_set_id for row in first.rows]


async def test_a_rejected_sheet_has_its_findings(emulator: RunningEmulator, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("sample,subject,source1\nS,U,missing.fastq.gz\nS,U,gone.fastq.gz\n")
    with pytest.raises(turboupload.SheetRejected) as caught:
        await turboupload.rehearse_batch(turboupload.read_sheet(sheet), store_id=emulator.store_id)
    errors = [each.row for each in caught.value.findings if each.severity == "error"]
    assert errors == [2, 3]


class Answering:
    """What a program has that reads from elsewhere: `read`, and an end that may fail."""

    def __init__(self, data: bytes, *, fails: bool = False) -> None:
        self._file, self._fails = io.BytesIO(data), fails

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, 5000))
        if not data and self._fails:
            raise ConnectionResetError("the other end is gone")
        return data


@pytest.mark.parametrize("kind", ["buffer", "descriptor", "read"])
def test_a_stream_is_uploaded_from_whatever_a_program_has(
    emulator: RunningEmulator, tmp_path: Path, kind: str
) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    with sample.path.open("rb") as file:
        streams = {"buffer": file, "descriptor": file.fileno()}
        result = turboupload.upload_stream_sync(
            read_set(Path("-"), f"stream {kind}"),
            streams.get(kind, Answering(sample.path.read_bytes())),
            store_id=emulator.store_id,
            config=turboupload.UploadConfig(prove=True),
        )
    assert (result.status, result.total_reads) == ("ACTIVE", sample.reads)
    assert result.comparison is not None
    assert result.comparison.proves_equal
    assert result.receipt is not None
    assert result.receipt.files[0].sha256 == hashlib.sha256(sample.path.read_bytes()).hexdigest()


def test_a_stream_that_fails_makes_no_read_set(emulator: RunningEmulator, tmp_path: Path) -> None:
    data = samples.fastq(tmp_path / "reads.fastq.gz").path.read_bytes()
    with pytest.raises(turboupload.Stopped, match="can't be read: the other end is gone"):
        turboupload.upload_stream_sync(
            read_set(Path("-"), "failing"),
            Answering(data, fails=True),
            store_id=emulator.store_id,
        )
    with pytest.raises(turboupload.ConfigError, match="a file descriptor, or has"):
        turboupload.upload_stream_sync(
            read_set(Path("-"), "failing"), "reads.fastq.gz", store_id=emulator.store_id
        )
