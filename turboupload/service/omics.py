"""AWS HealthOmics through aiobotocore: with `control` and `foreign`, what knows AWS.

Every call makes one attempt; trying again is `wrappers.Retry`'s, because it counts by time, sees
each failure, and must know when a Complete was repeated. A part's bytes leave through the lane:
aiobotocore prepares and signs UploadReadSetPart like any other call, and the `before-send` event
(botocore: a handler that returns a response replaces the send) hands the request over.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiobotocore.awsrequest
import aiobotocore.config
import aiobotocore.session
import botocore.exceptions
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from turboupload import __version__
from turboupload.config import UploadConfig
from turboupload.core.model import (
    FileType,
    ListedPart,
    OpenUpload,
    Part,
    PartSource,
    ReadSet,
    ReadSetRecord,
)
from turboupload.core.retry import explain
from turboupload.errors import CallFailed, ConfigError, LinkFailed, TurbouploadError
from turboupload.service.base import OpenBody, Page, UploadRef
from turboupload.service.control import ControlSession
from turboupload.service.foreign import call_failed, lane_failed, link_failed
from turboupload.service.lane import Lane, LaneConfig, LaneError, LaneRequest
from turboupload.service.replies import (
    read_listed_part,
    read_open_upload,
    read_read_set,
    text_or_none,
)

__all__ = ["OmicsService", "open_omics"]

READ_TIMEOUT_S = 120.0
"""How long a control call's reply may take, in seconds: Complete names up to 20,000 parts."""

_ANY_AWS_HOST = "https://omics.amazonaws.com"
"""What NO_PROXY is asked about where the endpoint is AWS's own."""

_UNSIGNED = "UNSIGNED-PAYLOAD"


class _Payload:
    """What aiobotocore sees of a part's body: its length. The lane opens the body itself."""

    def __init__(self, size: int, open_body: OpenBody, on_bytes: Callable[[int], None]) -> None:
        self.size = size
        self.open_body = open_body
        self.on_bytes = on_bytes

    def __len__(self) -> int:
        return self.size

    def read(self, amount: int = -1) -> bytes:
        """Botocore takes nothing for a body that can't be read; it must never come to that."""
        raise RuntimeError("a part's body goes through the lane")


@dataclass(frozen=True, slots=True)
class _RawReply:
    """The reply's body, as aiobotocore asks for it."""

    body: bytes

    async def read(self) -> bytes:
        return self.body


@asynccontextmanager
async def open_omics(
    config: UploadConfig,
    *,
    workers: int,
    pace: Callable[[int], float] | None = None,
) -> AsyncIterator[OmicsService]:
    """Opens the client and the lane.

    Args:
        config: Region, profile, endpoint, certificates and time-outs.
        workers: Most parts in flight.
        pace: Asked before each chunk of so many bytes how long to wait, in seconds.

    Raises:
        ConfigError: The Region, the profile or a certificate file is missing or wrong.
    """
    session = aiobotocore.session.AioSession(profile=config.profile)
    try:
        endpoint = config.endpoint_url or _configured_endpoint(session)
        if endpoint is not None:
            _check_endpoint(endpoint)
        client_context = session.create_client(
            "omics",
            # botocore itself reads AWS_DEFAULT_REGION alone.
            region_name=config.region or os.environ.get("AWS_REGION"),
            endpoint_url=config.endpoint_url,
            verify=_verify(config),
            config=_client_config(config, custom_endpoint=endpoint is not None),
        )
        lane_config = _lane_config(config, session, endpoint, workers)
        async with client_context as client, Lane(lane_config, pace=pace) as lane:
            events = client.meta.events
            service = OmicsService(client, lane, endpoint=endpoint)
            events.register("before-sign.omics.UploadReadSetPart", service.leave_unsigned)
            events.register("before-send.omics.UploadReadSetPart", service.send_through_lane)
            yield service
    except botocore.exceptions.NoRegionError as error:
        raise ConfigError(
            "no AWS Region is set", hint="set --region, AWS_REGION, or a region in the profile"
        ) from error
    except (
        botocore.exceptions.ProfileNotFound,
        botocore.exceptions.ConfigParseError,
        botocore.exceptions.InvalidRegionError,
        botocore.exceptions.InvalidConfigError,
    ) as error:
        raise ConfigError(str(error), hint="check --profile, --region and ~/.aws/config") from error
    except botocore.exceptions.BotoCoreError as error:
        failure = link_failed("credentials", error)
        if failure.fault != "credentials":
            raise
        raise explain(failure) from error
    except LaneError as error:
        raise ConfigError(error.message, hint="check --ca-bundle and AWS_CA_BUNDLE") from error


