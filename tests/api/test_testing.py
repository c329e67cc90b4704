"""The emulator for anybody's tests: context managers, fixtures, credentials of a session."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiobotocore.session
import botocore.session
import pytest

import turboupload
from tests.support import samples
from tests.support.plugin import options
from turboupload.emulator.access import ACCESS_KEY, REGION, SECRET_KEY
from turboupload.testing import Emulator, credentials

ROOT = Path(__file__).parents[2]

pytest_plugins = ("pytester",)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def read_set(tmp_path: Path) -> turboupload.ReadSet:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    return turboupload.ReadSet(
        sources=[sample.path], name=tmp_path.name, sample_id="HG002", subject_id="NA24385"
    )


def test_the_environment_is_set_and_restored(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    before = dict(os.environ)
    with emulator.environment():
        assert "AWS_PROFILE" not in os.environ
        client: Any = botocore.session.Session().create_client("omics")
        stores = client.list_sequence_stores()["sequenceStores"]
        client.close()
    assert [each["id"] for each in stores] == [emulator.store_id]
    assert dict(os.environ) == before


def test_faults_happen_as_often_as_they_are_asked_for(
    emulator: Emulator, read_set: turboupload.ReadSet
) -> None:
    faults = emulator.faults
    faults.throttle("UploadReadSetPart", times=1)
    faults.fail("CreateMultipartReadSetUpload", code="InternalServerException", times=1)
    faults.bad_gateway("ListReadSets", times=1)
    faults.lose_reply("CompleteMultipartReadSetUpload", times=1)
    faults.listing_lag(0.5)
    result = turboupload.upload_sync(
        read_set, store_id=emulator.store_id, config=emulator.upload_config()
    )
    assert (result.status, result.verified) == ("ACTIVE", "sha256")
    assert faults.fired == 4
    faults.clear()
    assert faults.fired == 0
    with pytest.raises(ValueError, match="no such operation"):
        faults.drop("UploadPart")


async def test_an_async_block_has_one_of_its_own_over_tls(read_set: turboupload.ReadSet) -> None:
    async with Emulator(tls=True, world={"checksum": "hex"}) as emulator:
        assert emulator.endpoint_url.startswith("https://")
        config = emulator.upload_config(part_size_bytes="8MiB")
        result = await turboupload.upload(read_set, store_id=emulator.store_id, config=config)
        assert result.status == "ACTIVE"
        assert await asyncio.to_thread(emulator.requests, "UploadReadSetPart") == 1


def test_a_root_in_use_is_said_where_it_is_started(tmp_path: Path) -> None:
    with Emulator(root=tmp_path), pytest.raises(Exception, match=r"in use|another|busy"):
        Emulator(root=tmp_path).__enter__()


def test_it_says_how_it_is_used() -> None:
    with pytest.raises(ValueError, match="quotas are 'real' or 'off', not 'on'"):
        Emulator(quotas="on")  # type: ignore[arg-type]
    emulator = Emulator()
    for use in (emulator.env, emulator.upload_config, emulator.faults.throttle):
        with pytest.raises(RuntimeError, match="inside `with`"):
            use()
    with emulator:
        with pytest.raises(RuntimeError, match="entered already"):
            emulator.__enter__()
        assert emulator.requests("ListReadSets") == 0
    with emulator:
        assert emulator.requests("ListReadSets") == 0


# --- session= -----------------------------------------------------------------------------------


def botocore_session() -> Any:
    session = botocore.session.Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    session.set_config_variable("region", REGION)
    return session


def aiobotocore_session() -> Any:
    session = aiobotocore.session.AioSession()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    session.set_config_variable("region", REGION)
    return session


async def coroutine() -> tuple[str, str]:
    return credentials()


def from_sts() -> dict[str, Any]:
    return {
        "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET_KEY,
        "SessionToken": None,
        "Expiration": datetime.now(UTC) + timedelta(hours=1),
    }


class Provider:
    def load(self) -> Any:
        return botocore_session().get_credentials()


@pytest.mark.parametrize(
    "source",
    [botocore_session(), aiobotocore_session(), coroutine, from_sts, credentials, Provider()],
    ids=["botocore", "aiobotocore", "coroutine", "sts", "tuple", "provider"],
)
async def test_credentials_come_from_whatever_a_program_has(
    source: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    region = None if hasattr(source, "get_config_variable") else REGION
    config = emulator.upload_config(session=source, region=region)
    async with turboupload.SequenceStores(config) as stores:
        assert (await stores.get_sequence_store(emulator.store_id)).store_id == emulator.store_id


async def test_credentials_are_asked_for_again_before_they_end(emulator: Emulator) -> None:
    asked = []

    def short() -> dict[str, Any]:
        asked.append(1)
        return from_sts() | {"Expiration": datetime.now(UTC) + timedelta(minutes=12)}

    async with turboupload.SequenceStores(emulator.upload_config(session=short)) as stores:
        await stores.get_sequence_store(emulator.store_id)
    assert len(asked) == 2


def fails() -> None:
    raise RuntimeError("the vault is closed")


def in_local_time() -> dict[str, Any]:
    return from_sts() | {"Expiration": datetime.now() + timedelta(hours=9)}  # noqa: DTZ005


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda: None, "no credentials: TypeError: NoneType is not a form of credentials"),
        (lambda: 5, "no credentials: TypeError: int is not a form of credentials"),
        (lambda: ("a",), "no credentials: TypeError: tuple is not a form of credentials"),
        (lambda: {"AccessKeyId": 5}, "no credentials: TypeError: the keys are no text"),
        (lambda: from_sts() | {"Expiration": "soon"}, "no credentials: ValueError: Invalid timest"),
        (in_local_time, "has no time zone"),
        (fails, "no credentials: RuntimeError: the vault is closed"),
        (botocore.session.Session(), "no credentials"),
    ],
)
async def test_credentials_that_are_none_are_an_error_of_the_session(
    source: Any,
    message: str,
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not of the profile, whose program isn't even asked."""
    (tmp_path / "config").write_text("[default]\ncredential_process = /nowhere\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda _: None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(turboupload.TurbouploadError, match=message) as caught:
        async with turboupload.SequenceStores(
            emulator.upload_config(session=source, give_up_after_s=1)
        ) as stores:
            await stores.get_sequence_store(emulator.store_id)
    assert str(caught.value.hint).startswith("see what UploadConfig.session gives")


def test_what_is_no_session_is_refused_and_a_function_goes_into_another_process(
    emulator: Emulator,
) -> None:
    with pytest.raises(turboupload.ConfigError, match="session is a session, a credentials prov"):
        turboupload.UploadConfig(session="default")
    with pytest.raises(turboupload.ConfigError, match="profile"):
        turboupload.UploadConfig(session=credentials, profile="work")
    config = emulator.upload_config()
    assert pickle.loads(pickle.dumps(config)).session is credentials  # noqa: S301 # our own


# --- fixtures -----------------------------------------------------------------------------------


def test_the_plugin_loads_nothing_until_it_is_used() -> None:
    code = (
        "import sys, turboupload.pytest_plugin;"
        "print([m for m in ('aiohttp', 'botocore', 'click', 'turboupload.testing', 'asyncio')"
        " if m in sys.modules and m != 'asyncio'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


USED = """
import os
import botocore.session
import pytest

def names(endpoint):
    client = botocore.session.Session().create_client("omics")
    found = client.list_sequence_stores()["sequenceStores"]
    client.close()
    return [each["id"] for each in found]

def test_a_store_of_its_own(healthomics):
    assert os.environ["AWS_ENDPOINT_URL_OMICS"] == healthomics.endpoint_url
    assert names(healthomics) == [healthomics.store_id]

def test_another_one(healthomics, healthomics_session):
    assert healthomics.endpoint_url != healthomics_session.endpoint_url

@pytest.mark.healthomics(quotas="real")
def test_faults(healthomics, healthomics_faults):
    healthomics_faults.fail("ListSequenceStores", code="AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        names(healthomics)
    assert healthomics_faults.fired == 1
    assert healthomics.requests("ListSequenceStores") == 1

@pytest.mark.parametrize("n", range(2))
def test_the_session_one_serves_all(healthomics_session, n):
    assert names(healthomics_session) == [healthomics_session.store_id]
"""


def test_the_fixtures_work_in_a_worker_of_xdist(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(USED)
    done = pytester.runpytest_inprocess(*options(), "-n", "1")
    done.assert_outcomes(passed=5)
