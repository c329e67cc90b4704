"""Judges what was found over the network: credentials, hosts, clock, permissions, the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from turboupload import operations
from turboupload.core.doctor.facts import Asked, Caller, Credentials, HostLook, ServiceLook
from turboupload.core.doctor.line import Level, Line, failure_of
from turboupload.core.rate.retry import concerns_the_account, explain, may_retry
from turboupload.core.records import SequenceStoreDetails
from turboupload.errors import CallFailed, LinkFailed
from turboupload.units import format_duration

__all__ = ["judge_service", "reached"]

NOTICEABLE_SKEW_S: Final = 60.0
WRONG_SKEW_S: Final = 300.0
"""A signature is good for 5 to 15 minutes."""

SOON_S: Final = 3600.0
"""Credentials that end within an hour may end in the middle of an upload."""

SLOW_RESOLVE_S: Final = 1.0

_NOT_FOUND: Final = "ResourceNotFoundException"
_QUOTA_USED_UP: Final = 402

NEEDED: Final = frozenset(
    {
        operations.LIST_READ_SETS.name,
        operations.LIST_UPLOADS.name,
        operations.LIST_PARTS.name,
        operations.GET_READ_SET.name,
    }
)
"""What every upload asks, of what can be asked harmlessly."""

_ABOUT_THE_STORE: Final = frozenset({operations.LIST_READ_SETS.name, operations.LIST_UPLOADS.name})

_FOR: Final[Mapping[str, str]] = {
    operations.GET_STORE.name: "only this command asks it",
    operations.LIST_STORES.name: "`stores list` does, and to name a store by its name",
    operations.LIST_IMPORT_JOBS.name: "`import` does",
}
"""What the others are needed for."""

_CHANGING: Final = (
    operations.CREATE_UPLOAD,
    operations.SEND_PART,
    operations.COMPLETE_UPLOAD,
    operations.ABORT_UPLOAD,
    operations.START_IMPORT_JOB,
)
"""What can't be asked without making or ending something."""


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
        yield _permissions_unknown("without credentials nothing can be asked")
        return
    yield _clock(look.skew_s)
    yield from _permissions(look)
    yield from _store(look)


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

_HOST_ADVICE: Final[Mapping[str, str]] = {
    "dns": "check --region, --endpoint-url and this machine's DNS",
    "connect": "check --endpoint-url and its port, firewalls, and the route (in a VPC: the "
    "endpoint's security group)",
    "proxy": "check HTTPS_PROXY, or list the host in NO_PROXY",
    "tls": "if the service or a proxy has a certificate authority of its own, name it with "
    "--ca-bundle; check this machine's clock, too",
    "stalled": "check firewalls and proxies",
}


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
            advice=_HOST_ADVICE.get(look.failed, "check --endpoint-url and the network"),
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


# --- permissions and the store --------------------------------------------------------------------


def _permissions(look: ServiceLook) -> Iterator[Line]:
    links = [each.failure for each in look.asked if isinstance(each.failure, LinkFailed)]
    if links and len(links) == len(look.asked):
        yield from _unanswered(links[0], look)
        return
    account = next((f for a in look.asked if (f := a.failure) and _of_the_account(f)), None)
    if isinstance(account, CallFailed):
        error = explain(account, endpoint=look.endpoint)
        yield failure_of("credentials", error, code=account.code)
        yield _permissions_unknown("the service refuses the credentials")
        return
    for each in look.asked:
        yield _permission(each, look)
    yield _permissions_unknown("asking would make or end something", some=True)


def _of_the_account(failure: CallFailed | LinkFailed) -> bool:
    """Whether it is about who asks, and not about what is asked."""
    return (
        isinstance(failure, CallFailed)
        and concerns_the_account(failure)
        and failure.status != _QUOTA_USED_UP
        and failure.code != "AccessDeniedException"
    )


def _unanswered(failure: LinkFailed, look: ServiceLook) -> Iterator[Line]:
    """No call was answered; where a host can't be reached, that is told already."""
    if all(host.failed is None for host in look.hosts):
        error = explain(failure, answered_before=False, endpoint=look.endpoint)
        yield Line(
            topic="service",
            level="failure",
            text=f"the service gave no usable answer: {failure.message}",
            advice=failure.hint or _LINK_ADVICE.get(failure.fault) or error.hint,
            blame="service",
            facts={"fault": failure.fault},
        )
    yield _permissions_unknown("the service can't be asked")


