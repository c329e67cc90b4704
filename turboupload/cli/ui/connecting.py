"""The connection options as the library's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turboupload.config import UploadConfig

__all__ = ["connection_config"]


def connection_config(given: Mapping[str, Any]) -> UploadConfig:
    """How to reach the service, by the options of `options.connection_options`.

    Args:
        given: The options' values by name.

    Raises:
        ConfigError: A value makes no sense.
    """
    return UploadConfig(
        region=given["region"],
        profile=given["profile"],
        endpoint_url=given["endpoint_url"],
        ca_bundle=given["ca_bundle"],
        verify_tls=not given["insecure_accept_any_certificate"],
        connect_timeout_s=given["connect_timeout"],
        stall_timeout_s=given["stall_timeout"],
        give_up_after_s=given["give_up_after"],
        state_dir=given["state_dir"],
    )
