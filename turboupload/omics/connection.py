"""The connection to AWS HealthOmics, through aiobotocore: one attempt at a call.

`call.Caller` does the retries, because it limits them by time, sees each failure, and must know
when a Complete was repeated. `http` sends a part's bytes: aiobotocore prepares and signs
UploadReadSetPart like any other call, with an empty body, and the `before-send` event (botocore: a
handler that returns a response replaces the send) hands the request and its body (`attempt`) to the
transport.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from turboupload.omics import trust  # noqa: F401 # before aiobotocore, which imports aiohttp
from turboupload.value import Value

# isort: split
import aiobotocore.awsrequest
import aiobotocore.config
import botocore.exceptions
from botocore import xform_name
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.httpsession import get_cert_path
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from turboupload import __version__
from turboupload.config import UploadConfig
from turboupload.core.rate.retry import explain
from turboupload.environment import check_environment
from turboupload.errors import ConfigError, LinkFailed, TurbouploadError
from turboupload.http.tls import client_context
from turboupload.http.transport import PartRequest, PartTransport, TransportConfig, TransportError
from turboupload.omics.attempt import ATTEMPT, Attempt, Payload
from turboupload.omics.botocore_data import load_quickly
from turboupload.omics.botocore_events import Session
from turboupload.omics.encoding import decoded
from turboupload.omics.error_mapping import (
    NoCredentials,
    credentials_failed,
    failure_of,
    html_page,
    page_failed,
)
from turboupload.omics.http_session import ControlSession
from turboupload.omics.replies import null_lists, timestamp_or_none
from turboupload.omics.resolver import Resolver
from turboupload.omics.service_time import ServiceTime
from turboupload.omics.surroundings import (
    ca_bundle,
    credential_program,
    proxies,
    region,
)
from turboupload.omics.told_credentials import ToldCredentials, profile_of, region_of
from turboupload.operations import CREATE_UPLOAD
from turboupload.runtime.exhaustion import trouble_here
from turboupload.runtime.tasks import beside

if TYPE_CHECKING:
    from turboupload.http.probe import Probe
    from turboupload.omics.identity import Identity
    from turboupload.omics.temporary_credentials import TemporaryCredentials

__all__ = ["Connection", "open_connection"]

_AWS_HOST = "https://storage-omics.{}.amazonaws.com"
"""The host name for NO_PROXY if the endpoint is AWS's own."""

_MISCONFIGURED = (
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.InvalidRegionError,
    botocore.exceptions.InvalidConfigError,
)

_UNSIGNED = "UNSIGNED-PAYLOAD"

_NOBODY = {"aws_access_key_id": "-", "aws_secret_access_key": "-"}
"""Keeps botocore from looking for credentials; nothing is signed with them."""

_HOST_PREFIXES = {"control": "control-storage-", "storage": "storage-"}
"""botocore's model (1.43) has them on each operation; the transfer of parts, and Complete, go to
`storage-`."""


class _RawReply(Value, frozen=True):
    """The reply's body, in the form that aiobotocore reads."""

    body: bytes

    async def read(self) -> bytes:
        return self.body


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


