"""A listing ends where the service's does, whatever its pages are like."""

from __future__ import annotations

import pytest

from turboupload.errors import ConfigError
from turboupload.service.base import Page
from turboupload.service.catalogue import Paging
from turboupload.service.listing import Listing


class Service:
    """Answers with these pages, by their token."""

    def __init__(self, pages: dict[str | None, Page[int]]) -> None:
        self.pages = pages
        self.asked: list[Paging] = []

    async def __call__(self, page: Paging) -> Page[int]:
        self.asked.append(page)
        return self.pages[page[0]]


async def rows(service: Service, **more: object) -> list[int]:
    return [row async for row in Listing(service, **more)]  # type: ignore[arg-type] # a test's


async def test_an_empty_page_is_not_the_end() -> None:
    service = Service(
        {None: Page((), "a"), "a": Page((1,), "b"), "b": Page((), "c"), "c": Page((2,))}
    )
    assert await rows(service) == [1, 2]


async def test_an_empty_listing_has_no_rows() -> None:
    assert await rows(Service({None: Page(())})) == []


@pytest.mark.parametrize("back_to", ["a", "b"])
async def test_a_token_that_comes_again_ends_it(back_to: str) -> None:
    service = Service({None: Page((1,), "a"), "a": Page((2,), "b"), "b": Page((3,), back_to)})
    assert await rows(service) == [1, 2, 3]


async def test_rows_are_asked_for_page_by_page() -> None:
    service = Service({None: Page((1, 2), "a"), "a": Page((3,))})
    async for _ in Listing(service, page_size=7):
        break
    assert service.asked == [(None, 7)]


async def test_each_iteration_asks_anew() -> None:
    service = Service({None: Page((1,))})
    listing = Listing(service)
    assert [row async for row in listing] == [row async for row in listing] == [1]
    assert len(service.asked) == 2


async def test_it_can_begin_at_a_token() -> None:
    service = Service({"b": Page((3,))})
    assert await rows(service, next_token="b") == [3]


@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_page_has_its_size(size: int) -> None:
    with pytest.raises(ConfigError, match="1 to 100"):
        Listing(Service({}), page_size=size)
