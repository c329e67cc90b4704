"""`--metrics`, and OpenTelemetry by its own variables, of the command itself."""

from __future__ import annotations

import http.server
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.conftest import ABOUT, SECRET, SIX_PARTS, Shell
from turboupload.cli.options.values import ADDRESS
from turboupload.cli.session.observation import FLUSH_S, observed, wants_opentelemetry
from turboupload.errors import ConfigError

STALL = {
    "operation": "UploadReadSetPart", "after": 3, "times": None,
    "action": {"type": "stall", "seconds": 30},
}  # fmt: skip


@pytest.fixture
def about(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """A read set of its own for each test."""
    return ("--name", f"observed-{request.node.name[:90]}", *ABOUT, *SIX_PARTS)


def get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as got:
        return str(got.read().decode())


def test_metrics_can_be_read_while_it_runs(
    shell: Shell, reads: Path, about: tuple[str, ...]
) -> None:
    shell.emulator.set_faults([STALL])
    run = shell.start("upload", reads, *about, "--json", "--metrics", "0")
    remark = run.wait_for(lambda event: event["event"] == "upload.remark")
    assert remark["code"] == "metrics"
    url = remark["text"].split()[-1]
    assert url.startswith("http://127.0.0.1:")
    run.wait_for_parts(3)
    text = get(url)
    assert "turboupload_uploads_active 1.0" in text
    assert 'turboupload_parts_total{origin="sent"}' in text
    assert 'turboupload_call_duration_seconds_count{operation="ListReadSets",outcome="ok"}' in text
    assert "process_cpu_seconds_total" in text
    assert SECRET not in text
    assert "observed" not in text
    shell.emulator.clear_faults()
    run.signal(signal.SIGTERM)
    assert run.finish().code == 130
    with pytest.raises(OSError, match="refused"):
        get(url)


def test_an_address_that_is_taken_stops_it_before_anything_is_sent(
    shell: Shell, reads: Path, about: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run("upload", reads, *about, "--metrics", str(port))
    assert done.code == 2
    assert f"metrics can't be served at 127.0.0.1:{port}: Address already in use" in done.err
    assert "nothing was sent" in done.err


def test_a_name_that_no_host_can_have_is_said() -> None:
    def serve() -> None:
        with observed({"metrics": ("x..y", 0), "dry_run": False}, lambda _: None):
            pass

    with pytest.raises(ConfigError, match=r"can't be served at x\.\.y:0: "):
        serve()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),  # noqa: S104 - where the user says so
        ("[::1]:0", ("::1", 0)),
        ("node7:9464", ("node7", 9464)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert ADDRESS.convert(text, None, None) == address


@pytest.mark.parametrize("text", ["", "node7", "::1:9464", "1:70000", "1:-1", "http://a:1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not an address"):
        ADDRESS.convert(text, None, None)


# --- OpenTelemetry ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
    ],
)
def test_when_it_is_exported(variables: dict[str, str], wanted: bool) -> None:
    assert wants_opentelemetry(variables) is wanted


def test_spans_and_figures_go_where_the_environment_says(
    shell: Shell, reads: Path, about: tuple[str, ...]
) -> None:
    done = shell.run(
        "upload", reads, *about, "--json",
        env={"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"},
    )  # fmt: skip
    assert done.code == 0
    assert done.last["outcome"] == "active", "stdout is for results"
    for told in ('"turboupload.upload"', '"turboupload.part"', '"service.name": "turboupload"'):
        assert told in done.err
    assert "turboupload.sent" in done.err
    assert SECRET not in done.err


class _Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@pytest.fixture
def collector() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    server.paths = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_collector_gets_both(
    shell: Shell, reads: Path, about: tuple[str, ...], collector: http.server.ThreadingHTTPServer
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    done = shell.run("upload", reads, *about, env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert done.code == 0
    assert set(collector.paths) == {"/v1/traces", "/v1/metrics"}  # type: ignore[attr-defined]
    assert "OpenTelemetry" not in done.err


def test_a_collector_that_is_not_there_costs_a_moment_and_a_note(
    shell: Shell, reads: Path, about: tuple[str, ...]
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # It takes the connection, and never answers.
        done = shell.run(
            "upload", reads, *about, "--json",
            env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{SECRET}@127.0.0.1:{port}"},
        )  # fmt: skip
    assert done.code == 0
    (note,) = [e for e in done.events if e.get("code") == "telemetry-unsent"]
    assert f"within {FLUSH_S:g} s" in note["text"]
    assert SECRET not in done.out + done.err


def test_an_exporter_that_is_missing_is_told_and_prevents_nothing(
    shell: Shell, reads: Path, about: tuple[str, ...]
) -> None:
    done = shell.run("upload", reads, *about, env={"OTEL_TRACES_EXPORTER": "jaeger"})
    assert done.code == 0
    assert "note: no OpenTelemetry: " in done.err
    assert "the exporter jaeger of traces is not installed" in done.err
