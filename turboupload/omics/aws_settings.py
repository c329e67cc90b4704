"""Which AWS settings are in effect, and where each came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

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
    """The settings that have a value, files and profile first.

    Invalid values are left to `open_connection`, which reports them.

    Args:
        config: What the options say.
        told: Where an option's value came from, by the option's name.
    """
    session = botocore.session.Session(profile=config.profile)
    variables = os.environ
    found = [*_files(session, variables), *_profile(config, told, variables)]
    here = _Profile.of(session)
    found += _region(config, told, variables, here)
    endpoint = list(_endpoint(config, told, variables, here))
    found += [*endpoint, *_bundle(config, told, variables, here)]
    url = endpoint[0].value if endpoint else "https://storage-omics.amazonaws.com"
    return [*found, *_proxy(url, variables)]


@dataclass(frozen=True, slots=True)
class _Profile:
    """What the profile in use says.

    Attributes:
        name: In words.
        values: Its own settings; none if there is no such profile.
        endpoint_url: The service's endpoint, of the profile's `services` or for all services.
        no_endpoints: Whether endpoints of variables and profiles are to be ignored.
    """

    name: str
    values: Mapping[str, Any]
    endpoint_url: str | None = None
    no_endpoints: bool = False

    @classmethod
    def of(cls, session: Any) -> Self:
        name = f"profile {session.profile or 'default'!r}"
        try:
            values = session.get_scoped_config()
            ignored = session.get_config_variable("ignore_configured_endpoint_urls")
            services = session.full_config.get("services", {}).get(values.get("services"), {})
        except botocore.exceptions.BotoCoreError:
            return cls(name, {})
        ours = services.get("omics") if isinstance(services, Mapping) else None
        url = (ours.get("endpoint_url") if isinstance(ours, Mapping) else None) or values.get(
            "endpoint_url"
        )
        return cls(name, values, str(url) if url else None, bool(ignored))


def _files(session: Any, variables: Mapping[str, str]) -> Iterator[Setting]:
    for variable, name in _FILES:
        path = os.path.expanduser(str(session.get_config_variable(name)))  # noqa: PTH111 - Path raises where there is no such home
        there = os.path.exists(path)  # noqa: PTH110 - never raises
        if variable in variables or there:
            origin = variable if variable in variables else "by default"
            missing = "" if there else ", which is not there"
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
    profile: _Profile,
) -> Iterator[Setting]:
    if config.region is not None:
        yield Setting("region", config.region, told.get("region", "the store's ARN"))
        return
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if value := variables.get(variable):
            yield Setting("region", value, variable)
            return
    if value := profile.values.get("region"):
        yield Setting("region", str(value), profile.name)


def _endpoint(
    config: UploadConfig, told: Mapping[str, str], variables: Mapping[str, str], profile: _Profile
) -> Iterator[Setting]:
    name = "endpoint-url"
    if config.endpoint_url is not None:
        yield Setting(name, _plain(config.endpoint_url), told.get("endpoint_url", "the call"))
        return
    if profile.no_endpoints:
        return
    for variable in _ENDPOINTS:
        if value := variables.get(variable):
            yield Setting(name, _plain(value), variable)
            return
    if profile.endpoint_url:
        yield Setting(name, _plain(profile.endpoint_url), profile.name)


def _plain(url: str) -> str:
    """A URL without user and password, also where it is none."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rsplit('@', 1)[-1]}"


def _bundle(
    config: UploadConfig,
    told: Mapping[str, str],
    variables: Mapping[str, str],
    profile: _Profile,
) -> Iterator[Setting]:
    if config.ca_bundle is not None:
        yield Setting("ca-bundle", os.fspath(config.ca_bundle), told.get("ca_bundle", "the call"))
    elif value := variables.get("AWS_CA_BUNDLE"):
        yield Setting("ca-bundle", value, "AWS_CA_BUNDLE")
    elif value := profile.values.get("ca_bundle"):
        yield Setting("ca-bundle", str(value), profile.name)


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
