"""The catalogue over a live client: within the quotas, made again, its errors explained."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.notices import Calling, Notice, Retrying
from turboupload.core.rate.retry import explain
from turboupload.core.rate.window import Window
from turboupload.errors import CallFailed, LinkFailed, ServiceRefused, TurbouploadError
from turboupload.eventloop import require_asyncio
from turboupload.omics.base import NOT_FOUND, Page
from turboupload.omics.catalogue import Catalogue, Paging
from turboupload.omics.client import open_omics
from turboupload.omics.guarded_catalogue import GuardedCatalogue
from turboupload.omics.pager import Listed, Listing
from turboupload.omics.policies import Contact, Limit, Observe, Retry, Slots
from turboupload.omics.service_time import ServiceTime
from turboupload.tasks import CallsUnderWay, undisturbed
from turboupload.telemetry import log_notice

__all__ = ["CatalogueLink"]

PATIENCE_S = 5.0
"""How long calls that are cancelled are waited for, in seconds."""

T = TypeVar("T")
Row = TypeVar("Row", bound=Listed)


class CatalogueLink:
    """A way to the catalogue, open while its context lasts.

    Args:
        config: How to reach the service.
        on_event: Told of every call, and of those made again.

    Attributes:
        clock: The time.
        where: Once entered: the endpoint, or the Region.
        service_time: Once entered: the service's clock, as its replies tell it.
    """

    def __init__(self, config: UploadConfig, on_event: Callable[[Notice], None] | None) -> None:
        self._config = config
        self._on_event = on_event
        self._stack = AsyncExitStack()
        self._calls = CallsUnderWay("SequenceStores")
        self._contact = Contact()
        self._endpoint: str | None = None
        self._entered: Catalogue | None = None
        self.clock = Clock()
        self.where = ""
        self.service_time = ServiceTime()

    async def __aenter__(self) -> Self:
        if self._entered is not None:
            raise RuntimeError("this SequenceStores is entered already")
        require_asyncio()
        async with AsyncExitStack() as stack:
            omics = await stack.enter_async_context(open_omics(self._config, workers=1))
            self._endpoint, self.where = omics.endpoint, omics.where
            again = Retry(
                self._contact,
                self.clock,
                give_up_after_s=self._config.give_up_after_s,
                on_retry=self._tell_retry,
            )
            limit = Limit(
                # No part is sent from here, so the window never opens.
                Slots(Window(fixed=1)),
                self.clock,
                transactions_per_s=self._config.transactions_per_s,
            )
            observe = Observe(self.clock, self._tell_call)
            self.service_time = omics.time
            self._entered = GuardedCatalogue(
                omics.catalogue, [self._until_left, again, limit, observe]
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered = None
        await undisturbed(self._leave())

    async def _leave(self) -> None:
        await self._calls.end(PATIENCE_S)
        await self._stack.aclose()

    async def _until_left(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """The policy around every call: it ends when this is left."""
        return await self._calls.carry(attempt)

    @property
    def catalogue(self) -> Catalogue:
        """Every call within the quotas, and made again while that can help."""
        if self._entered is None:
            raise RuntimeError("SequenceStores is used inside `async with`")
        return self._entered

    def listing(
        self,
        ask: Callable[[Paging], Awaitable[Page[Row]]],
        what: str,
        *,
        page_size: int,
        next_token: str | None,
    ) -> Listing[Row]:
        """A listing whose errors are those of `answer`.

        Args:
            ask: Brings a page.
            what: What is listed, or where, for the errors.
            page_size: Rows of a page at most.
            next_token: Begin with the page of this token.
        """
        return Listing(
            ask,
            page_size=page_size,
            next_token=next_token,
            explained=lambda failure: self._explained(failure, what),
        )

    async def answer(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """The answer to a call.

        Args:
            call: Makes it.
            what: What it is about, for the errors.

        Raises:
            TurbouploadError: There is none; see `turboupload.errors`.
        """
        try:
            return await call()
        except (CallFailed, LinkFailed) as failure:
            raise self._explained(failure, what) from failure

    def _explained(self, failure: CallFailed | LinkFailed, what: str) -> TurbouploadError:
        error = explain(failure, answered_before=self._contact.made, endpoint=self._endpoint)
        if isinstance(error, ServiceRefused) and error.code == NOT_FOUND:
            error.message = f"{what} was not found ({error.code})"
        return error

    def _tell_retry(self, failure: CallFailed | LinkFailed, pause_s: float) -> None:
        if isinstance(failure, CallFailed):
            reason = failure.code or str(failure.status)
        else:
            reason = failure.fault
        self._tell(
            Retrying(
                operation=failure.operation,
                reason=reason,
                message=failure.message,
                pause_s=pause_s,
            )
        )

    def _tell_call(self, operation: str, seconds: float, outcome: str) -> None:
        self._tell(Calling(operation=operation, seconds=seconds, outcome=outcome))

    def _tell(self, notice: Notice) -> None:
        log_notice(notice)
        if self._on_event is not None:
            self._on_event(notice)
