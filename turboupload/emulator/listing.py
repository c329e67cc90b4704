"""Pages of rows, with tokens that say nothing to anyone but the service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from turboupload.emulator.config import ListingOrder
from turboupload.emulator.errors import ServiceError

__all__ = ["Pager"]

Row = TypeVar("Row")
Key = tuple[Any, ...]

_MAC_BYTES = 16


class Pager:
    """Cuts listings into pages.

    A page goes on after the last row of the page before, whatever was added or removed meanwhile.

    Arguments:
        secret: Signs the tokens, so that one made up, or taken from another listing, is refused.
        page_size: Rows on a page at most.
        order: The order of the rows; `shuffled` is the same disorder every time.
    """

    def __init__(self, *, secret: bytes, page_size: int, order: ListingOrder) -> None:
        self._secret = secret
        self._page_size = page_size
        self._order = order

    def page(
        self,
        rows: Iterable[Row],
        params: Mapping[str, Any],
        *,
        operation: str,
        key: Callable[[Row], Key],
    ) -> tuple[list[Row], str | None]:
        """One page of `rows`, and the token of the next one if there is more.

        Arguments:
            rows: All rows that match.
            params: The request's checked input; `maxResults` and `nextToken` are read from it,
                and everything else must be as it was on the page before.
            operation: The listing's name.
            key: What is unique about a row, and its natural order.
        """
        scope = _scope(operation, params)
        backwards = self._order == "descending"
        ranked = sorted(((self._rank(key(row)), row) for row in rows), key=lambda each: each[0])
        if backwards:
            ranked.reverse()
        token = params.get("nextToken")
        if token is not None:
            last = self._rank(self._open(token, scope))
            ranked = [
                (rank, row) for rank, row in ranked if (rank < last if backwards else rank > last)
            ]
        size = min(params.get("maxResults", self._page_size), self._page_size)
        page = [row for _, row in ranked[:size]]
        following = self._seal(key(page[-1]), scope) if len(ranked) > size else None
        return page, following

    def _rank(self, key: Key) -> Key:
        if self._order == "shuffled":
            return (hashlib.sha256(json.dumps(key).encode()).hexdigest(),)
        return key

    def _mac(self, payload: bytes, scope: bytes) -> bytes:
        return hmac.digest(self._secret, scope + b"\n" + payload, "sha256")[:_MAC_BYTES]

    def _seal(self, key: Key, scope: bytes) -> str:
        payload = json.dumps(key).encode()
        return base64.urlsafe_b64encode(self._mac(payload, scope) + payload).decode()

    def _open(self, token: str, scope: bytes) -> Key:
        try:
            sealed = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        except ValueError:
            sealed = b""
        mac, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not payload or not hmac.compare_digest(mac, self._mac(payload, scope)):
            raise ServiceError("ValidationException", "Invalid value for member 'nextToken'.")
        return tuple(json.loads(payload))


def _scope(operation: str, params: Mapping[str, Any]) -> bytes:
    asked = {
        name: value for name, value in params.items() if name not in ("maxResults", "nextToken")
    }
    return json.dumps([operation, asked], sort_keys=True, default=str).encode()
