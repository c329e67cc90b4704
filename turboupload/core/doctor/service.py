"""Judges what was found over the network: credentials, hosts and the clock, and in what order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from turboupload.core.doctor.facts import Caller, Credentials, HostLook, ServiceLook
from turboupload.core.doctor.line import Level, Line, failure_of
from turboupload.core.doctor.permissions import (
    NETWORK_ADVICE,
    judge_permissions,
    judge_store,
    permissions_unknown,
)
from turboupload.units import format_duration

__all__ = ["judge_service", "reached"]

NOTICEABLE_SKEW_S: Final = 60.0
WRONG_SKEW_S: Final = 300.0
"""A signature is good for 5 to 15 minutes."""

SOON_S: Final = 3600.0
"""Credentials that end within an hour may end in the middle of an upload."""

SLOW_RESOLVE_S: Final = 1.0


def judge_service(look: ServiceLook, now: datetime) -> Iterator[Line]:
    """All that was found out over the network, in the order of the way there.

    Args:
        look: What was found.
        now: By this machine's clock.
    """
    yield Line(
        topic="service",
        level="ok",
        text=f"Region {look.place}" if look.endpoint is None else f"endpoint {look.endpoint}",
        facts={"where": look.place, "endpoint": look.endpoint},
    )
    yield from _credentials(look, now)
    for host in look.hosts:
        yield _host(host, custom=look.endpoint is not None)
    if look.credentials is None:
        yield permissions_unknown("without credentials nothing can be asked")
        return
    yield _clock(look.skew_s)
    yield from judge_permissions(look)
    yield from judge_store(look)


def reached(look: ServiceLook) -> bool:
    """Whether the service has answered a call well."""
    return any(each.failure is None for each in look.asked)


# --- credentials ------------------------------------------------------------------------------


def _credentials(look: ServiceLook, now: datetime) -> Iterator[Line]:
    if look.credentials_error is not None:
        yield failure_of("credentials", look.credentials_error)
        return
    if look.credentials is None:
        yield Line(
            topic="credentials",
            level="failure",
            text="no AWS credentials are configured",
            advice="set AWS_PROFILE or --profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            blame="settings",
        )
        return
    yield _key(look.credentials, now)
    yield _caller(look.caller)


def _key(found: Credentials, now: datetime) -> Line:
    left_s = None if found.expires_at is None else (found.expires_at - now).total_seconds()
    level: Level = "ok"
    until, advice = "", None
    if found.expires_at is not None and left_s is not None:
        until = f", until {found.expires_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if left_s < SOON_S:
            level = "warning"
            until += f" ({format_duration(left_s)} left)" if left_s > 0 else " (that is past)"
            advice = "where they can't be renewed by themselves, renew them before a long upload"
    return Line(
        topic="credentials",
        level=level,
        text=f"access key {found.key_id} from {found.provider}{until}",
        advice=advice,
        facts={
            "key_id": found.key_id,
            "provider": found.provider,
            "expires_at": found.expires_at,
        },
    )


def _caller(caller: Caller) -> Line:
    facts = {"arn": caller.arn, "account": caller.account}
    if caller.arn is None:
        return Line(
            topic="caller", level="unknown", text=f"whose they are: {caller.unknown}", facts=facts
        )
    return Line(
        topic="caller", level="ok", text=f"{caller.arn}, account {caller.account}", facts=facts
    )


# --- the way there ------------------------------------------------------------------------------


def _host(look: HostLook, *, custom: bool) -> Line:
    place = f"{look.role}: {look.host}:{look.port}"
    through = f" through the proxy {look.proxy}" if look.proxy else ""
    facts = {
        "role": look.role,
        "host": look.host,
        "port": look.port,
        "proxy": look.proxy,
        "addresses": list(look.addresses),
        "resolve_s": look.resolve_s,
        "connect_s": look.connect_s,
        "tls_s": look.tls_s,
        "tls": look.tls,
        "failed": look.failed,
    }
    if look.failed is not None:
        return Line(
            topic="network",
            level="failure",
            text=f"{place}{through} can't be reached: {look.message} ({look.failed})",
            advice=NETWORK_ADVICE.get(look.failed, "check --endpoint-url and the network"),
            blame="service",
            facts=facts,
        )
    steps = [("name", look.resolve_s), ("connection", look.connect_s), ("TLS", look.tls_s)]
    times = ", ".join(f"{name} {1000 * taken:.1f} ms" for name, taken in steps if taken is not None)
    plain = look.tls is None and not look.host.startswith(("127.", "localhost", "::1"))
    slow = look.resolve_s is not None and look.resolve_s > SLOW_RESOLVE_S
    advice = None
    if plain and custom:
        advice = "without TLS anyone on the way can read and change the data: use https://"
    elif slow:
        advice = "look-ups of names are slow: check this machine's DNS servers"
    return Line(
        topic="network",
        level="warning" if advice else "ok",
        text=f"{place}{through}: {times}{f', {look.tls}' if look.tls else ', without TLS'}",
        advice=advice,
        facts=facts,
    )


def _clock(skew_s: float | None) -> Line:
    if skew_s is None:
        return Line(topic="clock", level="unknown", text="no reply told the service's time")
    facts = {"skew_s": round(skew_s, 1)}
    off = abs(skew_s)
    way = "ahead of" if skew_s > 0 else "behind"
    if off < NOTICEABLE_SKEW_S:
        text = "as the service's, as far as a reply tells"
        return Line(topic="clock", level="ok", text=text, facts=facts)
    text = f"this machine's clock is {format_duration(off)} {way} the service's"
    advice = "set it, and keep it right with NTP: a signature is good for 5 to 15 minutes"
    if off < WRONG_SKEW_S:
        return Line(topic="clock", level="warning", text=text, advice=advice, facts=facts)
    return Line(
        topic="clock", level="failure", text=text, advice=advice, blame="settings", facts=facts
    )
