"""Judges the answers to harmless calls: permissions, and the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from turboupload import operations
from turboupload.core.doctor.facts import Asked, ServiceLook
from turboupload.core.doctor.line import Line, failure_of
from turboupload.core.rate.retry import NOT_FOUND, concerns_the_account, explain, may_retry
from turboupload.core.records import SequenceStoreDetails
from turboupload.errors import CallFailed, LinkFailed

__all__ = ["NETWORK_ADVICE", "judge_permissions", "judge_store", "permissions_unknown"]

_QUOTA_USED_UP: Final = 402

NEEDED: Final = frozenset(
    {
        operations.LIST_READ_SETS.name,
        operations.LIST_UPLOADS.name,
        operations.LIST_PARTS.name,
        operations.GET_READ_SET.name,
    }
)
"""The operations of every upload that can be called without changing anything."""

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
"""The operations that can't be called without making or ending something."""


NETWORK_ADVICE: Final[Mapping[str, str]] = {
    "dns": "check --region, --endpoint-url and this machine's DNS",
    "connect": "check --endpoint-url and its port, firewalls, and the route (in a VPC: the "
    "endpoint's security group)",
    "proxy": "check HTTPS_PROXY, or list the host in NO_PROXY",
    "tls": "if the service or a proxy has a certificate authority of its own, name it with "
    "--ca-bundle; check this machine's clock, too",
    "stalled": "check firewalls and proxies",
}
"""By where a connection failed."""


def judge_permissions(look: ServiceLook) -> Iterator[Line]:
    """What the calls say of each permission."""
    links = [each.failure for each in look.asked if isinstance(each.failure, LinkFailed)]
    if links and len(links) == len(look.asked):
        yield from _unanswered(links[0], look)
        return
    account = next((f for a in look.asked if (f := a.failure) and _of_the_account(f)), None)
    if isinstance(account, CallFailed):
        error = explain(account, endpoint=look.endpoint)
        yield failure_of("credentials", error, code=account.code)
        yield permissions_unknown("the service refuses the credentials")
        return
    for each in look.asked:
        yield _permission(each, look)
    yield permissions_unknown("asking would make or end something", some=True)


def _of_the_account(failure: CallFailed | LinkFailed) -> bool:
    """Whether the refusal is about the caller, not about the operation."""
    return (
        isinstance(failure, CallFailed)
        and concerns_the_account(failure)
        and failure.status != _QUOTA_USED_UP
        and failure.code != "AccessDeniedException"
    )


def _unanswered(failure: LinkFailed, look: ServiceLook) -> Iterator[Line]:
    """No call was answered; a host that can't be reached was reported already."""
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
    yield permissions_unknown("the service can't be asked")


_LINK_ADVICE: Final[Mapping[str, str]] = {
    **NETWORK_ADVICE,
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
    if isinstance(failure, CallFailed) and failure.code == NOT_FOUND:
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


def permissions_unknown(why: str, *, some: bool = False) -> Line:
    """A line on permissions that no call tested.

    Args:
        why: Why not, in words.
        some: Only those that can't be asked harmlessly.
    """
    names = [f"omics:{each.name}" for each in _CHANGING] if some else ["all of them"]
    return Line(
        topic="permission",
        level="unknown",
        text=f"{', '.join(names)}: {why}",
        advice="`turboupload bench` finds out about Create, UploadReadSetPart and Abort" * some
        or None,
    )


def judge_store(look: ServiceLook) -> Iterator[Line]:
    """The store, and whether it takes uploads."""
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
