"""What can be found out over the network, with calls that change nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import anyio

from turboupload import operations
from turboupload.config import UploadConfig
from turboupload.core.doctor.facts import Asked, Caller, Credentials, HostLook, ServiceLook
from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.core.model import PartSource
from turboupload.core.rate.retry import explain
from turboupload.core.records import SequenceStoreDetails
from turboupload.core.store_names import only_store_called
from turboupload.errors import (
    CallFailed,
    ConfigError,
    LinkFailed,
    ServiceRefused,
    Stopped,
    TurbouploadError,
)
from turboupload.http.probe import Probe
from turboupload.limits import ID
from turboupload.omics.base import NOT_FOUND, UploadRef
from turboupload.omics.client import OmicsClient
from turboupload.omics.connection import Connection
from turboupload.omics.opening import open_connection
from turboupload.omics.pager import all_pages
from turboupload.operations import Operation

__all__ = ["look_at_service"]

T = TypeVar("T")

CREDENTIALS_S: Final = 3.0
"""How long credentials may take, in seconds: outside of EC2 the metadata service costs two."""

LEAST_S: Final = 0.5
"""What is left of that in any case, in seconds, once the client is made."""

STEP_S: Final = 2.5
"""How long a host, a call or the token service may take, in seconds."""

MADE_UP: Final = "0" * 10
"""An id that is probably not in use; if it is, the resource is only read."""


async def look_at_service(config: UploadConfig, store: str | None) -> ServiceLook:
    """Credentials, hosts and harmless calls, side by side; it takes less than eight seconds.

    Args:
        config: How to reach the service.
        store: The store's id or name.

    Raises:
        ConfigError: A setting makes no sense.
    """
    brief = replace(config, connect_timeout_s=STEP_S, stall_timeout_s=STEP_S)
    began = time.monotonic()
    try:
        async with (
            asyncio.timeout(CREDENTIALS_S) as limit,
            open_connection(brief, workers=2) as connection,
        ):
            limit.reschedule(None)
            spent_s = time.monotonic() - began
            return await _look(connection, store, max(LEAST_S, CREDENTIALS_S - spent_s))
    except (ServiceRefused, Stopped) as error:  # the credentials can't be had
        refused: TurbouploadError = error
    except TimeoutError:
        refused = _too_slow()
    async with open_connection(brief, workers=2, anonymous=True) as connection:
        return ServiceLook(
            place=connection.where,
            endpoint=connection.endpoint,
            credentials=None,
            credentials_error=refused,
            hosts=await _hosts(connection),
        )


def _too_slow() -> ServiceRefused:
    return ServiceRefused(
        f"the credentials did not come within {CREDENTIALS_S:g} s",
        code="NoCredentials",
        hint="check their source: a credential_process, AWS's token service, or the metadata "
        "service",
    )


def _not_had(failure: LinkFailed) -> TurbouploadError:
    """Why credentials could not be obtained; an error of the network is not the service's."""
    if failure.fault == "credentials":
        return explain(failure, answered_before=False)
    return ServiceRefused(
        f"the credentials can't be obtained: {failure.message}",
        code="NoCredentials",
        hint=failure.hint or "check the network on the way to what gives them",
    )


async def _look(connection: Connection, store: str | None, within_s: float) -> ServiceLook:
    """Looks at everything.

    Args:
        connection: To the service.
        store: The store's id or name.
        within_s: How long credentials may take, in seconds.
    """
    caller = Caller(unknown="no credentials")
    hosts: tuple[HostLook, ...] = ()
    found = ServiceLook(place=connection.where, endpoint=connection.endpoint, credentials=None)
    refused: TurbouploadError | None = None
    credentials: Credentials | None = None
    try:
        async with asyncio.timeout(within_s):
            credentials = await connection.identity.credentials()
    except LinkFailed as failure:
        refused = _not_had(failure)
    except TimeoutError:
        refused = _too_slow()
    if refused is not None:
        return replace(found, credentials_error=refused, hosts=await _hosts(connection))

    async def find_caller() -> None:
        nonlocal caller
        caller = Caller(unknown=f"the token service gave no answer within {STEP_S:g} s")
        with anyio.move_on_after(STEP_S):
            caller = await connection.identity.caller(connection.region)

    async def find_hosts() -> None:
        nonlocal hosts
        hosts = await _hosts(connection)

    async def ask() -> None:
        nonlocal found
        found = await _Asking(connection).ask(found, store)

    async with anyio.create_task_group() as group:
        group.start_soon(find_hosts)
        if credentials is not None:
            group.start_soon(find_caller)
            group.start_soon(ask)
    return replace(
        found, credentials=credentials, caller=caller, hosts=hosts, skew_s=_skew(connection)
    )


def _skew(connection: Connection) -> float | None:
    """How much this machine's clock is ahead of the service's, in seconds."""
    theirs = connection.time_of_any.earliest_now()
    return None if theirs is None else time.time() - theirs.timestamp()


async def _hosts(connection: Connection) -> tuple[HostLook, ...]:
    found: dict[str, HostLook] = {}

    async def reach(role: str, url: str) -> None:
        found[role] = _host(role, await connection.probe(url, STEP_S))

    async with anyio.create_task_group() as group:
        for role, url in connection.hosts.items():
            group.start_soon(reach, role, url)
    return tuple(found[role] for role in connection.hosts)


