"""Spans and figures for OpenTelemetry, through its API alone (extra `otel`).

A batch has a span, each upload one below it or below the caller's, each part that is sent one below
that, and each call one below its part or upload. Nothing of them tells a name, a path or a message
(which may have paths in it), unless names are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from turboupload import __version__
from turboupload.core.batch import BatchProgress
from turboupload.core.measures import (
    MEASURES,
    SECONDS,
    Kind,
    Measure,
    Measuring,
    Sample,
    Vocabulary,
    outcome_of,
)
from turboupload.core.model import PartSource
from turboupload.core.notices import (
    Calling,
    Finished,
    Notice,
    Planned,
    Remark,
    Retrying,
    Started,
    WindowChanged,
)
from turboupload.core.upload.events import Completed, Opened, PartSeen
from turboupload.errors import TurbouploadError
from turboupload.telemetry import Follower

__all__ = ["OpenTelemetrySink"]

_NS = 1_000_000_000
_SPANS = {"upload": "turboupload.upload", "batch": "turboupload.batch"}
_SOURCE, _NUMBER = "turboupload.part.source", "turboupload.part.number"


class OpenTelemetrySink:
    """Makes spans and figures of all work.

    Args:
        tracer_provider: Makes spans; None takes the process's own.
        meter_provider: Keeps figures; None takes the process's own.
        names: Whether spans tell the read set's name and the files' paths.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        *,
        names: bool = False,
    ) -> None:
        self.tracer = trace.get_tracer("turboupload", __version__, tracer_provider)
        self.names = names
        self.words = Vocabulary()
        meter = metrics.get_meter("turboupload", __version__, meter_provider)
        self._instruments = {each: _instrument(each, meter) for each in MEASURES}
        self._given = (tracer_provider, meter_provider, names)

    def __eq__(self, other: object) -> bool:
        # So that an export that is asked for again exports nothing twice.
        return isinstance(other, OpenTelemetrySink) and self._given == other._given

    def __hash__(self) -> int:
        return hash(self._given)

    def __call__(self, kind: Kind, parent: Follower | None) -> Follower:
        """See `turboupload.telemetry.Sink`."""
        return _Follower(kind, self, parent if isinstance(parent, _Follower) else None)

    def record(self, samples: Iterable[Sample]) -> None:
        """Takes samples in."""
        for measure, value, labels in samples:
            attributes = dict(zip(measure.labels, labels, strict=True))
            instrument = self._instruments[measure]
            match measure.kind:
                case "histogram":
                    instrument.record(value, attributes)
                case "gauge":
                    instrument.set(value, attributes)
                case _:
                    instrument.add(value, attributes)


