"""Opens the connection: options, environment and profile make a client and a part transport."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from turboupload.omics.connection import (
    Connection,  # first, as aiohttp's import there is a quick one
)

# isort: split
import aiobotocore.config
import botocore.exceptions
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.httpsession import get_cert_path
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from turboupload import __version__
from turboupload.config import UploadConfig
from turboupload.core.rate.retry import explain
from turboupload.environment import check_environment
from turboupload.errors import ConfigError, TurbouploadError
from turboupload.http.tls import client_context
from turboupload.http.transport import PartTransport, TransportConfig, TransportError
from turboupload.omics.botocore_data import load_quickly
from turboupload.omics.botocore_events import Session
from turboupload.omics.error_mapping import NoCredentials, credentials_failed
from turboupload.omics.http_session import ControlSession
from turboupload.omics.replies import timestamp_or_none
from turboupload.omics.resolver import Resolver
from turboupload.omics.surroundings import ca_bundle, credential_program, proxies, region
from turboupload.omics.told_credentials import ToldCredentials, profile_of, region_of
from turboupload.runtime.exhaustion import trouble_here
from turboupload.runtime.tasks import beside

if TYPE_CHECKING:
    from turboupload.omics.identity import Identity
    from turboupload.omics.temporary_credentials import TemporaryCredentials

__all__ = ["open_connection"]

_AWS_HOST = "https://storage-omics.{}.amazonaws.com"
"""The host name for NO_PROXY if the endpoint is AWS's own."""

_MISCONFIGURED = (
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.InvalidRegionError,
    botocore.exceptions.InvalidConfigError,
)

_NOBODY = {"aws_access_key_id": "-", "aws_secret_access_key": "-"}
"""Keeps botocore from looking for credentials; nothing is signed with them."""


@asynccontextmanager
async def open_connection(
    config: UploadConfig,
    *,
    workers: int,
    pace: Callable[[int], float] | None = None,
    anonymous: bool = False,
) -> AsyncIterator[Connection]:
    """Opens the client and the part transport.

    Args:
        config: Region, profile, endpoint, certificates and time-outs.
        workers: The most parts in flight.
        pace: Called with each chunk's size in bytes before it is sent; returns how long to wait, in
            seconds.
        anonymous: Look for no credentials: enough to probe hosts, and for no call.

    Raises:
        ConfigError: The Region, the profile or a certificate file is missing or wrong.
        ServiceRefused: The credentials can't be loaded.
        Stopped: This machine has no more files or memory.
    """
    async with AsyncExitStack() as stack:
        try:
            connection = await _connect(
                stack, config, workers=workers, pace=pace, anonymous=anonymous
            )
        except (botocore.exceptions.BotoCoreError, TransportError, OSError, MemoryError) as error:
            raise _not_opened(error) from error
        yield connection


async def _connect(
    stack: AsyncExitStack,
    config: UploadConfig,
    *,
    workers: int,
    pace: Callable[[int], float] | None,
    anonymous: bool,
) -> Connection:
    """As `open_connection`; the stack closes what was opened."""
    theirs = config.session
    check_environment(os.environ, credentials=config.profile is None and theirs is None)
    session = Session(profile=config.profile or profile_of(theirs))
    load_quickly(session)
    session.get_component("response_parser_factory").set_parser_defaults(
        timestamp_parser=timestamp_or_none
    )
    if theirs is not None:
        config = replace(config, region=config.region or region_of(theirs))
        session.register_component("credential_provider", ToldCredentials(theirs))
    if not anonymous:
        await _find_credentials(session)
    endpoint = config.endpoint_url or _configured_endpoint(session)
    if endpoint is not None:
        _check_endpoint(endpoint)
    bundle = ca_bundle(config, session)
    authorities = bundle or get_cert_path(True)
    load_authorities = partial(client_context, ca_bundle=authorities, verify=config.verify_tls)
    # As soon as it is known which: to load the system's takes as long as all that follows.
    tls = await stack.enter_async_context(beside(load_authorities))
    told_region = await region(config, session, custom_endpoint=endpoint is not None)
    between = proxies(endpoint or _AWS_HOST.format(told_region), os.environ)
    verify = bundle if config.verify_tls else False
    transport_config = _transport_config(config, authorities, between, workers)
    client = await stack.enter_async_context(
        session.create_client(
            "omics",
            region_name=told_region,
            endpoint_url=config.endpoint_url,
            verify=verify,
            config=_client_config(
                config, between, tls.result, custom_endpoint=endpoint is not None
            ),
            **(_NOBODY if anonymous else {}),
        )
    )
    transport = await stack.enter_async_context(
        PartTransport(transport_config, tls=await tls, pace=pace)
    )
    events = client.meta.events
    # aiohttp's own time-outs don't cover a peer that stops reading, which can happen to a
    # Complete of 20,000 parts.
    timeout_s = config.connect_timeout_s + 2 * config.stall_timeout_s

    def identity() -> Identity:
        from turboupload.omics.identity import Identity  # only `doctor` asks

        return Identity(
            session,
            custom_endpoint=endpoint is not None,
            client_config=partial(_config_for, config, tls.result),
            verify=verify,
        )

    async def credentials() -> TemporaryCredentials | None:
        from turboupload.omics.temporary_credentials import temporary_credentials

        return await temporary_credentials(session)  # only a cluster asks

    connection = Connection(
        client,
        transport,
        endpoint=endpoint,
        timeout_s=timeout_s,
        identity=identity,
        credentials=credentials,
    )
    events.register("before-sign.omics.UploadReadSetPart", connection.leave_unsigned)
    events.register("before-send.omics", connection.send_request)
    events.register("before-parse.omics", connection.take_reply)
    return connection


