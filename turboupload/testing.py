"""A HealthOmics for tests, in the test's own process: `turboupload emulator` as a context manager.

`turboupload.pytest_plugin` makes fixtures of it; `docs/testing.md` shows how clients reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from turboupload.config import UploadConfig
from turboupload.emulator.access import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    client_environment,
    control,
)

if TYPE_CHECKING:
    from turboupload.emulator.config import EmulatorConfig
    from turboupload.emulator.emulator import Ready

__all__ = ["Emulator", "Faults"]

LISTING_LAG_S: Final = 1.0
"""How long the uploader looks for what isn't listed: this service lists at once what it has."""

_WAIT_S = 30.0

_UNSET = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_CA_BUNDLE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)  # fmt: skip
"""The variables that would lead a client to another service."""


class Emulator:
    """A local HealthOmics that runs as long as a `with` or an `async with` block.

    It has threads of its own, so that blocking clients and async ones reach it alike, and listens
    on a free port of the loopback. `pip install 'turboupload[emulator]'` brings what it needs.

    Args:
        root: Its data folder; by default a temporary one, removed at the end.
        tls: Serve HTTPS; `ca_bundle` is the authority to trust.
        quotas: `real` throttles as the service documents it, `off` never.
        ingest_delay_s: From Complete to the work on the read set, in seconds.
        faults: Rules to start with; see `Faults.add`.
        s3_root: The folder whose sub-folders are the buckets of import jobs.
        references: FASTA files by reference ARN, for CRAM.
        world: How it behaves where the service's behaviour isn't known, by the names of
            `turboupload.emulator.world.World`.

    Attributes:
        endpoint_url: For clients.
        store_id: Of its default sequence store.
        ca_bundle: With `tls`, the authority's file.
        faults: Makes it misbehave.

    Raises:
        RuntimeError: A package that it needs is missing, or it can't start; or it is asked for
            outside of its `with`, or entered a second time within.
        ValueError: `quotas` is neither of the two.

    Example:
        ```python
        with turboupload.testing.Emulator() as healthomics, healthomics.environment():
            boto3.client("omics").list_sequence_stores()
        ```
    """

    def __init__(
        self,
        *,
        root: str | os.PathLike[str] | None = None,
        tls: bool = False,
        quotas: Literal["real", "off"] = "off",
        ingest_delay_s: float = 0.0,
        faults: Sequence[Mapping[str, Any]] = (),
        s3_root: str | os.PathLike[str] | None = None,
        references: Mapping[str, str | os.PathLike[str]] | None = None,
        world: Mapping[str, Any] | None = None,
    ) -> None:
        if quotas not in ("real", "off"):
            raise ValueError(f"quotas are 'real' or 'off', not {quotas!r}")
        self._root = None if root is None else Path(root).absolute()
        self._world = {"ingest_delay_s": ingest_delay_s, **(world or {})}
        self._options: dict[str, Any] = {
            "tls": tls,
            "quotas": quotas,
            "faults": tuple(faults),
            "s3_root": None if s3_root is None else Path(s3_root),
            "references": {arn: Path(path) for arn, path in (references or {}).items()},
        }
        self._stack = contextlib.ExitStack()
        self._running = False
        self.endpoint_url = ""
        self.store_id = ""
        self.ca_bundle: str | None = None
        self.faults = Faults(self)

    # --- from begin to end ------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._running:
            raise RuntimeError("this Emulator is entered already")
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
            self._running = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        self._stack.close()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _start(self, stack: contextlib.ExitStack) -> None:
        try:
            from turboupload.emulator.config import EmulatorConfig
            from turboupload.emulator.emulator import temporary_root
            from turboupload.emulator.world import World
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        folder = stack.enter_context(temporary_root())
        self._state_dir = folder / "uploader"
        world = World().changed(self._world)
        config = EmulatorConfig(root=self._root or folder / "root", world=world, **self._options)
        server = _Server(config)
        stack.callback(server.stop)
        ready = server.start()
        self.endpoint_url, self.store_id = ready.endpoint_url, ready.store_id
        self.ca_bundle = str(ready.ca_bundle) if ready.ca_bundle else None

    # --- how clients reach it ---------------------------------------------------------------

    def env(self) -> dict[str, str]:
        """The variables that lead every AWS client, and turboupload, here and nowhere else."""
        self._require_running()
        return client_environment(self.endpoint_url, self.ca_bundle) | {
            "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"])),
            "TURBOUPLOAD_STATE_DIR": str(self._state_dir),
            "TURBOUPLOAD_LISTING_LAG": f"{LISTING_LAG_S}s",
        }

    @contextlib.contextmanager
    def environment(self) -> Iterator[None]:
        """Sets `env()` in this process, and restores what was there in the end."""
        before, env = dict(os.environ), self.env()
        for name in _UNSET:
            os.environ.pop(name, None)
        os.environ.update(env)
        try:
            yield
        finally:
            for name in {*_UNSET, *env}:
                os.environ.pop(name, None)
                if name in before:
                    os.environ[name] = before[name]

    def upload_config(self, **more: Any) -> UploadConfig:
        """An `UploadConfig` for this service, whatever the environment says.

        Args:
            more: Further attributes, which go before.
        """
        self._require_running()
        about: dict[str, Any] = {
            "region": REGION,
            "endpoint_url": self.endpoint_url,
            "ca_bundle": self.ca_bundle,
            "listing_lag_s": LISTING_LAG_S,
            "state_dir": self._state_dir,
            "session": credentials,
        }
        return UploadConfig(**{**about, **more})

    # --- what it saw, and how it behaves ----------------------------------------------------

    def requests(self, operation: str) -> int:
        """How many requests of an operation came in, such as `UploadReadSetPart`."""
        seen = self.control("GET", "stats")["operations"].get(operation, {})
        return int(seen.get("requests", 0))

    def control(self, method: str, route: str, body: object = None) -> Any:
        """A call of its control routes; `turboupload.emulator.wire.admin` lists them.

        Raises:
            ValueError: It turned the call down.
        """
        self._require_running()
        return control(self.endpoint_url, method, route, body, ca_bundle=self.ca_bundle)

    def _require_running(self) -> None:
        if not self._running:
            raise RuntimeError("an Emulator is used inside `with`")


