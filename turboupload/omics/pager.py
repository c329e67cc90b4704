"""A listing, read page by page as its rows are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import replace
from typing import Final, Generic, Protocol, TypeVar

from turboupload.core.limits import MAX_PAGE_ROWS
from turboupload.core.rate.retry import may_retry
from turboupload.errors import CallFailed, ConfigError, LinkFailed
from turboupload.omics.base import Page

__all__ = ["Listed", "Listing", "all_pages"]

MOST_BEGINNINGS: Final = 5
"""How often a listing is begun whose tokens are refused on the way."""


class Listed(Protocol):
    """A row of a listing."""

    @property
    def row_id(self) -> Hashable:
        """What tells it from other rows."""
        ...


Row = TypeVar("Row", bound=Listed)


async def all_pages(
    ask: Callable[[str | None], Awaitable[Page[Row]]], *, first: str | None = None
) -> AsyncIterator[Page[Row]]:
    """The pages of a listing, each row once.

    A page without rows is not the end, only one without a token is; a token that comes again ends
    it too, since it would lead round in a circle.

    How long the token of a page is good, and whether it is good more than once, is documented
    nowhere. Where a page is refused that a token of this listing leads to, the token may have
    expired, or an earlier try of this very page have used it up whose reply was lost. What the
    service calls that is not documented either. So the listing is begun again after any refusal:
    one of another kind comes at the first page, too. Rows that were given are not given again.

    Args:
        ask: Brings the page of a token.
        first: The token of the first page, None for the listing's own.

    Raises:
        CallFailed: The first page was refused, or pages after it again and again.
        LinkFailed: No answer came.
    """
    given: set[Hashable] = set()
    beginnings = 1
    seen: set[str | None] = set()
    token = first
    while token not in seen:
        seen.add(token)
        try:
            page = await ask(token)
        except CallFailed as failure:
            if token == first or may_retry(failure) or beginnings == MOST_BEGINNINGS:
                raise
            beginnings += 1
            seen.clear()
            token = first
            continue
        if beginnings > 1:
            page = replace(page, rows=tuple(row for row in page.rows if row.row_id not in given))
        given.update(row.row_id for row in page.rows)
        yield page
        if page.next_token is None:
            return
        token = page.next_token


class Listing(Generic[Row]):
    """A listing of the service; each page is asked for when its rows are.

    Iterating gives the rows of all pages, each once. Each iteration asks anew. Where the service
    refuses a page's token on the way, such as one that has expired, it is begun again.

    Args:
        ask: Brings the page of a token, with so many rows at most.
        page_size: Rows of a page at most, 1 to 100; the service may give fewer.
        next_token: Begin with the page of this token, which an earlier listing gave.
        explained: The error that is raised for a failure of the boundary.

    Raises:
        ConfigError: The page's size is out of range.

    Example:
        ```python
        async for read_set in stores.list_read_sets("1234567890"):
            print(read_set.name, read_set.status)
        ```
    """

    def __init__(
        self,
        ask: Callable[[str | None, int], Awaitable[Page[Row]]],
        *,
        page_size: int = MAX_PAGE_ROWS,
        next_token: str | None = None,
        explained: Callable[[CallFailed | LinkFailed], Exception] = lambda failure: failure,
    ) -> None:
        if not 1 <= page_size <= MAX_PAGE_ROWS:
            raise ConfigError(f"a page has 1 to {MAX_PAGE_ROWS} rows, not {page_size}")
        self._ask = ask
        self._page_size = page_size
        self._next_token = next_token
        self._explained = explained

    def __aiter__(self) -> AsyncIterator[Row]:
        """The rows of all pages, in the service's order."""
        return self._rows()

    async def _rows(self) -> AsyncIterator[Row]:
        async for page in self.pages():
            for row in page.rows:
                yield row

    async def pages(self) -> AsyncIterator[Page[Row]]:
        """The pages as they come, with the token that leads to the next."""
        pages = all_pages(lambda token: self._ask(token, self._page_size), first=self._next_token)
        try:
            async for page in pages:
                yield page
        except (CallFailed, LinkFailed) as failure:
            explained = self._explained(failure)
            if explained is failure:
                raise
            raise explained from failure
