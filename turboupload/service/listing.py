"""A listing, read page by page as its rows are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from turboupload.core.limits import MAX_PAGE_ROWS
from turboupload.errors import ConfigError
from turboupload.service.base import Page
from turboupload.service.catalogue import Paging

__all__ = ["Listing"]

Row = TypeVar("Row")


class Listing(Generic[Row]):
    """A listing of the service; each page is asked for when its rows are.

    Iterating gives the rows of all pages. A page without rows is not the end, only one without a
    token is; a token that comes again ends it too, since it would lead round in a circle. Each
    iteration asks anew.

    Args:
        ask: Brings a page.
        page_size: Rows of a page at most, 1 to 100; the service may give fewer.
        next_token: Begin with the page of this token, which an earlier listing gave.

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
        ask: Callable[[Paging], Awaitable[Page[Row]]],
        *,
        page_size: int = MAX_PAGE_ROWS,
        next_token: str | None = None,
    ) -> None:
        if not 1 <= page_size <= MAX_PAGE_ROWS:
            raise ConfigError(f"a page has 1 to {MAX_PAGE_ROWS} rows, not {page_size}")
        self._ask = ask
        self._page_size = page_size
        self._next_token = next_token

    def __aiter__(self) -> AsyncIterator[Row]:
        """The rows of all pages, in the service's order."""
        return self._rows()

    async def _rows(self) -> AsyncIterator[Row]:
        async for page in self.pages():
            for row in page.rows:
                yield row

    async def pages(self) -> AsyncIterator[Page[Row]]:
        """The pages as they come, with the token that leads to the next."""
        seen: set[str | None] = set()
        token = self._next_token
        while token not in seen:
            seen.add(token)
            page = await self._ask((token, self._page_size))
            yield page
            if page.next_token is None:
                return
            token = page.next_token