def credentials() -> tuple[str, str]:
    """The access key and its secret that every emulator takes; for `UploadConfig.session`."""
    return ACCESS_KEY, SECRET_KEY


class Faults:
    """Makes an emulator misbehave, from now on until `clear`.

    Each method takes the operation (`UploadReadSetPart`; None is any), and how many `times` it
    happens (None is for ever). Of several rules, the first that fits a request is taken.

    Args:
        emulator: Whose faults they are.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def throttle(self, operation: str | None = None, *, times: int | None = 1) -> None:
        """Answers with ThrottlingException."""
        self._act({"type": "error", "code": "ThrottlingException"}, operation, times)

    def fail(
        self,
        operation: str | None = None,
        *,
        code: str = "InternalServerException",
        times: int | None = 1,
    ) -> None:
        """Answers with an error of the API, such as `AccessDeniedException`."""
        self._act({"type": "error", "code": code}, operation, times)

    def bad_gateway(
        self, operation: str | None = None, *, status: int = 502, times: int | None = 1
    ) -> None:
        """Answers as a proxy before the service would, with a page of its own."""
        self._act({"type": "error", "status": status, "body": "<html>"}, operation, times)

    def lose_reply(self, operation: str | None = None, *, times: int | None = 1) -> None:
        """Does what was asked for, and closes the connection instead of answering."""
        self._act({"type": "lose_reply"}, operation, times)

    def drop(self, operation: str | None = None, *, times: int | None = 1) -> None:
        """Closes the connection, and does nothing."""
        self._act({"type": "drop"}, operation, times)

    def delay(self, operation: str | None = None, *, seconds: float, times: int | None = 1) -> None:
        """Answers so much later."""
        self._act({"type": "delay", "seconds": seconds}, operation, times)

    def stall(self, operation: str | None = None, *, seconds: float, times: int | None = 1) -> None:
        """Reads nothing of the request for so long."""
        self._act({"type": "stall", "seconds": seconds}, operation, times)

    def corrupt(self, *, times: int | None = 1) -> None:
        """Stores a part with one bit flipped."""
        self._act({"type": "corrupt"}, "UploadReadSetPart", times)

    def listing_lag(self, seconds: float) -> None:
        """Lets listings show what was there so long ago."""
        self.world(read_sets_lag_s=seconds, uploads_lag_s=seconds, parts_lag_s=seconds)

    def world(self, **members: Any) -> None:
        """Lets it behave otherwise where the service's behaviour isn't known.

        Args:
            members: Of `turboupload.emulator.world.World`, by name.
        """
        self._emulator.control("POST", "world", members)

    def add(self, rule: Mapping[str, Any]) -> None:
        """Adds a rule; `turboupload.emulator.wire.faults` has the table of all that it may say."""
        self._emulator.control("POST", "faults", {"rules": [dict(rule)], "mode": "append"})

    @property
    def fired(self) -> int:
        """How often a rule has been carried out."""
        rules = self._emulator.control("GET", "faults")["rules"]
        return sum(int(rule["fired"]) for rule in rules)

    def clear(self) -> None:
        """Behaves as at the start."""
        self._emulator.control("DELETE", "faults")
        self._emulator.control("DELETE", "world")

    def _act(self, action: Mapping[str, Any], operation: str | None, times: int | None) -> None:
        about = {} if operation is None else {"operation": operation}
        self.add({**about, "times": times, "action": dict(action)})


class _Server:
    """The emulator in a thread of its own, with an event loop of its own."""

    def __init__(self, config: EmulatorConfig) -> None:
        self._config = config
        self._ready: Future[Ready] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="healthomics", daemon=True)

    def start(self) -> Ready:
        self._thread.start()
        return self._ready.result(_WAIT_S)

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_WAIT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except ModuleNotFoundError as error:
            self._tell(_missing(error))
        except Exception as error:  # `start`, which waits for it, raises it
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        from turboupload.emulator.emulator import running

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with running(self._config, self._stop) as ready:
            self._ready.set_result(ready)
            await self._stop.wait()


def _missing(error: ModuleNotFoundError) -> RuntimeError:
    return RuntimeError(
        f"{error.name} is not installed; pip install 'turboupload[emulator]' brings it"
    )
