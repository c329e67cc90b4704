"""OpenTelemetry's SDK as its own variables set it up, for the command; programs have their own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from turboupload import __version__
from turboupload.errors import ConfigError

__all__ = ["Exporting"]


class Exporting:
    """Exports spans and figures to where `OTEL_…` variables say.

    Args:
        environment: As in `os.environ`.

    Attributes:
        tracers: Makes spans.
        meters: Keeps figures.
        failure: The first thing that went wrong, in words.

    Raises:
        ConfigError: An exporter that is named isn't installed.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.failure: str | None = None
        handler = _First(self)
        logging.getLogger("opentelemetry").addHandler(handler)
        resource = Resource.create({"service.name": "turboupload", "service.version": __version__})
        if environment.get("OTEL_SERVICE_NAME"):
            resource = Resource.create({"service.version": __version__})
        # Our own end waits no longer than a moment; theirs, at exit, has no bound.
        self.tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in _exporters("traces", environment):
            self.tracers.add_span_processor(BatchSpanProcessor(exporter))
        readers: list[MetricReader] = [
            each if isinstance(each, MetricReader) else PeriodicExportingMetricReader(each)
            for each in _exporters("metrics", environment)
        ]
        self.meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)

    def close(self) -> None:
        """Sends what is left; it may hang as long as the collector does."""
        self.tracers.shutdown()
        self.meters.shutdown()


class _First(logging.Handler):
    """Keeps the SDK's first warning."""

    def __init__(self, exporting: Exporting) -> None:
        super().__init__(logging.WARNING)
        self._exporting = exporting

    def emit(self, record: logging.LogRecord) -> None:
        if self._exporting.failure is None:
            self._exporting.failure = record.getMessage()


def _exporters(signal: str, environment: Mapping[str, str]) -> list[Any]:
    """The exporters of a signal, by their entry points."""
    named = environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() or "otlp"
    found = []
    for name in filter(None, (each.strip() for each in named.split(","))):
        if name == "none":
            continue
        entry = _OTLP.get(_protocol(signal, environment)) if name == "otlp" else name
        kind = f"opentelemetry_{signal}_exporter"
        for each in entry_points(group=kind, name=entry or name):
            # Stdout is for results.
            found.append(each.load()(**({"out": sys.stderr} if name == "console" else {})))
            break
        else:
            raise ConfigError(
                f"the exporter {entry or name} of {signal} is not installed",
                hint="pip install opentelemetry-exporter-otlp",
            )
    return found


_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def _protocol(signal: str, environment: Mapping[str, str]) -> str:
    own = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    return own or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
