"""The environment of a client: only loopback, only made-up credentials."""

from __future__ import annotations

import os
from pathlib import Path

from turboupload.emulator.access import client_environment

__all__ = ["aws_environment"]

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


def aws_environment(endpoint_url: str, ca: Path | None) -> dict[str, str]:
    """What an AWS client needs to find this endpoint and nothing else.

    The rest of our own environment is left out, so that no proxy or profile of the user's changes
    a measurement.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= client_environment(endpoint_url, str(ca) if ca is not None else None)
    return environment | {"NO_PROXY": "*"}
