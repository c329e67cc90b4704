"""The sink: nginx over TLS 1.3 that reads bodies, drops them, and counts what it read."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import ssl
import string
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from benchmarks.environment import aws_environment

__all__ = ["STORE", "MissingTool", "Received", "Sink", "SinkFailed"]

HERE = Path(__file__).resolve().parent
MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/etc/nginx/modules")
STORE = "1234567890"
START_TIMEOUT_S = 15.0
LOG_TIMEOUT_S = 5.0


class MissingTool(Exception):
    """Something that has to be installed is not there."""


class SinkFailed(Exception):
    """All that the sink needs is there, and it does not run."""


@dataclass(frozen=True, slots=True)
class Received:
    """What the sink's log says of one stretch of time.

    Attributes:
        part_bytes: Body bytes of the PUT requests that it answered with 200.
        parts: How many those were.
        throttled: How many were answered 429.
        requests: Requests of any kind.
        connections: Different connections they came on.
    """

    part_bytes: int
    parts: int
    throttled: int
    requests: int
    connections: int


class Sink:
    """nginx in a folder of its own, for as long as the context lasts.

    Attributes:
        port: Without a quota.
        quota_port: With ten parts a second.
        has_443: Whether it listens on the standard port, too; some clients know no other.
        ca: The authority to trust.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sink-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0
        self.port = free_port()
        self.quota_port = free_port()
        self.has_443 = _can_listen(443)
        self.ca = self._folder / "ca.pem"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        nginx = _nginx()
        modules = _modules()
        self._certify()
        configuration = string.Template((HERE / "sink.conf").read_text()).safe_substitute(
            modules="\n".join(f"load_module {path};" for path in modules),
            user=getpass.getuser(),
            folder=self._folder,
            here=HERE,
            port=self.port,
            quota_port=self.quota_port,
            port_443="listen 127.0.0.1:443 ssl backlog=1024;" if self.has_443 else "",
        )
        path = self._folder / "nginx.conf"
        path.write_text(configuration)
        self._process = subprocess.Popen(
            [nginx, "-c", str(path), "-e", str(self._folder / "error.log")],
            stderr=subprocess.PIPE,
        )
        self._await_start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            if self._process.stderr is not None:
                self._process.stderr.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def endpoint_url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def quota_url(self) -> str:
        return f"https://localhost:{self.quota_port}"

    def environment(self, endpoint_url: str | None = None) -> dict[str, str]:
        """The environment that points an AWS client here, or at what stands in front."""
        return aws_environment(endpoint_url or self.endpoint_url, self.ca)

    def processor_s(self) -> float:
        """Processor time that the worker has used so far, in seconds; 0 where it can't be told."""
        assert self._process is not None
        master = self._process.pid
        try:
            children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
            fields = [
                Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
                for each in children
            ]
        except OSError:
            return 0.0
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(int(each[11]) + int(each[12]) for each in fields) / ticks

    def forget(self) -> None:
        """Counts from here."""
        self._seen = self._log().stat().st_size if self._log().exists() else 0

    def received(self, *, at_least: int = 0, requests: int = 0) -> Received:
        """What came since `forget`, waiting a moment for the log to have so much of it.

        The last reply may reach a client before its line reaches the log.
        """
        deadline = time.monotonic() + LOG_TIMEOUT_S
        while True:
            found = self._count()
            whole = found.part_bytes >= at_least and found.requests >= requests
            if whole or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def rows(self) -> list[dict[str, Any]]:
        """The log's lines since `forget`."""
        with self._log().open("rb") as log:
            log.seek(self._seen)
            return [json.loads(line) for line in log if line.endswith(b"\n")]

    def _count(self) -> Received:
        rows = self.rows()
        parts = [row for row in rows if row["method"] == "PUT" and row["status"] == 200]
        return Received(
            part_bytes=sum(int(row["drained"] or 0) for row in parts),
            parts=len(parts),
            throttled=sum(row["status"] == 429 for row in rows),
            requests=len(rows),
            connections=len({row["connection"] for row in rows}),
        )

    def _log(self) -> Path:
        return self._folder / "access.log"

    def _certify(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        # aiobotocore and botocore speak to "localhost", and check that name.
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._folder / "server.pem"))

    def _await_start(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        context = ssl.create_default_context(cafile=str(self.ca))
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                said = self._process.stderr.read() if self._process.stderr is not None else b""
                raise SinkFailed(f"nginx does not start: {said.decode(errors='replace').strip()}")
            try:
                with (
                    socket.create_connection(("127.0.0.1", self.port), 1) as raw,
                    context.wrap_socket(raw, server_hostname="localhost"),
                ):
                    return
            except OSError:
                time.sleep(0.02)
        raise SinkFailed("nginx does not listen")


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _can_listen(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingTool("nginx (on Debian: apt-get install nginx-light libnginx-mod-http-lua)")
    return found


def _modules() -> list[str]:
    for folder in map(Path, MODULE_FOLDERS):
        if all((folder / name).exists() for name in MODULES):
            return [str(folder / name) for name in MODULES]
    raise MissingTool("nginx's Lua module (on Debian: apt-get install libnginx-mod-http-lua)")
