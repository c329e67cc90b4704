"""aiohttp's own TLS contexts trust the system's authorities as ever, only later."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading

import pytest

from turboupload.omics.trust import loading_later
from turboupload.testing import Emulator

CODE = """
import asyncio, ssl, sys
import turboupload
turboupload.upload
from aiohttp import ClientSession, ClientConnectorCertificateError, connector

context = connector._SSL_CONTEXT_VERIFIED
print(type(context).__name__, type(connector._SSL_CONTEXT_UNVERIFIED).__name__)

async def get():
    async with ClientSession() as session:
        try:
            async with session.get(sys.argv[1]) as reply:
                print("answered", reply.status)
        except ClientConnectorCertificateError:
            print("not trusted")
        async with session.get(sys.argv[1], ssl=False) as reply:
            print("answered", reply.status)

asyncio.run(get())
print(type(context).__name__, context.verify_mode.name, context.check_hostname)
"""


@pytest.mark.parametrize(("trusted", "told"), [(True, "answered 200"), (False, "not trusted")])
def test_a_program_beside_us_trusts_whom_the_system_trusts(trusted: bool, told: str) -> None:
    with Emulator(tls=True) as emulator:
        assert emulator.ca_bundle is not None
        url = f"{emulator.endpoint_url}/_emulator/stats"
        done = subprocess.run(
            [sys.executable, "-c", CODE, url], capture_output=True, text=True, check=False,
            env={**os.environ, "SSL_CERT_FILE": emulator.ca_bundle if trusted else os.devnull},
        )  # fmt: skip
    assert done.stdout.splitlines() == [
        "_LoadsLater _LoadsLater",
        told,
        "answered 200",
        "SSLContext CERT_REQUIRED True",
    ], done.stderr


def test_only_contexts_of_this_thread_load_later() -> None:
    made: list[ssl.SSLContext] = []
    with loading_later():
        late = ssl.create_default_context()
        other = threading.Thread(target=lambda: made.append(ssl.create_default_context()))
        other.start()
        other.join()
    after = ssl.create_default_context()
    assert type(made[0]) is type(after) is ssl.SSLContext
    assert type(late) is not ssl.SSLContext
    assert isinstance(late, ssl.SSLContext)
    assert late.cert_store_stats() == after.cert_store_stats() == made[0].cert_store_stats()
    assert late.get_ca_certs() == after.get_ca_certs()
    assert type(late) is ssl.SSLContext
    assert (late.verify_mode, late.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_class_in_the_place_of_contexts_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As truststore does, before or after: its methods know nothing of our contexts."""

    class Other(ssl.SSLContext):
        def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
            raise AssertionError

        def set_default_verify_paths(self) -> None:
            raise AssertionError

    with loading_later():
        late = ssl.create_default_context()
    monkeypatch.setattr(ssl, "SSLContext", Other)
    with loading_later():
        Other(ssl.PROTOCOL_TLS_CLIENT)
    assert vars(Other).keys() >= {"load_default_certs", "set_default_verify_paths"}
    assert late.cert_store_stats()["x509"] >= 0
    monkeypatch.undo()
    assert late.cert_store_stats() == ssl.create_default_context().cert_store_stats()
