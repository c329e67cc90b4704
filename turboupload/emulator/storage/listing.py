"""Filters, and pages of rows with opaque tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from turboupload.emulator.errors import ServiceError
from turboupload.emulator.world import World, Worlds

__all__ = ["Pager", "matches_text", "wanted_of", "within"]

Row = TypeVar("Row")
Key = tuple[Any, ...]

_MAC_BYTES = 16


class Pager:
    """Cuts listings into pages.

    A page continues after the last row of the page before, even if rows were added or removed.

    Arguments:
        secret: Signs the tokens, so that a forged one, or one of another listing, is refused.
        worlds: How the service behaves: page sizes, orders and the validity of tokens.
        clock: Seconds since the epoch.
    """

    def __init__(self, *, secret: bytes, worlds: Worlds, clock: Callable[[], float]) -> None:
        self._secret = secret
        self._worlds = worlds
        self._clock = clock
        self._spent: set[str] = set()

    def page(
        self,
        rows: Iterable[Row],
        params: Mapping[str, Any],
        *,
        operation: str,
        key: Callable[[Row], Key],
        newest_first: bool = False,
    ) -> tuple[list[Row], str | None]:
        """One page of `rows`, and the token of the next one if there are more.

        Arguments:
            rows: All rows that match.
            params: The request's checked input; `maxResults` and `nextToken` are read from it, and
                everything else must be the same as for the page before.
            operation: The listing's name.
            key: A row's unique key, which is also its natural order.
            newest_first: Whether the recorded order is the reverse.
        """
        scope = _scope(operation, params)
        world = self._worlds.current
        backwards = newest_first != (world.listing_order == "reversed")
        ranked = sorted(((self._rank(key(row)), row) for row in rows), key=lambda each: each[0])
        if backwards:
            ranked.reverse()
        token = params.get("nextToken")
        if token is not None:
            last = self._rank(self._open(token, scope, world))
            ranked = [
                (rank, row) for rank, row in ranked if (rank < last if backwards else rank > last)
            ]
        size = min(params.get("maxResults", world.page_size), world.page_size)
        page = [row for _, row in ranked[:size]]
        following = self._seal(key(page[-1]), scope) if len(ranked) > size else None
        return page, following

    def _rank(self, key: Key) -> Key:
        if self._worlds.current.listing_order == "shuffled":
            return (hashlib.sha256(json.dumps(key).encode()).hexdigest(),)
        return key

    def _mac(self, payload: bytes, scope: bytes) -> bytes:
        return hmac.digest(self._secret, scope + b"\n" + payload, "sha256")[:_MAC_BYTES]

    def _seal(self, key: Key, scope: bytes) -> str:
        payload = json.dumps([self._clock(), *key]).encode()
        return base64.urlsafe_b64encode(self._mac(payload, scope) + payload).decode()

    def _open(self, token: str, scope: bytes, world: World) -> Key:
        try:
            sealed = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        except ValueError:
            sealed = b""
        mac, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not payload or not hmac.compare_digest(mac, self._mac(payload, scope)):
            raise _bad_token()
        made, *key = json.loads(payload)
        lives = world.page_tokens_live_s
        if lives is not None and made + lives <= self._clock():
            raise _bad_token()
        if world.page_tokens == "once":
            if token in self._spent:
                raise _bad_token()
            self._spent.add(token)
        return tuple(key)


def _bad_token() -> ServiceError:
    return ServiceError("ValidationException", "Invalid value for member 'nextToken'.")


def wanted_of(world: World, params: Mapping[str, Any]) -> dict[str, Any]:
    """The filter of a request, unless the service ignores filters."""
    wanted: dict[str, Any] = {} if world.filters == "ignored" else params.get("filter", {})
    return wanted


def matches_text(world: World, text: str | None, wanted: str) -> bool:
    """Whether a text passes a filter, in the way in which the service compares."""
    found = text or ""
    return found.startswith(wanted) if world.filters == "prefix" else found == wanted


def within(moment: float, after: datetime | None, before: datetime | None) -> bool:
    """Whether a time in seconds since the epoch is later than `after` and earlier than `before`."""
    return (after is None or moment > after.timestamp()) and (
        before is None or moment < before.timestamp()
    )


def _scope(operation: str, params: Mapping[str, Any]) -> bytes:
    asked = {
        name: value for name, value in params.items() if name not in ("maxResults", "nextToken")
    }
    return json.dumps([operation, asked], sort_keys=True, default=str).encode()
