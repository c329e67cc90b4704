"""Who shares the account's token buckets."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from turboupload.config import UploadConfig
from turboupload.errors import ConfigError
from turboupload.omics.quotas import shared_quotas

HERE = "us-east-1"


async def test_those_that_reach_the_same_account_share_them() -> None:
    first = shared_quotas(UploadConfig(profile="lab"), HERE)
    assert shared_quotas(UploadConfig(profile="lab", concurrency=3), HERE) is first


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (UploadConfig(profile="lab"), "eu-west-1"),
        (UploadConfig(profile="clinic"), HERE),
        (UploadConfig(profile="lab", transactions_per_s={"UploadReadSetPart": 50.0}), HERE),
    ],
)
async def test_another_region_account_or_quota_has_its_own(
    config: UploadConfig, where: str
) -> None:
    first = shared_quotas(UploadConfig(profile="lab"), HERE)
    assert shared_quotas(config, where) is not first


async def test_another_access_key_in_the_environment_is_another_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    first = shared_quotas(UploadConfig(), HERE)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert shared_quotas(UploadConfig(), HERE) is not first


async def test_a_session_has_the_account_of_its_profile() -> None:
    def through(profile: str | None) -> UploadConfig:
        session = botocore.session.Session()
        session.set_config_variable("profile", profile)
        return UploadConfig(session=session)

    lab = shared_quotas(through("lab"), HERE)
    assert shared_quotas(through("lab"), HERE) is lab
    assert shared_quotas(UploadConfig(profile="lab"), HERE) is lab
    assert shared_quotas(through("clinic"), HERE) is not lab
    assert shared_quotas(through(None), HERE) is shared_quotas(UploadConfig(), HERE)


@pytest.mark.parametrize(
    ("operation", "per_s", "said"),
    [
        ("UploadReadSetParts", 20, "did you mean UploadReadSetPart"),
        ("PutObject", 20, "those that have one are"),
        ("UploadReadSetPart", 0, "above zero, not 0"),
        ("UploadReadSetPart", -1.5, "above zero, not -1.5"),
        ("UploadReadSetPart", float("inf"), "above zero, not inf"),
        ("UploadReadSetPart", float("nan"), "above zero, not nan"),
        ("UploadReadSetPart", "20", "above zero, not '20'"),
        ("UploadReadSetPart", True, "above zero, not True"),
    ],
)
def test_a_quota_that_makes_no_sense_is_refused_at_once(
    operation: str, per_s: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        UploadConfig(transactions_per_s={operation: per_s})
