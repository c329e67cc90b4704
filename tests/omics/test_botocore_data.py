"""The service's model is found where botocore finds it, without a look at all the others."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import DataNotFoundError, UnknownServiceError

from turboupload.config import UploadConfig
from turboupload.errors import ConfigError, Stopped
from turboupload.omics.botocore_data import load_quickly
from turboupload.omics.opening import open_connection

NEWER = "2099-01-01"
DATA = [
    "endpoints",
    "partitions",
    "sdk-default-configuration",
    "omics/{version}/service-2",
    "omics/{version}/endpoint-rule-set-1",
]
"""What a client is made of."""


async def operations(session: AioSession) -> list[str]:
    return list((await session.get_service_model("omics")).operation_names)


async def test_it_is_the_model_that_botocore_finds() -> None:
    session = AioSession()
    load_quickly(session)
    found = await operations(session)
    assert "UploadReadSetPart" in found
    assert found == await operations(AioSession())


@pytest.mark.parametrize("name", DATA)
def test_data_are_those_that_botocore_reads(name: str) -> None:
    theirs = AioSession().get_component("data_loader")
    session = AioSession()
    load_quickly(session)
    ours = session.get_component("data_loader")
    name = name.format(version=ours.determine_latest_version("omics", "service-2"))
    expected, found = theirs.load_data_with_path(name), ours.load_data_with_path(name)
    assert found == expected
    assert json.dumps(found, default=dict) == json.dumps(expected), "in another order"


NEW_FORM = '{"partitions": [{"partition": "aws", "services": {"omics": {}}, "new": 1}]}'


@pytest.mark.parametrize("text", [NEW_FORM, "{}", "[]", '{"partitions": {}}'])
def test_endpoints_of_another_form_are_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "endpoints.json").write_text(text)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = AioSession()
    load_quickly(session)
    found = session.get_component("data_loader").load_data("endpoints")
    assert found == json.loads(text)


async def test_every_services_endpoints_are_found() -> None:
    session = AioSession()
    load_quickly(session)
    for service in ("omics", "s3", "sts", "sso", "cloudfront", "none"):
        regions = await session.get_available_regions(service)
        assert regions == await AioSession().get_available_regions(service)


@pytest.mark.parametrize("name", ["omics", "omics/absent", "none/x"])
def test_what_is_not_there_is_missed(name: str) -> None:
    session = AioSession()
    load_quickly(session)
    with pytest.raises(DataNotFoundError):
        session.get_component("data_loader").load_data(name)


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc"])
async def test_clients_for_credentials_find_theirs(service: str) -> None:
    session = AioSession()
    load_quickly(session)
    ours = await session.get_service_model(service)
    theirs = await AioSession().get_service_model(service)
    assert list(ours.operation_names) == list(theirs.operation_names)


async def test_an_unknown_service_is_named() -> None:
    session = AioSession()
    load_quickly(session)
    with pytest.raises(UnknownServiceError, match="nomics"):
        await session.get_service_model("nomics")


async def test_the_users_own_model_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "omics" / NEWER
    own.mkdir(parents=True)
    operation = {"name": "Own", "http": {"method": "GET", "requestUri": "/"}}
    (own / "service-2.json").write_text(
        json.dumps(
            {
                "metadata": {"apiVersion": NEWER, "protocol": "rest-json", "serviceId": "Omics"},
                "operations": {"Own": operation},
                "shapes": {},
            }
        )
    )
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = AioSession()
    load_quickly(session)
    assert await operations(session) == ["Own"] == await operations(AioSession())


async def test_no_other_service_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    session = AioSession()
    load_quickly(session)
    listed: list[str] = []
    list_folder = os.listdir

    def listdir(path: str) -> list[str]:
        listed.append(path)
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", listdir)
    await operations(session)
    folders = {Path(path).name for path in listed}
    assert "omics" in folders
    assert "s3" not in folders
    assert len(folders) <= 3


@pytest.mark.parametrize(
    ("name", "content"),
    [("service-2.json", b"{"), ("service-2.json", b"\xff"), ("service-2.json.gz", b"no gzip")],
)
async def test_a_model_of_the_users_that_is_damaged_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    path = tmp_path / "omics" / NEWER / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        async with open_connection(UploadConfig(region="us-east-1"), workers=1, anonymous=True):
            pass


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
async def test_what_this_machine_lacks_is_not_blamed_on_the_certificates(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("ssl.create_default_context", fail)
    with pytest.raises(Stopped, match=r"too many files open|not enough memory"):
        async with open_connection(UploadConfig(region="us-east-1"), workers=1, anonymous=True):
            pass
