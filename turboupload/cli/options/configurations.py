"""What the library is told: configurations, made of the options' values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from turboupload.cli.options.values import StoreOfArn, tags_of
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.config import UploadConfig
    from turboupload.core.sheet.model import SheetDefaults

__all__ = [
    "agreed_region",
    "connection_config",
    "sending_config",
    "sheet_defaults",
    "upload_config",
]


def agreed_region(given: Mapping[str, Any]) -> str | None:
    """The Region of the options, or else of the store's ARN.

    Args:
        given: The options' values by name.

    Raises:
        ConfigError: The ARN is of another Region than the one that is configured.
    """
    region: str | None = given["region"]
    store = given.get("store")
    if not isinstance(store, StoreOfArn):
        return region
    told = region or os.environ.get("AWS_REGION") or _region_of_profile(given["profile"])
    if told and told != store.region:
        raise ConfigError(
            f"the store's ARN is of Region {store.region}, and the configured Region is {told}",
            hint=f"add --region {store.region}, or name a store in {told}",
        )
    return store.region


def _region_of_profile(profile: str | None) -> str | None:
    from turboupload.omics.surroundings import configured_region

    return configured_region(profile)


def connection_config(given: Mapping[str, Any]) -> UploadConfig:
    """How to reach the service, by the options of `CONNECTION`.

    Args:
        given: The options' values by name.

    Raises:
        ConfigError: A value makes no sense.
    """
    from turboupload.config import UploadConfig

    return UploadConfig(
        region=agreed_region(given),
        profile=given["profile"],
        endpoint_url=given["endpoint_url"],
        ca_bundle=given["ca_bundle"],
        verify_tls=not given["insecure_accept_any_certificate"],
        connect_timeout_s=given["connect_timeout"],
        stall_timeout_s=given["stall_timeout"],
        give_up_after_s=given["give_up_after"],
        transactions_per_s=dict(given["quota"]),
        quota_share=given["quota_share"],
        state_dir=given["state_dir"],
    )


def sending_config(given: Mapping[str, Any]) -> UploadConfig:
    """How to send parts, by the options of `SENDING` and `CONNECTION`.

    Args:
        given: The options' values by name.

    Raises:
        ConfigError: A value makes no sense.
    """
    return replace(
        connection_config(given),
        part_size_bytes=given["part_size"],
        concurrency=given["concurrency"],
        checksum=given["checksum"],
        max_bandwidth=given["max_bandwidth"],
    )


def upload_config(given: Mapping[str, Any], **more: Any) -> UploadConfig:
    """How to upload, by the options of `UPLOAD_COMMAND`.

    Args:
        given: The options' values by name.
        more: What else `UploadConfig` takes.

    Raises:
        ConfigError: A value makes no sense.
    """
    return replace(
        sending_config(given),
        wait=given["wait"],
        wait_timeout_s=given["wait_timeout"],
        preflight=given["preflight"],
        prove=given["prove"],
        reference_fasta=given["reference_fasta"],
        md5=given["md5"],
        md5_beside=given["md5_beside"],
        listing_lag_s=given["listing_lag"],
        **more,
    )


def sheet_defaults(given: Mapping[str, Any]) -> SheetDefaults:
    """What the options say of rows that don't say it themselves."""
    from turboupload.core.model import FileType
    from turboupload.core.sheet.model import SheetDefaults

    return SheetDefaults(
        file_type=FileType(given["type"]) if given.get("type") else None,
        sample_id=given["sample"],
        subject_id=given["subject"],
        subject_from=given["subject_from"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        description=given["description"],
        tags=tags_of(given["tag"]),
        name_pattern=given["name_pattern"],
        odd_ids=given["odd_ids"],
        merge=given.get("merge", False),
    )
