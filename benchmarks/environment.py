"""The environment of a client: only loopback, only made-up credentials."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["aws_environment"]

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


def aws_environment(endpoint_url: str, ca: Path | None) -> dict[str, str]:
    """What an AWS client needs to find this endpoint and nothing else.

    The rest of our own environment is left out, so that no proxy or profile of the user's changes
    a measurement.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "AWS_ENDPOINT_URL_OMICS": endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
    }
    if ca is not None:
        environment["AWS_CA_BUNDLE"] = str(ca)
    return environment