class Connection:
    """Makes one attempt at a call, and maps the exceptions of foreign code.

    Args:
        client: aiobotocore's client.
        transport: Sends parts.
        endpoint: The custom endpoint, if there is one.
        timeout_s: How long a call may take in total, in seconds. A part's call may take longer
            while its bytes move: the transport has its own time-outs.
        identity: Makes the attribute.
        credentials: See `temporary_credentials`.

    Attributes:
        endpoint: The custom endpoint, if there is one.
        where: The endpoint, or the Region; distinguishes stores with the same id.
        time: The service's clock, from its replies.
        time_of_any: The clock of any server that replied, refusals included; only for messages.
    """

    def __init__(
        self,
        client: Any,
        transport: PartTransport,
        *,
        endpoint: str | None,
        timeout_s: float,
        identity: Callable[[], Identity],
        credentials: Callable[[], Awaitable[TemporaryCredentials | None]],
    ) -> None:
        self._client = client
        self._transport = transport
        self._timeout_s = timeout_s
        self.endpoint = endpoint
        self.where = endpoint or str(client.meta.region_name)
        *_, self._parts_url = self.hosts.values()
        self._place = f"{client.meta.endpoint_url}, Region {client.meta.region_name}"
        self.time = ServiceTime()
        self.time_of_any = ServiceTime()
        self._make_identity = identity
        self._credentials = credentials

    @cached_property
    def identity(self) -> Identity:
        """Tells who signs."""
        return self._make_identity()

    async def temporary_credentials(self) -> TemporaryCredentials | None:
        """What signs now, for another process; see `Access`."""
        return await self._credentials()

    @property
    def region(self) -> str:
        """The Region that requests are signed for."""
        return str(self._client.meta.region_name)

    @property
    def hosts(self) -> Mapping[str, str]:
        """The URLs that calls go to, by what they are for: `control`, `storage`, or both."""
        url = str(self._client.meta.endpoint_url)
        if self.endpoint is not None:
            return {"control and storage": url}
        return {
            role: url.replace("://", f"://{prefix}", 1) for role, prefix in _HOST_PREFIXES.items()
        }

    async def probe(self, url: str, timeout_s: float) -> Probe:
        """Reaches a host as a part would, and sends no request; see `PartTransport.probe`."""
        return await self._transport.probe(url, timeout_s)

    async def send(
        self, operation: str, arguments: Mapping[str, Any], payload: Payload | None = None
    ) -> Mapping[str, Any]:
        """Makes one attempt at a call; returns the reply as botocore has parsed it.

        Args:
            operation: The API's name for it.
            arguments: The API's names for them.
            payload: A part's body.

        Raises:
            CallFailed: The service answered with an error.
            LinkFailed: No usable answer came.
        """
        attempt = Attempt(payload=payload, place=self._place)
        if operation == CREATE_UPLOAD.name:
            self._transport.connect_ahead(self._parts_url)
        limit_s = None if payload else self._timeout_s
        began = ATTEMPT.set(attempt)
        try:
            async with asyncio.timeout(limit_s) as limit:
                method = getattr(self._client, xform_name(operation))
                reply: Mapping[str, Any] = await method(**arguments)
        except TurbouploadError:
            raise
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                message = f"the call was not over within {limit_s:g} s"
                raise LinkFailed(operation, fault="stalled", message=message) from error
            raise failure_of(operation, error, attempt) from error
        finally:
            ATTEMPT.reset(began)
        if attempt.page is not None:
            # botocore's parsers make an empty reply of it.
            raise page_failed(operation, attempt.page)
        self.time.update(reply)
        return reply

    def queued_bytes(self) -> int:
        """How many bytes of parts the kernel has taken and not sent yet."""
        return self._transport.queued_bytes()

    def dropped_bytes(self) -> int:
        """How many bytes of parts the kernel still held when their connection was closed."""
        return self._transport.dropped_bytes()

    # --- between aiobotocore and the transport ---------------------------------------------------

    async def leave_unsigned(self, request: Any, **_: Any) -> None:
        """Marks the body as unsigned before signing, also over plain HTTP.

        The model's auth type is `v4-unsigned-body`; without this, botocore would sign, for an
        endpoint without TLS, the empty body that it sees.
        """
        request.headers["X-Amz-Content-SHA256"] = _UNSIGNED

    async def send_request(self, request: Any, **_: Any) -> Any:
        """Sends a prepared UploadReadSetPart, and returns the reply for aiobotocore to parse.

        Any other request is left to aiobotocore.
        """
        payload = ATTEMPT.get().payload
        if payload is None:
            return None
        reply = await self._transport.send(
            PartRequest(
                method=request.method,
                url=request.url,
                headers=[(name, _header_text(value)) for name, value in request.headers.items()],
                body=payload.open_body(),
            ),
            on_bytes=payload.on_bytes,
        )
        return aiobotocore.awsrequest.AioAWSResponse(
            request.url, reply.status, dict(reply.headers), _RawReply(reply.content)
        )

    async def take_reply(
        self,
        response_dict: Any,
        operation_model: Any = None,
        customized_response_dict: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Decodes a reply's Content-Encoding before aiobotocore parses it.

        What is put into `customized_response_dict` is added to the parsed reply.
        """
        ATTEMPT.get().answered = True
        headers = response_dict["headers"]
        self.time_of_any.heard(headers.get("date", ""))
        response_dict["body"] = decoded(response_dict["body"], headers.get("content-encoding", ""))
        ATTEMPT.get().page = html_page(headers.get("content-type", ""), response_dict["body"])
        shape = getattr(operation_model, "output_shape", None)
        if customized_response_dict is not None and shape is not None:
            lists = [name for name, each in shape.members.items() if each.type_name == "list"]
            customized_response_dict.update(null_lists(response_dict["body"], lists))


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
