"""awscrt's S3 client: a multipart PutObject from the file, to the sink's port 443."""

from __future__ import annotations

import os
from threading import Event

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    TlsContextOptions,
)
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType

from benchmarks.clients.common import Job, measured


def _client(job: Job) -> S3Client:
    group = EventLoopGroup()
    bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
    options = TlsContextOptions()
    options.override_default_trust_store_from_path(None, os.environ["AWS_CA_BUNDLE"])
    connection_options = ClientTlsContext(options).new_connection_options()
    connection_options.set_server_name("localhost")
    return S3Client(
        bootstrap=bootstrap,
        region="us-east-1",
        tls_mode=S3RequestTlsMode.ENABLED,
        credential_provider=AwsCredentialsProvider.new_static("local", "local"),
        tls_connection_options=connection_options,
        part_size=job.options.get("part_size"),
    )


if __name__ == "__main__":
    job = Job.from_arguments()
    client = _client(job)
    headers = HttpHeaders([("host", "localhost"), ("content-length", str(job.size))])
    done = Event()
    failures: list[object] = []

    def on_done(*, error: object = None, **_: object) -> None:
        if error is not None:
            failures.append(error)
        done.set()

    with measured():
        request = client.make_request(
            type=S3RequestType.PUT_OBJECT,
            request=HttpRequest("PUT", "/bucket/key", headers),
            send_filepath=job.file,
            on_done=on_done,
        )
        request.finished_future.result(timeout=300)
    if failures:
        raise SystemExit(f"awscrt: {failures}")
