"""A listing, read page by page on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

from turboupload.core.rate.retry import may_retry
from turboupload.errors import CallFailed, ConfigError, LinkFailed
from turboupload.limits import MAX_PAGE_ROWS
from turboupload.omics.base import Page

__all__ = ["Listed", "Listing", "all_pages"]

MAX_STARTS: Final = 5
"""How often a listing is started before it has a row more than the last time."""


class Listed(Protocol):
    """A row of a listing."""

    @property
    def row_id(self) -> Hashable:
        """The id, which distinguishes it from other rows."""
        ...


Row = TypeVar("Row", bound=Listed)


async def all_pages(
    ask: Callable[[str | None], Awaitable[Page[Row]]], *, first: str | None = None
) -> AsyncIterator[Page[Row]]:
    """The pages of a listing, each row once.

    An empty page is not the end, only a page without a token is; a repeated token ends the listing,
    too, since it would loop.

    How long a token is valid, and whether it can be used twice, isn't documented. If the service
    refuses a token of this listing, it may have expired, or an earlier try whose reply was lost may
    have used it. The error code for that isn't documented either. So the listing starts again after
    any refusal: a refusal for another reason comes at the first page, too. It starts again as long
    as that brings rows: where tokens live shorter than the caller takes for a page, each start
    brings one page more. No row is yielded twice, also where pages overlap: a token may stand for a
    number of rows, and a new row comes first.

    Args:
        ask: Gets the page of a token.
        first: The token of the first page, None for the listing's own.

    Raises:
        CallFailed: The first page was refused, or pages after it again and again without a new row.
        LinkFailed: No answer came.
    """
    given: set[Hashable] = set()
    starts = 1
    seen: set[str | None] = set()
    token = first
    while token not in seen:
        seen.add(token)
        try:
            page = await ask(token)
        except CallFailed as failure:
            if token == first or may_retry(failure) or starts == MAX_STARTS:
                raise
            starts += 1
            seen.clear()
            token = first
            continue
        fresh = {row.row_id: row for row in page.rows if row.row_id not in given}
        if fresh:
            given.update(fresh)
            starts = 1
        yield Page(tuple(fresh.values()), page.next_token)
        if page.next_token is None:
            return
        token = page.next_token


class Listing(Generic[Row]):
    """A listing of the service; each page is requested when its rows are needed.

    Iterating yields the rows of all pages, each once. Each iteration requests them anew. If the
    service refuses a page's token, such as an expired one, the listing starts again.

    Args:
        ask: Gets the page of a token, with at most that many rows.
        page_size: The most rows of a page, 1 to 100; the service may return fewer.
        next_token: The token of the first page, from an earlier listing.
        explained: Makes the error to raise from a failure of the boundary.

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
        if not (isinstance(page_size, int) and 1 <= page_size <= MAX_PAGE_ROWS):
            raise ConfigError(f"a page has 1 to {MAX_PAGE_ROWS} rows, not {page_size!r}")
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
        """The pages, each with the token of the next."""
        pages = all_pages(lambda token: self._ask(token, self._page_size), first=self._next_token)
        try:
            async for page in pages:
                yield page
        except (CallFailed, LinkFailed) as failure:
            explained = self._explained(failure)
            if explained is failure:
                raise
            raise explained from failure
