"""botocore's own client of a running emulator, the way every AWS tool sees the service."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from tests.support.emulator import ACCESS_KEY, REGION, SECRET_KEY, RunningEmulator

__all__ = ["omics_client"]


@cache
def _session() -> Any:
    # It keeps what it has read of botocore's data, which takes ten times as long as the rest.
    return botocore.session.get_session()


def omics_client(
    emulator: RunningEmulator, *, attempts: int = 1, secret_key: str = SECRET_KEY
) -> Any:
    """A client that makes so many attempts at a call."""
    return _session().create_client(
        "omics",
        region_name=REGION,
        endpoint_url=emulator.endpoint_url,
        verify=emulator.ca_bundle,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=secret_key,
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": attempts}),
    )
