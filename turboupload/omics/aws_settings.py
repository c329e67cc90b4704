"""Which settings of AWS's hold, and where each came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.exceptions
import botocore.session

from turboupload.config import UploadConfig
from turboupload.core.doctor.facts import Setting
from turboupload.errors import ConfigError
from turboupload.http.proxies import proxy_for, proxy_variable
from turboupload.http.route import Proxy

__all__ = ["aws_settings"]

_ENDPOINTS = ("AWS_ENDPOINT_URL_OMICS", "AWS_ENDPOINT_URL")
_FILES = (("AWS_CONFIG_FILE", "config_file"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials_file"))


def aws_settings(config: UploadConfig, told: Mapping[str, str]) -> list[Setting]:
    """The settings that have a value, in the order in which one asks for them.

    What makes no sense is left to `open_connection`, which says so.

    Args:
        config: What the options say.
        told: Where an option's value came from, by the option's name.
    """
    session = botocore.session.Session(profile=config.profile)
    variables = os.environ
    found = [*_files(session, variables), *_profile(config, told, variables)]
    try:
        scoped: Mapping[str, Any] = session.get_scoped_config()
    except botocore.exceptions.BotoCoreError:
        scoped = {}
    profile = f"profile {session.profile or 'default'!r}"
    found += _region(config, told, variables, scoped, profile)
    endpoint = _endpoint(config, told, variables, session, scoped, profile)
    found += endpoint
    found += _bundle(config, told, variables, scoped, profile)
    url = endpoint[0].value if endpoint else "https://storage-omics.amazonaws.com"
    return [*found, *_proxy(url, variables)]


def _files(session: Any, variables: Mapping[str, str]) -> Iterator[Setting]:
    for variable, name in _FILES:
        path = os.path.expanduser(str(session.get_config_variable(name)))  # noqa: PTH111 - see above
        if variable in variables or os.path.isfile(path):  # noqa: PTH113 - never raises
            missing = "" if os.path.isfile(path) else ", which is no file"  # noqa: PTH113
            origin = variable if variable in variables else "by default"
            yield Setting(name.replace("_", "-"), f"{path}{missing}", origin)


def _profile(
    config: UploadConfig, told: Mapping[str, str], variables: Mapping[str, str]
) -> Iterator[Setting]:
    if config.profile is not None:
        yield Setting("profile", config.profile, told.get("profile", "the call"))
        return
    for variable in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
        if value := variables.get(variable):
            yield Setting("profile", value, variable)
            return


def _region(
    config: UploadConfig,
    told: Mapping[str, str],
    variables: Mapping[str, str],
    scoped: Mapping[str, Any],
    profile: str,
) -> Iterator[Setting]:
    if config.region is not None:
        yield Setting("region", config.region, told.get("region", "the store's ARN"))
        return
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if value := variables.get(variable):
            yield Setting("region", value, variable)
            return
    if value := scoped.get("region"):
        yield Setting("region", str(value), profile)


def _endpoint(
    config: UploadConfig,
    told: Mapping[str, str],
    variables: Mapping[str, str],
    session: Any,
    scoped: Mapping[str, Any],
    profile: str,
) -> list[Setting]:
    if config.endpoint_url is not None:
        origin = told.get("endpoint_url", "the call")
        return [Setting("endpoint-url", _plain(config.endpoint_url), origin)]
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return []
    for variable in _ENDPOINTS:
        if value := variables.get(variable):
            return [Setting("endpoint-url", _plain(value), variable)]
    services = session.full_config.get("services", {}).get(scoped.get("services"), {})
    named = services.get("omics", {}) if isinstance(services, Mapping) else {}
    value = named.get("endpoint_url") if isinstance(named, Mapping) else None
    value = value or scoped.get("endpoint_url")
    return [Setting("endpoint-url", _plain(str(value)), profile)] if value else []


def _plain(url: str) -> str:
    """A URL without user and password, also where it is none."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rsplit('@', 1)[-1]}"


def _bundle(
    config: UploadConfig,
    told: Mapping[str, str],
    variables: Mapping[str, str],
    scoped: Mapping[str, Any],
    profile: str,
) -> Iterator[Setting]:
    if config.ca_bundle is not None:
        yield Setting("ca-bundle", os.fspath(config.ca_bundle), told.get("ca_bundle", "the call"))
    elif value := variables.get("AWS_CA_BUNDLE"):
        yield Setting("ca-bundle", value, "AWS_CA_BUNDLE")
    elif value := scoped.get("ca_bundle"):
        yield Setting("ca-bundle", str(value), profile)


def _proxy(url: str, variables: Mapping[str, str]) -> Iterator[Setting]:
    name = proxy_variable(url, variables)
    if name is None:
        return
    try:
        usable = proxy_for(url, variables)
    except ConfigError:
        return
    proxy = Proxy.parse(usable or "")
    who = ", with a user and password" if proxy.authorization is not None else ""
    yield Setting("proxy", f"{proxy.host}:{proxy.port}{who}", name)
