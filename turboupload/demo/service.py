"""The local service in a process of its own, and its counts of what it received."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from turboupload.emulator.access import client_environment, control
from turboupload.errors import ConfigError

__all__ = ["LocalService"]

READY_S = 30.0
STOP_S = 10.0
_FOREIGN = ("AWS_", "TURBOUPLOAD_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class LocalService:
    """Runs `python -m turboupload.emulator --tls` while the context lasts.

    Args:
        root: Its data folder, which stays.
        log: The file for its stderr.
        references: FASTA files by reference ARN, for decoding CRAM.

    Attributes:
        endpoint_url: Where it listens.
        store_id: Its sequence store.
        ca_bundle: The certificate authority to trust.
    """

    def __init__(self, root: Path, log: Path, references: dict[str, Path]) -> None:
        self._log = log
        self._command = [sys.executable, "-m", "turboupload.emulator", "--tls", "--root", str(root)]
        self._command += ["--ingest-delay", "0.3"]
        for arn, fasta in references.items():
            self._command += ["--reference", f"{arn}={fasta}"]
        self._process: subprocess.Popen[str] | None = None
        self.endpoint_url = ""
        self.store_id = ""
        self.ca_bundle = ""

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_own_environment(),
            )
        try:
            ready = json.loads(self._first_line())
            self.endpoint_url = ready["endpoint_url"]
            self.store_id = ready["store_id"]
            self.ca_bundle = ready["ca_bundle"]
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _first_line(self) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        stdout = process.stdout
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=READY_S)
        except queue.Empty:
            line = ""
        if not line:
            raise ConfigError(
                "the local service did not start", path=str(self._log), hint="its log says why"
            )
        return line

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def environment(self, state: Path) -> dict[str, str]:
        """The environment that makes AWS clients use this service and no other.

        Args:
            state: The folder of the client's journal.
        """
        reached = client_environment(self.endpoint_url, self.ca_bundle)
        return {**_own_environment(), **reached, "TURBOUPLOAD_STATE_DIR": str(state)}

    def stop_answering(self, *, after: int, seconds: float, after_bytes: int) -> None:
        """Accepts `after` parts, then reads `after_bytes` of each further one and doesn't answer.

        Args:
            after: The number of parts to accept.
            seconds: How long the service doesn't answer.
            after_bytes: The bytes read of a part before that.
        """
        action = {"type": "stall", "seconds": seconds, "afterBytes": after_bytes}
        rule = {"operation": "UploadReadSetPart", "after": after, "times": None, "action": action}
        self._admin("POST", "faults", [rule])

    def answer_again(self) -> None:
        """Makes the service answer again."""
        self._admin("DELETE", "faults")

    def received(self) -> tuple[int, int]:
        """The number of stored parts, and of bytes of parts received in total."""
        stats = self._admin("GET", "stats")
        # Requests of a killed client still count as running while the service doesn't answer.
        cut_off = [row for row in stats["underWay"] if row["operation"] == "UploadReadSetPart"]
        received = sum(row["bodyBytes"] for row in [*stats["parts"], *cut_off])
        return sum(row["stored"] for row in stats["parts"]), received

    def _admin(self, method: str, path: str, body: object = None) -> Any:
        return control(self.endpoint_url, method, path, body, ca_bundle=self.ca_bundle)


def _own_environment() -> dict[str, str]:
    """Our environment without variables that would change the demo."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
