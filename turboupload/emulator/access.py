"""How clients reach a running emulator: the variables that lead them there, its control routes."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from typing import Any, Final

__all__ = ["ACCESS_KEY", "REGION", "SECRET_KEY", "client_environment", "control"]

ACCESS_KEY: Final = "local"
SECRET_KEY: Final = "local"  # noqa: S105 - public, and of no use elsewhere
REGION: Final = "us-east-1"

_TIMEOUT_S = 30.0


def client_environment(endpoint_url: str, ca_bundle: str | None = None) -> dict[str, str]:
    """The variables that lead every AWS client to this emulator and nowhere else.

    Args:
        endpoint_url: Where it listens.
        ca_bundle: The file of the authority to trust, if it serves HTTPS.
    """
    env = {
        "AWS_ENDPOINT_URL_OMICS": endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # The service's names have prefixes (storage-, control-storage-); an address can't.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return env | ({"AWS_CA_BUNDLE": ca_bundle} if ca_bundle else {})


def control(
    endpoint_url: str,
    method: str,
    route: str,
    body: object = None,
    *,
    ca_bundle: str | None = None,
) -> Any:
    """Calls a control route, `/_emulator/{route}`; `turboupload.emulator.wire.admin` lists them.

    Args:
        endpoint_url: Where the emulator listens.
        method: The HTTP method.
        route: Such as `stats` or `faults`.
        body: Sent as JSON; None sends nothing.
        ca_bundle: The file of the authority to trust, if it serves HTTPS.

    Returns:
        The reply's JSON.

    Raises:
        ValueError: The emulator refused the call.
        OSError: It can't be reached.
    """
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{endpoint_url}/_emulator/{route}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            raise ValueError(json.loads(error.read())["message"]) from None
