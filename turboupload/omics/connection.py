"""The connection to AWS HealthOmics, through aiobotocore: one attempt at a call.

`call.Caller` does the retries, because it limits them by time, sees each failure, and must know
when a Complete was repeated. `http` sends a part's bytes: aiobotocore prepares and signs
UploadReadSetPart like any other call, with an empty body, and the `before-send` event (botocore: a
handler that returns a response replaces the send) hands the request and its body (`attempt`) to the
transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from turboupload.omics import trust  # noqa: F401 # before aiobotocore, which imports aiohttp

# isort: split
import aiobotocore.awsrequest
from botocore import xform_name

from turboupload.errors import LinkFailed, TurbouploadError
from turboupload.http.transport import PartRequest, PartTransport
from turboupload.omics.attempt import ATTEMPT, Attempt, Payload
from turboupload.omics.encoding import decoded
from turboupload.omics.error_mapping import failure_of, html_page, page_failed
from turboupload.omics.replies import null_lists
from turboupload.omics.service_time import ServiceTime
from turboupload.operations import CREATE_UPLOAD
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.http.probe import Probe
    from turboupload.omics.identity import Identity
    from turboupload.omics.temporary_credentials import TemporaryCredentials

__all__ = ["Connection"]

_UNSIGNED = "UNSIGNED-PAYLOAD"

_HOST_PREFIXES = {"control": "control-storage-", "storage": "storage-"}
"""botocore's model (1.43) has them on each operation; the transfer of parts, and Complete, go to
`storage-`."""


class _RawReply(Value, frozen=True):
    """The reply's body, in the form that aiobotocore reads."""

    body: bytes

    async def read(self) -> bytes:
        return self.body


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