def _not_opened(error: Exception) -> TurbouploadError:
    """Why no client could be made: that only reads files and the environment, and sends nothing."""
    if (trouble := trouble_here(error)) is not None:
        return trouble
    match error:
        case botocore.exceptions.NoRegionError():
            return ConfigError(
                "no AWS Region is set", hint="set --region, AWS_REGION, or a region in the profile"
            )
        case TransportError():
            return ConfigError(error.message, hint="check --ca-bundle and AWS_CA_BUNDLE")
        case _ if isinstance(error, _MISCONFIGURED):
            return ConfigError(str(error), hint="check --profile, --region and ~/.aws/config")
        case _:
            return ConfigError(
                f"{type(error).__name__}: {error}", hint="check ~/.aws/config and the packages"
            )


async def _find_credentials(session: Any) -> None:
    """Loads the credentials that the session's clients sign with, and marks their errors.

    Raises:
        ServiceRefused: The credentials can't be loaded.
    """
    try:
        credentials = await session.get_credentials()
    except _MISCONFIGURED:
        raise
    except Exception as error:
        failure = credentials_failed("credentials", error, program=credential_program(session))
        raise explain(failure, answered_before=False) from error
    if credentials is None:
        return
    frozen = credentials.get_frozen_credentials

    async def get_frozen_credentials() -> Any:
        # Credentials are renewed within a call, so mark their errors: they aren't the call's.
        try:
            found = await frozen()
            if not (isinstance(found.access_key, str) and isinstance(found.secret_key, str)):
                raise TypeError("the keys are no text")
        except Exception as error:
            raise NoCredentials(credential_program(session)) from error
        return found

    credentials.get_frozen_credentials = get_frozen_credentials


def _check_endpoint(endpoint: str) -> None:
    """Refuses an endpoint that isn't a plain URL, before a message can print it.

    Raises:
        ConfigError: It isn't plain; the message leaves out any password.
    """
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        usable = usable and parts.username is None and _takes(endpoint)
    except ValueError:
        usable = None
    if not usable:
        # The text after an @ is no password.
        raise ConfigError(
            f"the endpoint {endpoint.rsplit('@', 1)[-1]!r} is not a plain URL of http or https",
            hint="check --endpoint-url and AWS_ENDPOINT_URL_OMICS; it looks like https://HOST, "
            "and HOST has letters, digits, dots and hyphens",
        )


def _takes(endpoint: str) -> bool:
    """Whether botocore will: it wants a host of letters, digits, dots and hyphens."""
    return is_valid_endpoint_url(endpoint) or is_valid_ipv6_endpoint_url(endpoint)


def _configured_endpoint(session: Any) -> str | None:
    """The endpoint that the environment or the profile sets, by botocore's rules."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    provider = ConfiguredEndpointProvider(
        full_config=session.full_config,
        scoped_config=session.get_scoped_config(),
        client_name="omics",
    )
    found = provider.provide()
    return str(found) if found else None


def _client_config(
    config: UploadConfig,
    between: Mapping[str, str],
    tls: Callable[[], ssl.SSLContext],
    *,
    custom_endpoint: bool,
) -> Any:
    # Only AWS's own hosts have the host prefixes (control-storage-, storage-).
    prefix = {"inject_host_prefix": False} if custom_endpoint else {}
    return aiobotocore.config.AioConfig(
        connect_timeout=config.connect_timeout_s,
        read_timeout=config.stall_timeout_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
        connector_args={"resolver": Resolver(config.connect_timeout_s)},
        http_session_cls=partial(ControlSession, tls),
        proxies=between,
        max_pool_connections=16,
        user_agent_extra=f"turboupload/{__version__}",
        **prefix,
    )


def _config_for(config: UploadConfig, tls: Callable[[], ssl.SSLContext], url: str) -> Any:
    """The configuration of a client of another service."""
    return _client_config(config, proxies(url, os.environ), tls, custom_endpoint=False)


def _transport_config(
    config: UploadConfig, authorities: str | None, between: Mapping[str, str], workers: int
) -> TransportConfig:
    return TransportConfig(
        ca_bundle=authorities,
        verify=config.verify_tls,
        proxies=between,
        workers=workers,
        chunk_bytes=config.chunk_bytes,
        connect_timeout_s=config.connect_timeout_s,
        stall_timeout_s=config.stall_timeout_s,
        reply_timeout_s=config.stall_timeout_s,
    )
