"""Figures for Prometheus, through `prometheus-client` (extra `metrics`)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from turboupload.core.batch import BatchProgress
from turboupload.core.measures import (
    MEASURES,
    SECONDS,
    Kind,
    Measure,
    Measuring,
    Sample,
    Vocabulary,
)
from turboupload.core.notices import Notice
from turboupload.telemetry import Follower

__all__ = ["PrometheusSink", "sink_of"]

_UNITS = {"s": "_seconds", "By": "_bytes"}


class PrometheusSink:
    """Keeps the figures of all work in a registry.

    Args:
        registry: The registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._words = Vocabulary()
        self._metrics = {each: _metric(each, registry) for each in MEASURES}

    def __call__(self, kind: Kind, parent: Follower | None) -> Follower:
        """See `turboupload.telemetry.Sink`."""
        return _Follower(Measuring(kind, self._words), self)

    def record(self, samples: Iterable[Sample]) -> None:
        """Takes samples in."""
        for measure, value, labels in samples:
            metric = self._metrics[measure]
            if measure.labels:
                metric = metric.labels(*labels)
            match measure.kind:
                case "histogram":
                    metric.observe(value)
                case "gauge":
                    metric.set(value)
                case _:
                    metric.inc(value)


_sinks: WeakKeyDictionary[CollectorRegistry, PrometheusSink] = WeakKeyDictionary()


def sink_of(registry: CollectorRegistry) -> PrometheusSink:
    """The sink of a registry, which takes each figure once.

    Args:
        registry: The registry.
    """
    if registry not in _sinks:
        _sinks[registry] = PrometheusSink(registry)
    return _sinks[registry]


class _Follower:
    """Measures one piece of work."""

    def __init__(self, measuring: Measuring, sink: PrometheusSink) -> None:
        self._measuring = measuring
        self._sink = sink
        self._began = time.monotonic()
        sink.record(measuring.began())

    def hear(self, notice: Notice | BatchProgress) -> None:
        """See `turboupload.telemetry.Follower`."""
        self._sink.record(self._measuring.hear(notice))

    def ended(self, error: BaseException | None) -> None:
        """See `turboupload.telemetry.Follower`."""
        self._sink.record(self._measuring.ended(error, time.monotonic() - self._began))


def _metric(measure: Measure, registry: CollectorRegistry) -> Any:
    """A measure as Prometheus names it: `turboupload_bytes_sent_total`."""
    name = measure.name.replace(".", "_")
    unit = _UNITS.get(measure.unit, "")
    name += unit if not name.endswith(unit) else ""
    match measure.kind:
        case "histogram":
            return Histogram(name, measure.help, measure.labels, registry=registry, buckets=SECONDS)
        case "counter":
            return Counter(name, measure.help, measure.labels, registry=registry)
        case _:
            return Gauge(name, measure.help, measure.labels, registry=registry)