_LINK_ADVICE: Final[Mapping[str, str]] = {
    **_HOST_ADVICE,
    "lost": "something on the way breaks connections: check firewalls and proxies",
    "bad_reply": "what answers is not HealthOmics: check --endpoint-url and proxies",
    "between": "look for a proxy (HTTPS_PROXY, NO_PROXY), a network that wants a sign-in first, or "
    "a wrong --endpoint-url",
    "local": "this is a matter of this machine and its packages, not of the service",
}


def _permission(asked: Asked, look: ServiceLook) -> Line:
    name, failure = asked.operation, asked.failure
    facts = {"operation": name, "answer": "allowed"}
    if failure is None:
        return Line(topic="permission", level="ok", text=f"omics:{name}: allowed", facts=facts)
    if isinstance(failure, CallFailed) and failure.code == _NOT_FOUND:
        facts["answer"] = "allowed" if asked.made_up and _is_there(look) else "unknown"
        if asked.made_up and _is_there(look):
            text = f"omics:{name}: not refused (a made-up id is not found, as it should be)"
            return Line(topic="permission", level="ok", text=text, facts=facts)
        text = f"omics:{name}: the store is not found"
        return Line(topic="permission", level="unknown", text=text, facts=facts)
    facts["answer"] = "unknown"
    if may_retry(failure) or isinstance(failure, LinkFailed):
        return Line(
            topic="permission",
            level="warning",
            text=f"omics:{name}: no good answer: {failure.message}",
            advice="it was asked once: run this command again",
            facts=facts,
        )
    facts["answer"] = "refused"
    error = explain(failure, endpoint=look.endpoint)
    if name in NEEDED:
        return Line(
            topic="permission",
            level="failure",
            text=f"omics:{name}: {error.message}",
            advice=error.hint,
            blame="service",
            facts=facts,
        )
    text = f"omics:{name}: refused, and no upload needs it: {_FOR[name]}"
    return Line(topic="permission", level="ok", text=text, facts=facts)


def _is_there(look: ServiceLook) -> bool:
    """Whether the store is there: some call about it was answered."""
    return look.store is not None or any(
        each.failure is None for each in look.asked if each.operation in _ABOUT_THE_STORE
    )


def _permissions_unknown(why: str, *, some: bool = False) -> Line:
    names = [f"omics:{each.name}" for each in _CHANGING] if some else ["all of them"]
    return Line(
        topic="permission",
        level="unknown",
        text=f"{', '.join(names)}: {why}",
        advice="`turboupload bench` finds out about Create, UploadReadSetPart and Abort" * some
        or None,
    )


def _store(look: ServiceLook) -> Iterator[Line]:
    if look.store_error is not None:
        yield failure_of("store", look.store_error)
    if look.store is not None:
        yield _known_store(look.store)
    elif not look.named:
        text = "none was named, and what takes one was not asked"
        advice = "name it with --store"
        yield Line(topic="store", level="unknown", text=text, advice=advice)


def _known_store(store: SequenceStoreDetails) -> Line:
    usable = store.status in (None, "ACTIVE", "UPDATING")
    details = [
        f"state {store.status or 'not told'}",
        f"ETags {store.etag_algorithm_family or 'not told'}",
        f"key {store.encryption_key_arn}" if store.encryption_key_arn else "",
        f"fallback {store.fallback_location}" if store.fallback_location else "",
        store.status_message or "",
    ]
    name = f"{store.name} ({store.store_id})" if store.name else store.store_id
    facts = {
        "store_id": store.store_id,
        "name": store.name,
        "arn": store.arn,
        "status": store.status,
        "etag_algorithm_family": store.etag_algorithm_family,
        "encryption_key_arn": store.encryption_key_arn,
        "fallback_location": store.fallback_location,
    }
    text = f"{name}: {', '.join(filter(None, details))}"
    if usable:
        return Line(topic="store", level="ok", text=text, facts=facts)
    return Line(
        topic="store",
        level="failure",
        text=text,
        advice="a store takes uploads when it is ACTIVE: wait, or name another one",
        blame="service",
        facts=facts,
    )
