"""Credentials that the coordinator hands over: workers sign with them, and nothing shows them."""

from __future__ import annotations

import asyncio
import logging
import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cluster.conftest import Lab
from tests.support.dask_cluster import DaskCluster
from tests.support.emulator import RunningEmulator
from turboupload.batch import upload_batch
from turboupload.cluster import DaskWorkers
from turboupload.cluster import handover as handing
from turboupload.cluster.worker_engine import WorkerEngine
from turboupload.config import UploadConfig
from turboupload.core.controls import Controls
from turboupload.core.model import ReadSet
from turboupload.errors import ConfigError

distributed = pytest.importorskip("distributed", reason="the extra `dask` isn't installed")

# Processes that start one after the other take their time on a busy machine.
pytestmark = pytest.mark.timeout(300)

KEY, FIRST, LATER = SECRETS = (
    "s3cret-of-the-key",
    "t0ken-of-the-session",
    "t0ken-that-came-later",
)
OWN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A cluster over TLS that logs all it can, and whose worker has no credentials."""
    authority = trustme.CA()
    ca, own = tmp_path / "ca.pem", tmp_path / "own.pem"
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
    folder = tmp_path / "dask"
    folder.mkdir()
    with RunningEmulator(
        "--quotas", "off", "--ingest-delay", "0.2", "--secret-key", KEY
    ) as service:
        cluster = DaskCluster(
            folder,
            service.env(),
            certificates=(ca, own),
            dashboard=True,
            talkative=True,
            without=OWN,
        )
        try:
            cluster.start_scheduler()
            cluster.start_worker("one", host="host-one")
            yield Lab(tmp_path, service, cluster)
        finally:
            cluster.stop()


def tokens_of_worker() -> list[str]:
    return [each.credentials.token for each in WorkerEngine._all.values() if each.credentials]


def pages(cluster: DaskCluster) -> dict[str, str]:
    """What the dashboards of scheduler and worker show."""
    found: dict[str, str] = {}
    for name in cluster.processes:
        log = (cluster.folder / f"{name}.log").read_text()
        (port,) = set(re.findall(r"dashboard at:\s+(?:http://)?127\.0\.0\.1:(\d+)", log))
        left = ["/metrics", "/health", "/info/main/workers.html", "/json/counts.json"]
        while left:
            path = left.pop()
            url = f"http://127.0.0.1:{port}{path}"
            if url in found:
                continue
            try:
                with urllib.request.urlopen(url, timeout=10) as reply:
                    found[url] = reply.read().decode()
            except OSError:
                found[url] = ""
            here = re.findall(r'href="((?:\.\./|/)[^"#]+\.html)"', found[url])
            left += ["/info/" + each.lstrip("./") for each in here if "static" not in each]
    return found


async def test_workers_sign_with_what_they_get_and_nobody_sees_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Not botocore's, which shows the headers of requests at that level.
    for logger in ("turboupload", "distributed"):
        caplog.set_level(logging.DEBUG, logger)
    monkeypatch.setattr(handing, "LOOK_S", 0.1)
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    secure = lab.cluster
    ca, own = (str(each) for each in secure.certificates or ())
    security = distributed.Security(
        tls_ca_file=ca, tls_client_cert=own, tls_client_key=own, require_encryption=True
    )
    given = [FIRST]

    def credentials() -> dict[str, Any]:
        # So near to their end that they are asked for again each time.
        ends = datetime.now(UTC) + timedelta(minutes=14)
        return {
            "AccessKeyId": "local",
            "SecretAccessKey": KEY,
            "SessionToken": given[-1],
            "Expiration": ends,
        }

    seen: list[str] = []
    shown: dict[str, str] = {}

    async with distributed.Client(
        secure.address, security=security, asynchronous=True, set_as_default=False
    ) as client:

        async def look() -> None:
            """Waits until the worker has what came later, and looks everywhere meanwhile."""
            while FIRST not in seen:
                for found in (await client.run(tokens_of_worker)).values():
                    seen.extend(found)
                await asyncio.sleep(0.1)
            given.append(LATER)
            while LATER not in seen:
                for found in (await client.run(tokens_of_worker)).values():
                    seen.extend(found)
                await asyncio.sleep(0.1)
            shown["state"] = repr(await client.dump_cluster_state(lab.folder / "dump"))
            logged = await client.get_worker_logs(), await client.get_scheduler_logs()
            shown["logs"] = repr(logged)
            shown.update(await asyncio.to_thread(pages, secure))
            controls[0].resume()

        def begin(given: Controls) -> None:
            """Has the worker wait with its rows for as long as is looked."""
            given.pause()
            controls.append(given)

        looking = asyncio.ensure_future(look())
        rows = lab.read_sets(2, 4000)
        controls: list[Controls] = []
        result = await upload_batch(
            rows,
            store_id=lab.emulator.store_id,
            config=lab.config(session=credentials),
            on_start=begin,
            results=lab.folder / "results.csv",
            elsewhere=DaskWorkers(client, credentials="coordinator", spread_bytes=300_000),
        )
        assert [each.status for each in result.rows] == ["active"] * 2, result.rows
        assert [each.worker for each in result.rows] == ["one"] * 2
        await looking
        assert all(not each for each in (await client.run(tokens_of_worker)).values())
    assert sum(bool(each) for each in shown.values()) > 6, list(shown)
    logs = "".join(each.read_text() for each in secure.folder.glob("*.log"))
    assert "Message from" in logs, "at level DEBUG all messages are in the log"
    files = [each for each in lab.folder.rglob("*") if each.is_file()]
    everything = b"".join(each.read_bytes() for each in files).decode("latin-1")
    for secret in SECRETS:
        assert secret not in logs
        assert secret not in everything
        assert secret not in caplog.text
        assert not [each for each, text in shown.items() if secret in text]


@pytest.mark.parametrize(
    ("token", "message"),
    [(None, "don't end by themselves"), (FIRST, "encrypted connections only, and this is tcp://")],
)
async def test_what_is_not_handed_over_is_said(
    token: str | None, message: str, tmp_path: Path, cluster: DaskCluster
) -> None:
    config = UploadConfig(
        region="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        state_dir=tmp_path,
        session=lambda: ("local", KEY, token),
    )
    row = ReadSet(sources=[tmp_path / "x"], name="x", sample_id="S", subject_id="X")
    workers = DaskWorkers(cluster.address, credentials="coordinator")
    with pytest.raises(ConfigError, match=message) as refused:
        await upload_batch([row], store_id="1234567890", config=config, elsewhere=workers)
    assert KEY not in str(refused.value)
