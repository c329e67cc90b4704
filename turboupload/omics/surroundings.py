"""What a client is made from beside its configuration: Region, certificates, proxy."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from os.path import expanduser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
import botocore.session

from turboupload.config import UploadConfig
from turboupload.errors import ConfigError
from turboupload.http.proxies import proxy_for

__all__ = ["ca_bundle", "configured_region", "credential_program", "proxies", "region"]


def configured_region(profile: str | None) -> str | None:
    """The Region of a profile, or of AWS_DEFAULT_REGION; None where none is set or can be read.

    Args:
        profile: Its name; None takes AWS_PROFILE or the default.
    """
    try:
        found = botocore.session.Session(profile=profile).get_config_variable("region")
    except botocore.exceptions.BotoCoreError:
        return None
    return str(found) if found else None


async def region(config: UploadConfig, session: Any, *, custom_endpoint: bool) -> str | None:
    """The Region that is set, if it isn't the profile's.

    Raises:
        ConfigError: botocore knows no such Region, or no HealthOmics in it, and the endpoint would
            be AWS's own: its name doesn't exist.
    """
    # botocore itself reads AWS_DEFAULT_REGION alone.
    told = config.region or os.environ.get("AWS_REGION") or None
    wanted = told or session.get_config_variable("region")
    if wanted and not custom_endpoint:
        _check_region(wanted, sorted(await session.get_available_regions("omics")))
    return told


def _check_region(wanted: str, known: list[str]) -> None:
    if wanted in known or not known:
        return
    from difflib import get_close_matches  # needed for a mistake alone

    alike = get_close_matches(wanted, known, n=1)
    meant = f"did you mean {alike[0]}? " if alike else ""
    raise ConfigError(
        f"AWS HealthOmics is in no Region {wanted!r}, as far as the installed botocore knows",
        hint=f"{meant}It is in {', '.join(known)}; a newer botocore may know more, and"
        " --endpoint-url names any other",
    )


def ca_bundle(config: UploadConfig, session: Any) -> str | None:
    """The file of the certificate authorities to trust; None where none is set.

    Raises:
        ConfigError: It is a folder, which not all that use it can read.
    """
    if config.ca_bundle is not None:
        path, where = os.fspath(config.ca_bundle), "--ca-bundle (ca_bundle)"
    else:
        path = session.get_config_variable("ca_bundle")
        where = "AWS_CA_BUNDLE" if os.environ.get("AWS_CA_BUNDLE") else "ca_bundle in the profile"
    if not path:
        return None
    path = expanduser(path)  # noqa: PTH111 - Path raises where there is no such home
    if Path(path).is_dir():
        raise ConfigError(
            f"{where} is a folder, {path}, where a file of certificates is needed",
            hint="name a PEM file; several in one are fine: cat FOLDER/*.pem > FILE",
        )
    return str(path)


def proxies(endpoint: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The proxy before an endpoint, by the endpoint's scheme; see `proxy_for`.

    Raises:
        ConfigError: The environment names one that can't be used.
    """
    found = proxy_for(endpoint, variables)
    return {} if found is None else {urlsplit(endpoint).scheme: found}


def credential_program(session: Any) -> str | None:
    """The `credential_process` of the profile in use, in words; its arguments may be secret."""
    command = session.get_scoped_config().get("credential_process")
    if not command:
        return None
    try:
        program = shlex.split(command)[0]
    except (ValueError, IndexError):
        program = command.split(maxsplit=1)[0] if command.strip() else command
    profile = session.get_config_variable("profile") or "default"
    return f"credential_process {program!r} of profile {profile!r}"
