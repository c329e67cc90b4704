"""Spans and figures of uploads: in OpenTelemetry's own memory, and in a registry of Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry

import turboupload
from tests.support import samples
from turboupload import observability
from turboupload.testing import Emulator

NAME, SAMPLE = "patient-0815", "sample-4711"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(world={"checksum": "base64"}) as running:
        yield running


class Observed:
    """What the SDK's exporters and a registry have seen."""

    def __init__(self, *, names: bool = False) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.registry = CollectorRegistry()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self._names = names
        self.removers = self.again()

    def again(self) -> list[Callable[[], None]]:
        return [
            observability.to_opentelemetry(
                tracer_provider=self.tracers, meter_provider=self._meters, names=self._names
            ),
            observability.to_prometheus(self.registry),
        ]

    def close(self) -> None:
        for remove in self.removers:
            remove()
        self.tracers.shutdown()
        self._meters.shutdown()

    def spans(self, name: str) -> list[ReadableSpan]:
        return [each for each in self._spans.get_finished_spans() if each.name == name]

    @property
    def text(self) -> str:
        return "".join(each.to_json() for each in self._spans.get_finished_spans())

    def figures(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Sums and counts of OpenTelemetry, by name and labels."""
        found: dict[tuple[str, tuple[str, ...]], float] = {}
        data: Any = self._reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.data.data_points:
                value: float = point.value if hasattr(point, "value") else point.count
                found[metric.name, tuple(point.attributes.values())] = value
        return found

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"turboupload_{name}", labels)


@pytest.fixture
def observed() -> Iterator[Observed]:
    found = Observed()
    yield found
    found.close()


def read_set(folder: Path, *, seed: int = 1) -> turboupload.ReadSet:
    path = samples.fastq(folder / f"{SAMPLE}-{seed}.fastq.gz", reads=2000, seed=seed).path
    return turboupload.ReadSet(
        sources=[path], name=f"{NAME}-{seed}", sample_id=SAMPLE, subject_id="subject"
    )


def facts(span: ReadableSpan) -> dict[str, Any]:
    return {key.removeprefix("turboupload."): v for key, v in (span.attributes or {}).items()}


async def upload(emulator: Emulator, wanted: turboupload.ReadSet) -> turboupload.UploadResult:
    config = emulator.upload_config(part_size_bytes="20KiB")
    return await turboupload.upload(wanted, store_id=emulator.store_id, config=config)


async def test_an_upload_its_parts_and_calls_are_spans_of_one_trace(
    emulator: Emulator, observed: Observed, tmp_path: Path
) -> None:
    emulator.faults.throttle("UploadReadSetPart")
    with observed.tracers.get_tracer("a program").start_as_current_span("request") as request:
        result = await upload(emulator, read_set(tmp_path))
    (span,) = observed.spans("turboupload.upload")
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id
    told = facts(span)
    assert told["read_set_id"] == result.read_set_id
    assert told["outcome"] == "active"
    assert told["parts"] == result.parts >= 3
    assert [each.name for each in span.events].count("turboupload.retry") == 1

    parts = observed.spans("turboupload.part")
    assert {facts(each)["part.number"] for each in parts} == set(range(1, result.parts + 1))
    assert sum(facts(each)["part.bytes"] for each in parts) == result.total_bytes
    assert {each.parent.span_id for each in parts if each.parent} == {span.context.span_id}

    calls = observed.spans("UploadReadSetPart")
    assert len(calls) == result.parts + 1
    whose = {each.context.span_id for each in parts}
    assert {each.parent.span_id for each in calls if each.parent} == whose
    (refused,) = [each for each in calls if each.status.status_code is StatusCode.ERROR]
    assert (refused.attributes or {})["error.type"] == "ThrottlingException"
    for each in calls:
        part = next(p for p in parts if each.parent and p.context.span_id == each.parent.span_id)
        assert part.start_time is not None
        assert each.start_time is not None
        assert part.start_time <= each.start_time
    assert observed.spans("CompleteMultipartReadSetUpload")


async def test_figures_are_the_same_in_both(
    emulator: Emulator, observed: Observed, tmp_path: Path
) -> None:
    emulator.faults.throttle("UploadReadSetPart")
    result = await upload(emulator, read_set(tmp_path, seed=10))
    figures, sample = observed.figures(), observed.sample
    assert figures["turboupload.sent", ()] == result.bytes_sent
    assert sample("sent_bytes_total") == result.bytes_sent
    assert figures["turboupload.retries", ("UploadReadSetPart", "ThrottlingException")] == 1
    assert sample("retries_total", operation="UploadReadSetPart", reason="ThrottlingException") == 1
    assert figures["turboupload.parts", ("sent",)] == result.parts
    assert sample("parts_total", origin="sent") == result.parts
    assert figures["turboupload.uploads", ("active",)] == 1
    assert sample("uploads_total", outcome="active") == 1
    call = ("UploadReadSetPart", "ok")
    assert figures["turboupload.call.duration", call] == result.parts
    labels = {"operation": "UploadReadSetPart", "outcome": "ok"}
    assert sample("call_duration_seconds_count", **labels) == result.parts
    assert (sample("window") or 0) > 0
    for level in ("turboupload.uploads.active", "turboupload.parts.in_flight"):
        assert figures[level, ()] == 0
    assert not any(v for (name, _), v in figures.items() if name == "turboupload.uploads.limited")


async def test_nothing_names_the_sample_unless_asked(
    emulator: Emulator, observed: Observed, tmp_path: Path
) -> None:
    await upload(emulator, read_set(tmp_path, seed=2))
    missing = turboupload.ReadSet(
        sources=[tmp_path / f"{SAMPLE}-missing.bam"], name=NAME, sample_id="a", subject_id="b"
    )
    with pytest.raises(turboupload.InputError, match="missing"):
        await upload(emulator, missing)
    failed = observed.spans("turboupload.upload")[-1]
    assert failed.status.status_code is StatusCode.ERROR
    assert facts(failed)["outcome"] == "rejected"
    for secret in (NAME, SAMPLE, "subject"):
        assert secret not in observed.text


async def test_names_are_told_where_they_are_asked_for(emulator: Emulator, tmp_path: Path) -> None:
    observed = Observed(names=True)
    try:
        await upload(emulator, read_set(tmp_path, seed=3))
        (span,) = observed.spans("turboupload.upload")
    finally:
        observed.close()
    assert facts(span)["name"] == f"{NAME}-3"
    await upload(emulator, read_set(tmp_path, seed=3))
    assert len(observed.spans("turboupload.upload")) == 1, "it hears nothing once it is removed"


async def test_the_uploads_of_a_batch_are_below_it(
    emulator: Emulator, observed: Observed, tmp_path: Path
) -> None:
    rows = [read_set(tmp_path, seed=4), read_set(tmp_path, seed=5)]
    result = await turboupload.upload_batch(
        rows, store_id=emulator.store_id, config=emulator.upload_config()
    )
    assert result.counts["active"] == 2
    (batch,) = observed.spans("turboupload.batch")
    assert facts(batch)["outcome"] == "active"
    uploads = observed.spans("turboupload.upload")
    assert [each.parent.span_id for each in uploads if each.parent] == [batch.context.span_id] * 2
    assert [facts(each)["outcome"] for each in uploads] == ["active", "active"]
    figures = observed.figures()
    assert figures["turboupload.uploads", ("active",)] == 2
    rows_left = {k: v for k, v in figures.items() if k[0] == "turboupload.batch.rows"}
    assert ("turboupload.batch.rows", ("active",)) in rows_left
    assert not any(rows_left.values()), "the batch is over"
    assert figures["turboupload.uploads.active", ()] == 0


async def test_an_upload_that_is_cancelled_ends_its_span(
    emulator: Emulator, observed: Observed, tmp_path: Path
) -> None:
    emulator.faults.stall("UploadReadSetPart", seconds=5)
    task = asyncio.create_task(upload(emulator, read_set(tmp_path, seed=6)))
    while not observed.sample("parts_in_flight"):  # noqa: ASYNC110 - figures tell nobody
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    emulator.faults.clear()
    assert facts(observed.spans("turboupload.upload")[-1])["outcome"] == "interrupted"
    assert observed.sample("uploads_active") == observed.sample("parts_in_flight") == 0


class Broken:
    """A sink that fails at one of its three moments."""

    def __init__(self, moment: str) -> None:
        self.moment = moment
        self.heard = 0

    def _at(self, moment: str) -> None:
        self.heard += 1
        if moment == self.moment:
            raise ZeroDivisionError

    def __call__(self, kind: object, parent: object) -> Broken:
        self._at("begin")
        return self

    def hear(self, notice: object) -> None:
        self._at("hear")

    def ended(self, error: BaseException | None) -> None:
        self._at("end")


@pytest.mark.parametrize("moment", ["begin", "hear", "end"])
async def test_a_sink_that_fails_ends_no_upload(
    emulator: Emulator, tmp_path: Path, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Broken(moment)
    remove = observability.add_sink(sink)
    try:
        result = await upload(emulator, read_set(tmp_path, seed=7))
    finally:
        remove()
    assert result.status == "ACTIVE"
    assert [r.message for r in caplog.records if "ZeroDivisionError" in r.message]
    assert sink.heard >= (1 if moment == "begin" else 2)


class Counting:
    """A sink that counts what it is told."""

    def __init__(self) -> None:
        self.begun = self.over = 0

    def __call__(self, kind: object, parent: object) -> Counting:
        self.begun += 1
        return self

    def hear(self, notice: object) -> None:
        pass

    def ended(self, error: BaseException | None) -> None:
        self.over += 1


async def test_what_is_asked_for_twice_is_done_once(
    emulator: Emulator, observed: Observed, tmp_path: Path
) -> None:
    """As in a notebook whose cells are run again; what was asked for twice ends with the second."""
    again, sink = observed.again(), Counting()
    removers = [
        [observability.add_sink(sink), *observed.removers],
        [observability.add_sink(sink), *again],
    ]
    for number, expected in enumerate((1, 2, 2)):
        await upload(emulator, read_set(tmp_path, seed=20 + number))
        assert len(observed.spans("turboupload.upload")) == expected
        assert observed.sample("uploads_total", outcome="active") == expected
        assert sink.begun == sink.over == expected
        for remove in removers.pop(0) if removers else ():
            remove()
            remove()


def test_what_is_no_sink_is_refused() -> None:
    with pytest.raises(turboupload.ConfigError, match="a sink is a function"):
        observability.add_sink(5)  # type: ignore[arg-type]