def _check_endpoint(endpoint: str) -> None:
    """Refuses what is no plain URL, before anything can print it whole.

    Raises:
        ConfigError: It isn't; a password in it is left out.
    """
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        usable = usable and parts.username is None
    except ValueError:
        usable = None
    if not usable:
        # Behind an @ stands what is no password.
        raise ConfigError(
            f"the endpoint {endpoint.rsplit('@', 1)[-1]!r} is not a plain URL of http or https",
            hint="check --endpoint-url and AWS_ENDPOINT_URL_OMICS",
        )


def _configured_endpoint(session: Any) -> str | None:
    """The endpoint that the environment or the profile sets, as botocore finds it."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    provider = ConfiguredEndpointProvider(
        full_config=session.full_config,
        scoped_config=session.get_scoped_config(),
        client_name="omics",
    )
    found = provider.provide()
    return str(found) if found else None


def _verify(config: UploadConfig) -> bool | str | None:
    if not config.verify_tls:
        return False
    return os.fspath(config.ca_bundle) if config.ca_bundle is not None else None


def _client_config(config: UploadConfig, *, custom_endpoint: bool) -> Any:
    # The host prefix (control-storage-, storage-) names AWS's own hosts; no other has them.
    prefix = {"inject_host_prefix": False} if custom_endpoint else {}
    return aiobotocore.config.AioConfig(
        connect_timeout=config.connect_timeout_s,
        read_timeout=max(READ_TIMEOUT_S, config.stall_timeout_s),
        retries={"total_max_attempts": 1, "mode": "standard"},
        http_session_cls=ControlSession,
        max_pool_connections=16,
        user_agent_extra=f"turboupload/{__version__}",
        **prefix,
    )


def _lane_config(
    config: UploadConfig, session: Any, endpoint: str | None, workers: int
) -> LaneConfig:
    bundle = config.ca_bundle or session.get_config_variable("ca_bundle")
    return LaneConfig(
        ca_bundle=os.fspath(bundle) if bundle else get_cert_path(True),
        verify=config.verify_tls,
        proxies={
            scheme: url
            for scheme, url in get_environ_proxies(endpoint or _ANY_AWS_HOST).items()
            if scheme in ("http", "https")
        },
        workers=workers,
        chunk_bytes=config.chunk_bytes,
        connect_timeout_s=config.connect_timeout_s,
        stall_timeout_s=config.stall_timeout_s,
        reply_timeout_s=max(READ_TIMEOUT_S, config.stall_timeout_s),
    )


class OmicsService:
    """`ReadSetService` over a live client.

    Attributes:
        endpoint: The custom endpoint, if there is one.
        where: The endpoint, or the Region: what tells stores of one id apart.
    """

    def __init__(self, client: Any, lane: Lane, *, endpoint: str | None) -> None:
        self._client = client
        self._lane = lane
        self.endpoint = endpoint
        self.where = endpoint or str(client.meta.region_name)

    # --- the seam between aiobotocore and the lane ------------------------------------------

    async def leave_unsigned(self, request: Any, **_: Any) -> None:
        """Says before signing that the body isn't signed, over plain HTTP too.

        The model's auth type is `v4-unsigned-body`; without this, botocore would read the whole
        body on the event loop to sign it for an endpoint without TLS.
        """
        request.headers["X-Amz-Content-SHA256"] = _UNSIGNED

    async def send_through_lane(self, request: Any, **_: Any) -> Any:
        """Sends a prepared UploadReadSetPart, and returns the reply for aiobotocore to parse."""
        payload: _Payload = request.body
        reply = await self._lane.send(
            LaneRequest(
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

    # --- calls ------------------------------------------------------------------------------

    async def create_upload(
        self, store_id: str, read_set: ReadSet, file_type: FileType, token: str
    ) -> str:
        """See `ReadSetService`."""
        optional = {
            "generatedFrom": read_set.generated_from,
            "referenceArn": read_set.reference_arn,
            "description": read_set.description,
            "tags": dict(read_set.tags) or None,
        }
        reply = await self._call(
            "CreateMultipartReadSetUpload",
            self._client.create_multipart_read_set_upload,
            sequenceStoreId=store_id,
            clientToken=token,
            sourceFileType=str(file_type),
            subjectId=read_set.subject_id,
            sampleId=read_set.sample_id,
            name=read_set.name,
            **{key: value for key, value in optional.items() if value is not None},
        )
        return _required("CreateMultipartReadSetUpload", reply, "uploadId")

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        """See `ReadSetService`."""
        reply = await self._call(
            "UploadReadSetPart",
            self._client.upload_read_set_part,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            partSource=str(part.source),
            partNumber=part.number,
            payload=_Payload(part.size, open_body, on_bytes),
        )
        return _required("UploadReadSetPart", reply, "checksum")

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[ListedPart]:
        """See `ReadSetService`."""
        rows, following = await self._page(
            "ListReadSetUploadParts",
            self._client.list_read_set_upload_parts,
            "parts",
            token,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            partSource=str(source),
        )
        parts = (read_listed_part(row, source) for row in rows)
        return Page(tuple(part for part in parts if part is not None), following)

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[OpenUpload]:
        """See `ReadSetService`."""
        rows, following = await self._page(
            "ListMultipartReadSetUploads",
            self._client.list_multipart_read_set_uploads,
            "uploads",
            token,
            sequenceStoreId=store_id,
        )
        uploads = map(read_open_upload, rows)
        return Page(tuple(upload for upload in uploads if upload is not None), following)

    async def complete_upload(self, upload: UploadRef, parts: tuple[ListedPart, ...]) -> str:
        """See `ReadSetService`."""
        reply = await self._call(
            "CompleteMultipartReadSetUpload",
            self._client.complete_multipart_read_set_upload,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            parts=[
                {
                    "partNumber": part.number,
                    "partSource": str(part.source),
                    "checksum": part.checksum or "",
                }
                for part in parts
            ],
        )
        return _required("CompleteMultipartReadSetUpload", reply, "readSetId")

    async def abort_upload(self, upload: UploadRef) -> None:
        """See `ReadSetService`."""
        await self._call(
            "AbortMultipartReadSetUpload",
            self._client.abort_multipart_read_set_upload,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
        )

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetRecord:
        """See `ReadSetService`."""
        reply = await self._call(
            "GetReadSetMetadata",
            self._client.get_read_set_metadata,
            sequenceStoreId=store_id,
            id=read_set_id,
        )
        record = read_read_set({"id": read_set_id, **reply})
        if record is None:
            raise LinkFailed(
                "GetReadSetMetadata", fault="bad_reply", message="the reply has no status"
            )
        return record

    async def find_read_sets(
        self, store_id: str, read_set: ReadSet, token: str | None = None
    ) -> Page[ReadSetRecord]:
        """See `ReadSetService`."""
        rows, following = await self._page(
            "ListReadSets",
            self._client.list_read_sets,
            "readSets",
            token,
            sequenceStoreId=store_id,
            filter={
                "name": read_set.name,
                "sampleId": read_set.sample_id,
                "subjectId": read_set.subject_id,
            },
        )
        records = map(read_read_set, rows)
        return Page(tuple(record for record in records if record is not None), following)

    # --- carrying a call out ----------------------------------------------------------------

    async def _page(
        self,
        operation: str,
        method: Callable[..., Any],
        member: str,
        token: str | None,
        **arguments: Any,
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        following = {"nextToken": token} if token else {}
        reply = await self._call(operation, method, maxResults=100, **following, **arguments)
        if not isinstance(reply.get(member, ""), list | None):
            # A proxy's page with status 200 must not pass for an empty listing.
            raise LinkFailed(operation, fault="bad_reply", message=f"the reply has no {member}")
        rows = [row for row in reply.get(member) or [] if isinstance(row, Mapping)]
        return rows, text_or_none(reply.get("nextToken"))

    async def _call(
        self, operation: str, method: Callable[..., Any], **arguments: Any
    ) -> Mapping[str, Any]:
        """Makes one attempt, and maps what foreign code raises.

        Raises:
            CallFailed: The service answered with an error.
            LinkFailed: No usable answer came.
        """
        try:
            reply: Mapping[str, Any] = await method(**arguments)
        except TurbouploadError:
            raise
        except botocore.exceptions.ClientError as error:
            raise call_failed(operation, error) from error
        except LaneError as error:
            raise lane_failed(operation, error) from error
        except botocore.exceptions.ParamValidationError as error:
            raise CallFailed(
                operation, code="ValidationException", status=400, message=str(error)
            ) from error
        except botocore.exceptions.BotoCoreError as error:
            raise link_failed(operation, error) from error
        except OSError as error:
            # The files' own errors come as ours (`local.source`), the network's as botocore's or
            # the lane's: what is left are the files that credentials are read from.
            raise LinkFailed(operation, fault="credentials", message=str(error)) from error
        except (AttributeError, TypeError, ValueError) as error:
            # botocore's parsers take a reply that is JSON, but no object, for one.
            raise LinkFailed(
                operation, fault="bad_reply", message=f"the reply can't be read: {error}"
            ) from error
        return reply


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _required(operation: str, reply: Mapping[str, Any], member: str) -> str:
    value = text_or_none(reply.get(member))
    if value is None:
        raise LinkFailed(operation, fault="bad_reply", message=f"the reply has no {member}")
    return value
