"""Raw HTTP, signed by botocore's signer, for what a well-behaved client would never send."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.emulator import ACCESS_KEY, REGION, SECRET_KEY, RunningEmulator

__all__ = ["Reply", "Wire", "begin_part", "signed_headers"]

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str | None:
        return self.headers.get("x-amzn-ErrorType")

    @property
    def message(self) -> str:
        return str(self.json["message"])


def signed_headers(
    method: str,
    url: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    access_key: str = ACCESS_KEY,
    secret_key: str = SECRET_KEY,
    region: str = REGION,
    service: str = "omics",
) -> dict[str, str]:
    request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
    SigV4Auth(Credentials(access_key, secret_key), service, region).add_auth(request)
    return dict(request.headers.items())


def begin_part(
    emulator: RunningEmulator,
    upload_id: str,
    *,
    length: int,
    sent: int,
    headers: Mapping[str, str] | None = None,
) -> socket.socket:
    """A part of which only so many bytes are sent; the connection stays open."""
    path = f"/sequencestore/{emulator.store_id}/upload/{upload_id}/part"
    path += "?partSource=SOURCE1&partNumber=1"
    unsigned = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD", **(headers or {})}
    signed = signed_headers("PUT", emulator.endpoint_url + path, b"", unsigned)
    signed |= {"Host": f"127.0.0.1:{emulator.port}", "Content-Length": str(length)}
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    connection = socket.create_connection(("127.0.0.1", emulator.port), timeout=TIMEOUT_S)
    connection.sendall(f"PUT {path} HTTP/1.1\r\n{head}\r\n".encode() + bytes(sent))
    return connection


class Wire:
    """One keep-alive pool to one emulator."""

    def __init__(self, emulator: RunningEmulator) -> None:
        self.emulator = emulator
        self._pool = urllib3.PoolManager(ca_certs=emulator.ca_bundle, maxsize=8)

    def close(self) -> None:
        self._pool.clear()

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        tail = f"?{urlencode(query, doseq=True)}" if query else ""
        return f"{self.emulator.endpoint_url}{path}{tail}"

    def raw(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        reply = self._pool.request(
            method,
            url,
            body=body,
            headers=dict(headers),
            retries=False,
            redirect=False,
            timeout=TIMEOUT_S,
        )
        return Reply(reply.status, reply.headers, reply.data)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A correctly signed request; `body` is JSON unless it is bytes."""
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        url = self.url(path, query)
        return self.raw(method, url, data, signed_headers(method, url, data, headers))

    # The routes that many tests need.

    def create(self, store_id: str, **overrides: Any) -> Reply:
        fields: dict[str, Any] = {
            "sourceFileType": "FASTQ",
            "subjectId": "subject",
            "sampleId": "sample",
            "name": "name",
        }
        fields |= overrides
        body = {name: value for name, value in fields.items() if value is not None}
        return self.call("POST", f"/sequencestore/{store_id}/upload", body)

    def open_upload(self, store_id: str, **overrides: Any) -> str:
        reply = self.create(store_id, **overrides)
        assert reply.status == 200, reply
        return str(reply.json["uploadId"])

    def put_part(
        self,
        store_id: str,
        upload_id: str,
        data: bytes,
        *,
        number: object = 1,
        source: str = "SOURCE1",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        return self.call(
            "PUT",
            f"/sequencestore/{store_id}/upload/{upload_id}/part",
            data,
            query={"partSource": source, "partNumber": number},
            headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD", **(headers or {})},
        )

    def complete(self, store_id: str, upload_id: str, parts: object) -> Reply:
        return self.call(
            "POST", f"/sequencestore/{store_id}/upload/{upload_id}/complete", {"parts": parts}
        )

    def list_parts(self, store_id: str, upload_id: str, source: str = "SOURCE1") -> Reply:
        return self.call(
            "POST", f"/sequencestore/{store_id}/upload/{upload_id}/parts", {"partSource": source}
        )