class _Follower:
    """One piece of work: its span, and those below it."""

    def __init__(self, kind: Kind, sink: OpenTelemetrySink, parent: _Follower | None) -> None:
        self._sink = sink
        self._measuring = Measuring(kind, sink.words)
        self._began = time.monotonic()
        self._parts: dict[tuple[PartSource | None, int | None], Span] = {}
        self._span: Span | None = None
        above = parent.context if parent is not None else None
        if kind in _SPANS:
            self._span = sink.tracer.start_span(_SPANS[kind], context=above)
            above = trace.set_span_in_context(self._span)
        self.context: Context | None = above
        sink.record(self._measuring.began())

    def hear(self, notice: Notice | BatchProgress) -> None:
        """See `turboupload.telemetry.Follower`."""
        self._sink.record(self._measuring.hear(notice))
        match notice:
            case Calling():
                self._called(notice)
            case PartSeen(origin="sent"):
                self._part_arrived(notice)
            case Retrying():
                self._add_event("retry", operation=notice.operation, reason=notice.reason)
            case Remark():
                self._add_event("remark", code=notice.code)
            case WindowChanged():
                self._add_event("window", size=notice.size, before=notice.before)
            case Started() | Planned() | Opened() | Completed() | Finished():
                if self._span is not None:
                    self._span.set_attributes(_facts(notice, names=self._sink.names))
            case _:
                pass

    def ended(self, error: BaseException | None) -> None:
        """See `turboupload.telemetry.Follower`."""
        self._sink.record(self._measuring.ended(error, time.monotonic() - self._began))
        for span in self._parts.values():
            span.set_status(Status(StatusCode.ERROR, "not sent"))
            span.end()
        self._parts.clear()
        if self._span is None:
            return
        self._span.set_attribute("turboupload.outcome", self._measuring.outcome(error))
        if error is not None:
            # Its message may name files.
            self._span.set_status(Status(StatusCode.ERROR, outcome_of(error)))
            self._span.set_attribute("error.type", self._sink.words.word(_type_of(error)))
        self._span.end()

    def _add_event(self, name: str, **fields: str | int) -> None:
        if self._span is not None:
            told = {f"turboupload.{key}": value for key, value in fields.items()}
            self._span.add_event(f"turboupload.{name}", told)

    def _called(self, call: Calling) -> None:
        """Makes the span of a call that has ended, and before its first one that of its part."""
        now = time.time_ns()
        began = now - int(call.seconds * _NS)
        context = self.context
        if call.number is not None:
            context = trace.set_span_in_context(self._part(call, began))
        span = self._sink.tracer.start_span(
            call.operation,
            context=context,
            kind=SpanKind.CLIENT,
            start_time=began,
            attributes={
                "rpc.system": "aws-api",
                "rpc.service": "Omics",
                "rpc.method": call.operation,
            },
        )
        if call.outcome != "ok":
            outcome = self._sink.words.word(call.outcome)
            span.set_attribute("error.type", outcome)
            span.set_status(Status(StatusCode.ERROR, outcome))
        span.end(now)

    def _part(self, call: Calling, began: int) -> Span:
        key = call.source, call.number
        if key not in self._parts:
            self._parts[key] = self._sink.tracer.start_span(
                "turboupload.part",
                context=self.context,
                start_time=began,
                attributes={_SOURCE: str(call.source), _NUMBER: call.number or 0},
            )
        return self._parts[key]

    def _part_arrived(self, seen: PartSeen) -> None:
        span = self._parts.pop((seen.part.source, seen.part.number), None)
        if span is not None:
            span.set_attribute("turboupload.part.bytes", seen.part.size)
            span.end()


def _facts(notice: Notice, *, names: bool) -> Mapping[str, Any]:
    """A span's attributes of an upload."""
    found: dict[str, Any] = {}
    match notice:
        case Started():
            found |= {
                "store_id": notice.store_id,
                "file_type": str(notice.file_type),
                "total_bytes": notice.total_bytes,
            }
            if names:
                found |= {"name": notice.name, "paths": list(notice.paths)}
        case Planned():
            found |= {
                "upload_id": notice.upload_id,
                "resumed": notice.resumed,
                "part_size": notice.part_size,
                "parts": notice.parts,
                "parts_there": notice.parts_there,
            }
        case Opened():
            found |= {"upload_id": notice.upload_id}
        case Completed():
            found |= {"read_set_id": notice.read_set_id}
        case Finished(result):
            found |= {
                "read_set_id": result.read_set_id,
                "bytes_sent": result.bytes_sent,
                "retries": result.retries,
                "limited_by": result.limited_by,
                "verified": str(result.verified),
            }
    return {f"turboupload.{key}": value for key, value in found.items() if value is not None}


def _type_of(error: BaseException) -> str:
    code = error.code if isinstance(error, TurbouploadError) else ""
    return code or type(error).__name__


def _instrument(measure: Measure, meter: metrics.Meter) -> Any:
    match measure.kind:
        case "counter":
            make: Any = meter.create_counter
        case "level":
            make = meter.create_up_down_counter
        case "gauge":
            make = meter.create_gauge
        case _:
            return meter.create_histogram(
                measure.name,
                unit=measure.unit,
                description=measure.help,
                explicit_bucket_boundaries_advisory=list(SECONDS),
            )
    return make(measure.name, unit=measure.unit, description=measure.help)
