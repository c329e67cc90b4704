"""What a command tells while it runs: `--metrics`, and OpenTelemetry by its own variables."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from turboupload.cli.session.signals import CLEAN_UP_S
from turboupload.core.characters import without_passwords
from turboupload.core.notices import Remark
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.cli.session.otel import Exporting

__all__ = ["clean_up_s", "observed"]

FLUSH_S: Final = 2.0
"""How long the end of a command waits for a collector that doesn't answer, in seconds."""

_OTEL: Final = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER")
_ENDPOINTS: Final = tuple(
    f"OTEL_EXPORTER_OTLP_{each}ENDPOINT" for each in ("", "TRACES_", "METRICS_")
)


def clean_up_s(given: Mapping[str, Any]) -> float:
    """How long cleaning up after a signal may take, in seconds.

    Args:
        given: The options' values by name.
    """
    wanted = given["metrics"] is not None or wants_opentelemetry(os.environ)
    return CLEAN_UP_S + (FLUSH_S if wanted else 0.0)


@contextmanager
def observed(given: Mapping[str, Any], tell: Callable[[Remark], object]) -> Iterator[None]:
    """Exports telemetry while the context lasts, as far as that was asked for.

    Args:
        given: The options' values by name.
        tell: Told of what isn't exported, and where figures are.

    Raises:
        ConfigError: `--metrics` was asked for, and can't be had.
    """
    with ExitStack() as stack:
        if given["metrics"] is not None and not given["dry_run"]:
            stack.enter_context(_serving(given["metrics"], tell))
        if wants_opentelemetry(os.environ):
            stack.enter_context(_exporting(tell))
        yield


def wants_opentelemetry(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables ask for an export.

    Args:
        environment: As in `os.environ`.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    named = [environment.get(each, "").strip() for each in _OTEL]
    if any(each not in ("", "none") for each in named):
        return True
    return "none" not in named and any(environment.get(each) for each in _ENDPOINTS)


@contextmanager
def _serving(address: tuple[str, int], tell: Callable[[Remark], object]) -> Iterator[None]:
    """Serves the figures by HTTP."""
    host, port = address
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            "what serves metrics is not installed",
            hint="pip install 'turboupload[metrics]'; nothing was sent",
        ) from error
    from turboupload.observability import to_prometheus

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, UnicodeError) as error:  # of a name that no host can have
        why = error.strerror if isinstance(error, OSError) else None
        raise ConfigError(
            f"metrics can't be served at {_shown(host, port)}: {why or error}",
            hint="name another address of this machine by --metrics; nothing was sent",
        ) from error
    remove = to_prometheus(registry)
    try:
        tell(Remark("metrics", f"metrics are at http://{_shown(host, server.server_port)}/metrics"))
        yield
    finally:
        remove()
        server.shutdown()
        server.server_close()
        thread.join(FLUSH_S)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _exporting(tell: Callable[[Remark], object]) -> Iterator[None]:
    """Exports as the environment says; what prevents that is told, and prevents no upload."""
    begun: tuple[Exporting, Callable[[], None]] | None = None
    try:
        begun = _begin()
    except Exception as error:  # the variables may be a whole cluster's, and not meant for us
        tell(Remark("telemetry-off", f"no OpenTelemetry: {_why(error)}"))
    try:
        yield
    finally:
        if begun is not None:
            exporting, remove = begun
            remove()
            if why := _flush(exporting):
                tell(Remark("telemetry-unsent", f"OpenTelemetry: {why}"))


def _begin() -> tuple[Exporting, Callable[[], None]]:
    from turboupload.cli.session.otel import Exporting
    from turboupload.observability import to_opentelemetry

    exporting = Exporting(os.environ)
    names = os.environ.get("TURBOUPLOAD_OTEL_NAMES", "").lower() in ("1", "true", "yes")
    remove = to_opentelemetry(
        tracer_provider=exporting.tracers, meter_provider=exporting.meters, names=names
    )
    return exporting, remove


def _flush(exporting: Exporting) -> str | None:
    """Sends what is left, if that is soon; returns why it can't be, in words."""
    thread = threading.Thread(target=exporting.close, daemon=True)
    thread.start()
    thread.join(FLUSH_S)
    if thread.is_alive():
        return f"what was left could not be sent within {FLUSH_S:g} s"
    return without_passwords(exporting.failure or "") or None


def _why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{error.name} is not installed "
            "(pip install 'turboupload[otel]' opentelemetry-sdk opentelemetry-exporter-otlp)"
        )
    return without_passwords(f"{type(error).__name__}: {error}")
