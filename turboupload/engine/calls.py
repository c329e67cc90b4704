"""Makes an engine's calls: within the quotas, with retries, and with errors for the user."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.model import Part
from turboupload.core.notices import Calling, Notice, Retrying
from turboupload.engine.run import OnNotice, Run
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError
from turboupload.omics.base import ReadSetService
from turboupload.omics.call import Caller
from turboupload.omics.quotas import FIRST, Quotas, Rank, Slots
from turboupload.operations import LIST_READ_SETS, LIST_UPLOADS

__all__ = ["Calls"]


class Calls:
    """The service for all uploads of an engine, which share the account's quotas.

    Args:
        service: The service, without policies.
        config: How to upload.
        clock: The time.
        slots: The places for parts in flight.
        endpoint: The custom endpoint, if there is one, for what users read.
        quotas: Token buckets shared with others; None makes new ones.
    """

    def __init__(
        self,
        service: ReadSetService,
        config: UploadConfig,
        clock: Clock,
        slots: Slots,
        *,
        endpoint: str | None,
        quotas: Quotas | None = None,
    ) -> None:
        self._service = service
        self._caller = Caller(config, clock, slots=slots, quotas=quotas, endpoint=endpoint)

    @property
    def quota_wait_s(self) -> float:
        """How long parts have waited for the quota in all, in seconds."""
        return self._caller.quota_wait_s

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._caller.rate(operation)

    def granted(self, operation: str) -> float | None:
        """What the service was seen to grant of an operation's quota; see `Caller.granted`."""
        return self._caller.granted(operation)

    def take_portion(self, portion: float) -> None:
        """Keeps to this share of all quotas, between 0 and 1, from now on."""
        self._caller.take_portion(portion)

    def service_for(
        self,
        notify: OnNotice,
        count_retry: Callable[[], object] = lambda: None,
        rank: Rank = FIRST,
        part: Part | None = None,
    ) -> ReadSetService:
        """The service with the policies around every call.

        Args:
            notify: Called with every call and every retry.
            count_retry: Called before each retry.
            rank: Whose parts take their places first.
            part: What the calls send; their notices name it.
        """

        def hear(notice: Notice) -> None:
            if isinstance(notice, Retrying):
                count_retry()
            if part is not None and isinstance(notice, Calling | Retrying):
                notice = replace(notice, source=part.source, number=part.number)
            notify(notice)

        return self._service.through(self._caller.notifying(hear, rank))

    def explain(self, failure: CallFailed | LinkFailed, store_id: str) -> TurbouploadError:
        """The user's error for a failure that is not retried any more."""
        # "Not found" as the answer to the first call means that the store does not exist.
        first = failure.operation in (LIST_READ_SETS.name, LIST_UPLOADS.name)
        error = self._caller.explain(failure, f"store {store_id}" if first else None)
        # Set here, because it may be raised elsewhere: the cause tells which rows it concerns.
        error.__cause__ = failure
        return error

    def explain_for(self, run: Run, failure: CallFailed | LinkFailed) -> TurbouploadError:
        """As `explain`, with the upload that it stopped."""
        error = self.explain(failure, run.upload.store_id)
        error.path = run.upload.plan.sources[0].path
        error.upload_id = run.upload.upload_id
        return error
