"""A listing ends where the service's does, whatever its pages are like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rate.retry import explain
from turboupload.errors import CallFailed, ConfigError, LinkFailed, ServiceRefused
from turboupload.omics.base import Page
from turboupload.omics.pager import MAX_STARTS, Listing


@dataclass(frozen=True)
class Row:
    row_id: int


def page(*rows: int, then: str | None = None) -> Page[Row]:
    return Page(tuple(map(Row, rows)), then)


Ask = Callable[[str | None, int], Awaitable[Page[Row]]]


class Service:
    """Answers with these pages, by their token."""

    def __init__(self, pages: dict[str | None, Page[Row]]) -> None:
        self.pages = pages
        self.asked: list[tuple[str | None, int]] = []

    async def __call__(self, token: str | None, page_size: int) -> Page[Row]:
        self.asked.append((token, page_size))
        return self.pages[token]


async def rows(service: Ask, **more: Any) -> list[int]:
    return [row.row_id async for row in Listing(service, **more)]


async def test_an_empty_page_is_not_the_end() -> None:
    service = Service(
        {None: page(then="a"), "a": page(1, then="b"), "b": page(then="c"), "c": page(2)}
    )
    assert await rows(service) == [1, 2]


async def test_an_empty_listing_has_no_rows() -> None:
    assert await rows(Service({None: page()})) == []


@pytest.mark.parametrize("back_to", ["a", "b"])
async def test_a_token_that_comes_again_ends_it(back_to: str) -> None:
    service = Service({None: page(1, then="a"), "a": page(2, then="b"), "b": page(3, then=back_to)})
    assert await rows(service) == [1, 2, 3]


async def test_pages_that_overlap_bring_each_row_once() -> None:
    service = Service(
        {None: page(3, 3, 2, then="a"), "a": page(3, 2, then="b"), "b": page(2, 1)},
    )
    assert await rows(service) == [3, 2, 1]


async def test_rows_are_asked_for_page_by_page() -> None:
    service = Service({None: page(1, 2, then="a"), "a": page(3)})
    async for _ in Listing(service, page_size=7):
        break
    assert service.asked == [(None, 7)]


async def test_each_iteration_asks_anew() -> None:
    service = Service({None: page(1)})
    listing = Listing(service)
    assert [row async for row in listing] == [row async for row in listing] == [Row(1)]
    assert len(service.asked) == 2


async def test_it_can_begin_at_a_token() -> None:
    service = Service({"b": page(3)})
    assert await rows(service, next_token="b") == [3]


@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_page_has_its_size(size: int) -> None:
    with pytest.raises(ConfigError, match="1 to 100"):
        Listing(Service({}), page_size=size)


# --- tokens that are refused ------------------------------------------------------------------


def refusal(code: str = "ValidationException", status: int = 400) -> CallFailed:
    return CallFailed("List", code=code, status=status, message="The page token has expired")


REFUSALS = [
    refusal(),
    refusal("ExpiredTokenException"),
    refusal("InvalidNextToken"),
    refusal("", 400),
    refusal("ConflictException", 409),
    refusal("Gone", 410),
    refusal("ResourceNotFoundException", 404),
]


class Expiring:
    """Pages of two whose tokens are refused at some of the calls, and good only once.

    Args:
        total: Rows in all.
        refused_at: The calls, from 0, that are refused where they bring a token.
        failure: With what.
    """

    def __init__(self, total: int, refused_at: set[int], failure: CallFailed) -> None:
        self.total = total
        self.refused_at = refused_at
        self.failure = failure
        self.calls = 0
        self.used: set[str] = set()

    async def __call__(self, token: str | None, _: int) -> Page[Row]:
        call, self.calls = self.calls, self.calls + 1
        if token is not None and (call in self.refused_at or token in self.used):
            raise self.failure
        self.used.add(token or "")
        start = int(token.partition("-")[0]) if token else 0
        end = min(start + 2, self.total)
        return page(*range(start, end), then=f"{end}-{call}" if end < self.total else None)


@given(
    st.integers(0, 11),
    st.sets(st.integers(1, 40), max_size=MAX_STARTS - 1),
    st.sampled_from(REFUSALS),
)
async def test_a_token_that_is_refused_begins_it_again_and_each_row_comes_once(
    total: int, refused_at: set[int], failure: CallFailed
) -> None:
    assert await rows(Expiring(total, refused_at, failure)) == list(range(total))


async def test_tokens_that_are_refused_again_and_again_end_it() -> None:
    service = Expiring(4, set(range(1, 100)), refusal())
    with pytest.raises(CallFailed):
        await rows(service)
    assert service.calls == 2 * MAX_STARTS


async def test_tokens_that_live_shorter_than_the_work_on_a_page() -> None:
    """Each start brings one page more: the token that it waited with is refused."""
    total = 40
    worked = False

    async def ask(token: str | None, _: int) -> Page[Row]:
        nonlocal worked
        if token is not None and worked:
            worked = False
            raise refusal()
        start = int(token or 0)
        return page(start, start + 1, then=str(start + 2) if start + 2 < total else None)

    found = []
    async for row in Listing(ask):
        worked = True
        found.append(row.row_id)
    assert found == list(range(total))


async def test_the_page_of_the_lost_reply_whose_token_is_good_once() -> None:
    """The reply to a page is lost, and the token is used up when it is asked for again."""
    service = Expiring(5, set(), refusal())
    lost: list[str] = []

    async def retrying(token: str | None, rows: int) -> Page[Row]:
        if token and not lost:
            lost.append(token)
            await service(token, rows)
        return await service(token, rows)

    assert await rows(retrying) == [0, 1, 2, 3, 4]


async def test_what_is_not_about_a_token_is_raised() -> None:
    never_first = Expiring(4, set(), refusal())

    async def first(*_: object) -> Page[Row]:
        raise refusal()

    async def unreached(token: str | None, rows: int) -> Page[Row]:
        if token:
            raise LinkFailed("List", fault="lost", message="broken")
        return await never_first(token, rows)

    async def busy(token: str | None, rows: int) -> Page[Row]:
        if token:
            raise refusal("ThrottlingException", 429)
        return await never_first(token, rows)

    with pytest.raises(CallFailed):
        await rows(first)
    with pytest.raises(CallFailed):
        await rows(Expiring(4, {0}, refusal()), next_token="2-0")
    with pytest.raises(LinkFailed):
        await rows(unreached)
    with pytest.raises(CallFailed):
        await rows(busy)
    assert never_first.calls == 2
    with pytest.raises(ServiceRefused):
        await rows(first, explained=explain)
