"""A HealthOmics emulator in a process of its own, for any suite that needs a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from tests.support.quickstart import start
from turboupload.emulator.access import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    client_environment,
    control,
)

__all__ = ["ACCESS_KEY", "REGION", "SECRET_KEY", "RunningEmulator"]

PROJECT = Path(__file__).resolve().parents[2]
"""Where the package is, so that it need not be installed."""

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0

LISTING_LAG = "1s"
"""For the command: this service lists what it has at once, and a test needn't wait for more."""


class RunningEmulator:
    """Starts `python -m turboupload.emulator` and stops it again.

    ```python
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as emulator:
        subprocess.run(["turboupload", ...], env={**os.environ, **emulator.env()})
        emulator.stats()["operations"]["UploadReadSetPart"]["requests"]
    ```

    Arguments:
        args: Further options of `turboupload emulator`.
        root: Its data folder. Absent: a temporary one, removed by `stop` only.
        tls: Serve HTTPS under the emulator's own certificate authority.
        network: The network namespace that it is in, as `networks` makes it.
    """

    def __init__(
        self,
        *args: str,
        root: Path | None = None,
        tls: bool = False,
        network: Path | None = None,
    ) -> None:
        self._args = list(args)
        self._network = network
        self._tls = tls
        self._owns_root = root is None
        self.root = root.absolute() if root else Path(tempfile.mkdtemp(prefix="emulator-"))
        self._process: subprocess.Popen[str] | None = None
        self._stderr: IO[bytes] | None = None
        self.endpoint_url = ""
        self.store_id = ""
        self.ca_bundle: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self.endpoint_url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, port: int = 0) -> None:
        """Start and wait for the ready line, at most two minutes.

        Arguments:
            port: The port to listen on; 0 takes a free one.
        """
        arguments = ["--root", str(self.root), "--port", str(port)]
        arguments += [*(["--tls"] if self._tls else []), *self._args]
        self._stderr = (self.root.parent / f"{self.root.name}.stderr").open("ab")
        self._process = start(
            "turboupload.emulator",
            arguments,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=PROJECT,
            network=self._network,
        )
        ready = json.loads(self._ready_line())
        assert ready["event"] == "emulator.ready", ready
        self.endpoint_url = ready["endpoint_url"]
        self.store_id = ready["store_id"]
        self.ca_bundle = ready["ca_bundle"]

    def _ready_line(self) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        stdout = process.stdout
        reader = threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True)
        reader.start()
        try:
            line = lines.get(timeout=READY_TIMEOUT_S)
        except queue.Empty:
            line = ""
        if not line:
            self._end(signal.SIGKILL)
            raise RuntimeError(f"the emulator did not start:\n{self.stderr()}")
        reader.join(timeout=1)
        return line

    def stderr(self) -> str:
        """Everything it has written to stderr so far."""
        path = self.root.parent / f"{self.root.name}.stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def _end(self, signum: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        try:
            code = process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=STOP_TIMEOUT_S)
            raise RuntimeError(f"the emulator did not stop:\n{self.stderr()}") from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
            if self._stderr is not None:
                self._stderr.close()
        return code

    def kill(self) -> None:
        """SIGKILL: what a crash leaves behind stays as it is."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM, and wait; returns the exit code. The root stays."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start again on the same root and port; stops it first if it still runs."""
        port = self.port
        if self._process is not None:
            self.terminate()
        self.start(port=port)

    def stop(self) -> None:
        """Stop it if it runs, and remove the root if it is ours."""
        try:
            self._end(signal.SIGTERM)
        finally:
            if self._owns_root:
                shutil.rmtree(self.root, ignore_errors=True)
                (self.root.parent / f"{self.root.name}.stderr").unlink(missing_ok=True)

    def env(self) -> dict[str, str]:
        """The environment that points AWS clients (and nothing else) at this emulator.

        It tells the command, too, how long to look for what this service doesn't show.
        """
        own = {"TURBOUPLOAD_LISTING_LAG": LISTING_LAG}
        return client_environment(self.endpoint_url, self.ca_bundle) | own

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One call to the emulator's own control routes, `/_emulator/{path}`."""
        return control(self.endpoint_url, method, path, body, ca_bundle=self.ca_bundle)

    def stats(self) -> dict[str, Any]:
        """What was received since the start or the last `reset_stats`."""
        return cast(dict[str, Any], self.admin("GET", "stats"))

    def reset_stats(self) -> None:
        """Count from zero again."""
        self.admin("POST", "stats/reset")

    def set_faults(self, rules: Sequence[dict[str, Any]]) -> None:
        """Replace all fault rules."""
        self.admin("POST", "faults", {"rules": list(rules), "mode": "replace"})

    def add_faults(self, rules: Sequence[dict[str, Any]]) -> None:
        """Put further rules after the present ones."""
        self.admin("POST", "faults", {"rules": list(rules), "mode": "append"})

    def clear_faults(self) -> None:
        """Misbehave no more."""
        self.admin("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        """The rules with how often each may still fire."""
        return cast(list[dict[str, Any]], self.admin("GET", "faults")["rules"])

    def world(self) -> dict[str, Any]:
        """How the service behaves: every member of `turboupload.emulator.world.World`."""
        return cast(dict[str, Any], self.admin("GET", "world"))

    def set_world(self, **members: Any) -> None:
        """Let the service behave otherwise from now on, as members of `World` say."""
        self.admin("POST", "world", members)

    def reset_world(self) -> None:
        """Back to the world it was started with."""
        self.admin("DELETE", "world")
