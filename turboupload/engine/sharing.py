"""Where the quota is shared with other processes."""

from __future__ import annotations

from functools import partial

from turboupload.config import UploadConfig
from turboupload.core.rate.share import QuotaShare
from turboupload.errors import ConfigError
from turboupload.omics.quotas import Quotas, shared_quotas
from turboupload.state.quota_file import QuotaFile

__all__ = ["open_quotas"]

FILE = "quota.share"
"""Its name in the state folder."""


def open_quotas(config: UploadConfig, where: str) -> Quotas:
    """The quotas, shared with all processes that are to share them; see `shared_quotas`.

    Args:
        config: Whose quotas are meant, and where they are shared.
        where: The endpoint, or the Region.

    Raises:
        ConfigError: A package is missing, or the place makes no sense.
    """
    return shared_quotas(config, where, partial(_open, config, where))


def _open(config: UploadConfig, where: str, account: str) -> QuotaShare | None:
    if config.shares_in_redis:
        from turboupload.state.quota_redis import QuotaRedis

        return QuotaRedis(str(config.quota_share), account, where)
    if config.quota_file is not None:
        return QuotaFile(config.quota_file, account, where, private=False)
    try:
        folder = config.state_folder
    except ConfigError:
        return None  # there is no home, and what needs the folder says so
    return QuotaFile(folder / FILE, account, where, private=True)
