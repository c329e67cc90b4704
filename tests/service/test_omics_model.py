"""The service's model is found where botocore finds it, without a look at all the others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from aiobotocore.session import AioSession

from turboupload.service.omics_model import find_model_at_once

NEWER = "2099-01-01"


async def operations(session: AioSession) -> list[str]:
    return list((await session.get_service_model("omics")).operation_names)


async def test_it_is_the_model_that_botocore_finds() -> None:
    session = AioSession()
    find_model_at_once(session)
    found = await operations(session)
    assert "UploadReadSetPart" in found
    assert found == await operations(AioSession())


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
    find_model_at_once(session)
    assert await operations(session) == ["Own"] == await operations(AioSession())


async def test_no_other_service_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    session = AioSession()
    find_model_at_once(session)
    listed: list[str] = []
    list_folder = os.listdir

    def listdir(path: str) -> list[str]:
        listed.append(path)
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", listdir)
    await operations(session)
    assert listed
    assert {Path(path).name for path in listed} == {"omics"}
