"""Where a program sends the telemetry of its uploads: OpenTelemetry, Prometheus, a sink of its own.

```python
from turboupload import observability

observability.to_opentelemetry()  # pip install 'turboupload[otel]'
```

Neither package is imported before it is asked for. `docs/observability.md` has the names of all
spans and figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from turboupload.errors import ConfigError
from turboupload.telemetry import Follower, Sink, add_sink

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

__all__ = ["Follower", "Sink", "add_sink", "to_opentelemetry", "to_prometheus"]


def to_opentelemetry(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    names: bool = False,
) -> Callable[[], None]:
    """Makes spans and figures of all uploads that begin from now on.

    Called again with the same arguments, it makes them once.

    Args:
        tracer_provider: Makes spans; None takes the one that the program has set.
        meter_provider: Keeps figures; None takes the one that the program has set.
        names: Whether spans tell the read set's name and the files' paths.

    Returns:
        Ends that.

    Raises:
        ConfigError: `opentelemetry-api` isn't installed.
    """
    try:
        from turboupload.exporters.opentelemetry import OpenTelemetrySink
    except ModuleNotFoundError as error:
        raise _missing(error, "otel") from error
    return add_sink(OpenTelemetrySink(tracer_provider, meter_provider, names=names))


def to_prometheus(registry: CollectorRegistry | None = None) -> Callable[[], None]:
    """Keeps figures of all uploads that begin from now on, for Prometheus.

    Args:
        registry: The registry to keep them in; None takes the default one of `prometheus_client`.
            Where they are in it already, they are kept once.

    Returns:
        Ends that; the figures stay in the registry.

    Raises:
        ConfigError: `prometheus-client` isn't installed.
    """
    try:
        from prometheus_client import REGISTRY

        from turboupload.exporters.prometheus import sink_of
    except ModuleNotFoundError as error:
        raise _missing(error, "metrics") from error
    return add_sink(sink_of(REGISTRY if registry is None else registry))


def _missing(error: ModuleNotFoundError, extra: str) -> ConfigError:
    return ConfigError(f"{error.name} is not installed", hint=f"pip install 'turboupload[{extra}]'")
