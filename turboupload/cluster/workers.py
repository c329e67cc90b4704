"""The workers of a Dask cluster, as a batch's coordinator sees them."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from anyio import to_thread

from turboupload.cluster.messages import Job
from turboupload.config import UploadConfig
from turboupload.core.notices import Notice
from turboupload.engine import Engine
from turboupload.errors import ConfigError
from turboupload.runtime.processors import processors

if TYPE_CHECKING:
    import distributed

    from turboupload.cluster.dispatcher import Dispatcher

__all__ = ["DaskWorkers"]

LOCAL: Final = "local"
MOST_LOCAL: Final = 64
ENCRYPTED: Final = ("tls://", "inproc://")


class DaskWorkers:
    """The workers of a Dask cluster, to which `upload_batch` gives rows; see its `elsewhere`.

    Args:
        where: A `distributed.Client` or cluster, whose scheduler is used, over a connection of our
            own; a scheduler's address, such as `tcp://HOST:8786` or `tls://HOST:8786`; or `local`
            and `local:4` for so many processes of this machine. None takes `scheduler_file`.
        scheduler_file: The file that a scheduler has written its address to.
        spread_bytes: A row of at least so many bytes is spread: several workers send its parts, and
            this machine, which must see its files, too, does the rest. None spreads none.
        credentials: `own` has each worker find its own; `coordinator` hands those of this machine
            over, if they end by themselves, over TLS and sealed for each worker.

    Raises:
        ConfigError: It is none of these.

    Example:
        ```python
        async with distributed.Client("tcp://scheduler:8786", asynchronous=True) as client:
            await turboupload.upload_batch(
                sheet, store_id="1234567890", elsewhere=turboupload.DaskWorkers(client)
            )
        ```
    """

    def __init__(
        self,
        where: Any = None,
        *,
        scheduler_file: str | os.PathLike[str] | None = None,
        spread_bytes: int | None = None,
        credentials: Literal["own", "coordinator"] = "own",
    ) -> None:
        if (where is None) == (scheduler_file is None):
            raise ConfigError(
                "name a Dask cluster by its address or by a scheduler file, not by both"
            )
        if spread_bytes is not None and spread_bytes < 1:
            raise ConfigError(f"spread_bytes is a size in bytes, not {spread_bytes!r}")
        if credentials not in ("own", "coordinator"):
            raise ConfigError(f"credentials are `own` or `coordinator`, not {credentials!r}")
        self._hand_over = credentials == "coordinator"
        self._spread_bytes = spread_bytes
        self._file = os.fspath(scheduler_file) if scheduler_file is not None else None
        self._local = 0
        self._address: str | None = None
        self._security: Any = None
        if isinstance(where, str):
            self._take_text(where)
        elif where is not None:
            scheduler = getattr(where, "scheduler", None)
            address = getattr(where, "scheduler_address", None) or getattr(
                scheduler, "address", None
            )
            if not isinstance(address, str):
                raise ConfigError(f"a Dask client, cluster or address is wanted, not {where!r}")
            self._address, self._security = address, getattr(where, "security", None)

    def _take_text(self, text: str) -> None:
        word, _, count = text.partition(":")
        if word == LOCAL:
            if count and not (count.isdecimal() and 1 <= int(count) <= MOST_LOCAL):
                raise ConfigError(f"{text!r}: local:N is for 1 to {MOST_LOCAL} processes")
            self._local = int(count) if count else processors()
        elif "://" in text and "@" not in text:
            self._address = text
        else:
            raise ConfigError(
                "a Dask scheduler's address is like tcp://HOST:8786, or `local` for this machine"
            )

    @property
    def _secure(self) -> bool:
        """Whether the connection to the workers is private."""
        return bool(self._local) or (self._address or "").startswith(ENCRYPTED)

    @asynccontextmanager
    async def opened(
        self, engine: Engine, store_id: str, tell: Callable[[Notice], None]
    ) -> AsyncIterator[Dispatcher]:
        """Connects, examines the workers, and watches them; see `Elsewhere`.

        Raises:
            ConfigError: There is no scheduler, or no worker that can send; the message says why.
        """
        try:
            # Takes half a second to import, and is an extra.
            from turboupload.cluster.dispatcher import Dispatcher
        except ImportError as error:
            raise ConfigError(
                f"Dask can't be imported: {error}", hint="pip install 'turboupload[dask]'"
            ) from error
        _refuse_secrets(engine.config, secure=self._secure, hand_over=self._hand_over)
        config = _with_whole_paths(engine.config)
        if self._hand_over and engine.access is not None:
            config = replace(config, session=None, profile=None, region=engine.access.region)
        job = Job(
            config=config,
            store_id=store_id,
            coordinator=socket.gethostname(),
            topic=f"turboupload-{secrets.token_hex(8)}",
        )
        async with AsyncExitStack() as stack:
            address, security = self._address, self._security
            if self._local:
                cluster = await stack.enter_async_context(_local_cluster(self._local))
                address, security = cluster.scheduler_address, cluster.security

            async def connect() -> distributed.Client:
                return await self._connected(address, security, engine.config)

            dispatcher = Dispatcher(
                connect,
                engine,
                job,
                tell,
                spread_bytes=self._spread_bytes,
                hand_over=self._hand_over,
            )
            await stack.enter_async_context(dispatcher)
            yield dispatcher

    async def _connected(
        self, address: str | None, security: Any, config: UploadConfig
    ) -> distributed.Client:
        """A connection to the scheduler.

        Raises:
            OSError: It can't be reached.
        """
        more = {"scheduler_file": self._file} if address is None else {"address": address}
        import distributed

        if self._file is not None and not await to_thread.run_sync(os.path.exists, self._file):
            raise FileNotFoundError(f"{self._file} is not there")  # Dask would wait for it for ever
        client = distributed.Client(
            **more,
            asynchronous=True,
            set_as_default=False,
            security=security,
            timeout=config.connect_timeout_s,
            name="turboupload",
        )
        try:
            await client
            if self._hand_over:
                _refuse_plain(str(getattr(client.scheduler, "address", "")))
        except BaseException:
            await client.close(2)
            raise
        return client


def _local_cluster(processes: int) -> distributed.LocalCluster:
    import distributed

    return distributed.LocalCluster(
        n_workers=processes,
        threads_per_worker=1,
        processes=True,
        asynchronous=True,
        # Anyone who can connect to a scheduler can run programs as its user: other users must not.
        security=distributed.Security.temporary(),
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


def _with_whole_paths(config: UploadConfig) -> UploadConfig:
    """The same, whatever folder a process works in."""
    names = ("ca_bundle", "reference_fasta", "state_dir")
    given = {name: value for name in names if (value := getattr(config, name)) is not None}
    if config.quota_file is not None:
        given["quota_share"] = config.quota_file
    whole: dict[str, Any] = {name: Path(value).absolute() for name, value in given.items()}
    whole["md5"] = [Path(each).absolute() for each in config.manifests]
    return replace(config, **whole)


def _refuse_plain(address: str) -> None:
    """Refuses a scheduler to which credentials would go unencrypted.

    Raises:
        ConfigError: It is one.
    """
    if not address.startswith(ENCRYPTED):
        raise ConfigError(
            f"credentials are handed over encrypted connections only, and this is {address}",
            hint="give scheduler and workers certificates, and connect with tls://; or give the "
            "workers credentials of their own",
        )


def _refuse_secrets(config: UploadConfig, *, secure: bool, hand_over: bool) -> None:
    """Refuses what would give secrets away.

    Raises:
        ConfigError: It would.
    """
    if config.session is not None and not hand_over:
        raise ConfigError(
            "the credentials of a session stay in this process, and Dask's workers use their own",
            hint="leave the session out, and give the workers a role, a profile or a file; or have "
            'them get the session\'s, with `credentials="coordinator"`',
        )
    if "@" in str(config.quota_share or "") and config.shares_in_redis and not secure:
        raise ConfigError(
            "the URL of the shared quota has a password, and the workers would get it unencrypted",
            hint="connect with tls://, or share the quota in a file, or without a password",
        )
