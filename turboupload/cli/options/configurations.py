"""What the library is told: configurations, made of the options' values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.options.shared import CONNECTION, SENDING, UPLOAD_COMMAND, together
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


Options = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Options as a decorator, as `together` makes it."""


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
    return _config(CONNECTION, given)


def sending_config(given: Mapping[str, Any]) -> UploadConfig:
    """How to send parts, by the options of `SENDING` and `CONNECTION`.

    Args:
        given: The options' values by name.

    Raises:
        ConfigError: A value makes no sense.
    """
    return _config(together(SENDING, CONNECTION), given)


def upload_config(given: Mapping[str, Any], **more: Any) -> UploadConfig:
    """How to upload, by the options of `UPLOAD_COMMAND`.

    Args:
        given: The options' values by name.
        more: What else `UploadConfig` takes.

    Raises:
        ConfigError: A value makes no sense.
    """
    return _config(UPLOAD_COMMAND, given, **more)


def _config(options: Options, given: Mapping[str, Any], **more: Any) -> UploadConfig:
    """The configuration by those of the options that are named as its attributes."""
    from turboupload.config import UploadConfig

    attributes = {each.name for each in fields(UploadConfig)}
    names = {each.name for each in click.command()(options(lambda: None)).params}
    values = {name: given[name] for name in attributes & names}
    return UploadConfig(
        **{
            **values,
            "region": agreed_region(given),
            "verify_tls": not given["insecure_accept_any_certificate"],
            "transactions_per_s": dict(given["transactions_per_s"]),
            **more,
        }
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