def _host(role: str, seen: Probe) -> HostLook:
    route = seen.route
    proxy = None if route.proxy is None else f"{route.proxy.host}:{route.proxy.port}"
    return HostLook(
        role=role,
        host=route.host,
        port=route.port,
        proxy=proxy,
        addresses=seen.addresses,
        # An address needs no look-up.
        resolve_s=None if seen.addresses == (route.host,) else seen.took_s.get("resolve"),
        connect_s=seen.took_s.get("connect"),
        tls_s=seen.took_s.get("tls"),
        tls=seen.tls,
        failed=seen.failed,
        message=seen.message,
    )


class _Asking:
    """Makes each harmless call once.

    Args:
        connection: To the service.
    """

    def __init__(self, connection: Connection) -> None:
        self._client = OmicsClient(connection)
        self._where = connection.where
        self._endpoint = connection.endpoint
        self._asked: dict[str, Asked] = {}

    async def ask(self, look: ServiceLook, store: str | None) -> ServiceLook:
        """Asks what can be asked; returns what was found with the answers.

        Args:
            look: What was found so far.
            store: The store's id or name.
        """
        found: SequenceStoreDetails | None = None
        error: TurbouploadError | None = None
        if store is not None and not ID.fullmatch(store):
            rows = await self._make(operations.LIST_STORES, lambda: self._stores_named(store))
            if rows is not None:
                try:
                    found = await self._ask_store(only_store_called(store, rows, self._where))
                except ConfigError as wrong:
                    error = wrong
            if isinstance(refusal := self._failure(operations.LIST_STORES), CallFailed):
                error = explain(refusal, endpoint=self._endpoint)
        else:
            everything = SequenceStoreFilter()
            async with anyio.create_task_group() as group:
                group.start_soon(
                    self._make,
                    operations.LIST_STORES,
                    lambda: self._client.list_sequence_stores(everything, page_size=1),
                )
                if store is not None:
                    found = await self._ask_store(store)
        missing = self._failure(operations.GET_STORE)
        if error is None and isinstance(missing, CallFailed) and missing.code == NOT_FOUND:
            explained = explain(missing, endpoint=self._endpoint)
            explained.message = f"store {store} was not found ({missing.code})"
            error = explained
        asked = tuple(self._asked[name] for name in _ORDER if name in self._asked)
        return replace(look, asked=asked, named=store is not None, store=found, store_error=error)

    async def _stores_named(self, name: str) -> list[SequenceStoreDetails]:
        """Of all pages: the service may look for part of a name, or make a page of a few rows."""
        ask = partial(self._client.list_sequence_stores, SequenceStoreFilter(name=name))
        return [row async for page in all_pages(ask) for row in page.rows]

    async def _ask_store(self, store_id: str) -> SequenceStoreDetails | None:
        """The calls about a store, side by side; returns the store."""
        client, details = self._client, None

        async def get_store() -> None:
            nonlocal details
            details = await self._make(
                operations.GET_STORE, lambda: client.get_sequence_store(store_id)
            )

        nothing = UploadRef(store_id, MADE_UP)
        calls: list[tuple[Operation, Callable[[], Awaitable[object]], bool]] = [
            (operations.LIST_READ_SETS,
             lambda: client.list_read_sets(store_id, ReadSetFilter(), page_size=1), False),
            (operations.LIST_UPLOADS, lambda: client.list_uploads(store_id, page_size=1), False),
            (operations.LIST_PARTS, lambda: client.list_parts(nothing, PartSource.SOURCE1), True),
            (operations.GET_READ_SET, lambda: client.get_read_set(store_id, MADE_UP), True),
            (operations.LIST_IMPORT_JOBS,
             lambda: client.list_import_jobs(store_id, ImportJobFilter(), page_size=1), False),
        ]  # fmt: skip
        async with anyio.create_task_group() as group:
            group.start_soon(get_store)
            for operation, call, made_up in calls:
                group.start_soon(self._make, operation, call, made_up)
        return details

    async def _make(
        self, operation: Operation, call: Callable[[], Awaitable[T]], made_up: bool = False
    ) -> T | None:
        """Makes a call once, and notes what it ended with; None where it failed."""
        failure: CallFailed | LinkFailed | None = None
        result: T | None = None
        try:
            async with asyncio.timeout(STEP_S):
                result = await call()
        except (CallFailed, LinkFailed) as error:
            failure = error
        except TimeoutError:
            message = f"no answer within {STEP_S:g} s"
            failure = LinkFailed(operation.name, fault="stalled", message=message)
        self._asked[operation.name] = Asked(
            operation=operation.name, made_up=made_up, failure=failure
        )
        return result

    def _failure(self, operation: Operation) -> CallFailed | LinkFailed | None:
        asked = self._asked.get(operation.name)
        return None if asked is None else asked.failure


_ORDER: Final = tuple(
    each.name
    for each in (
        operations.LIST_READ_SETS,
        operations.LIST_UPLOADS,
        operations.LIST_PARTS,
        operations.GET_READ_SET,
        operations.GET_STORE,
        operations.LIST_STORES,
        operations.LIST_IMPORT_JOBS,
    )
)
