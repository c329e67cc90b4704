"""The calls of an engine: retried, within the quotas, and explained where they fail for good."""

from __future__ import annotations

from collections.abc import Callable

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.notices import Calling, Retrying
from turboupload.core.rate import retry
from turboupload.engine.run import OnNotice, Run
from turboupload.errors import CallFailed, LinkFailed, ServiceRefused, TurbouploadError
from turboupload.omics.base import NOT_FOUND, ReadSetService
from turboupload.omics.policies import Contact, Guarded, Limit, Observe, Retry, Slots

__all__ = ["Calls"]


class Calls:
    """The service for all uploads of an engine, which share the account's quotas.

    Args:
        service: The service, without policies.
        config: How to upload.
        clock: The time.
        slots: The places for parts in flight.
        endpoint: The custom endpoint, if there is one, for what users read.
    """

    def __init__(
        self,
        service: ReadSetService,
        config: UploadConfig,
        clock: Clock,
        slots: Slots,
        *,
        endpoint: str | None,
    ) -> None:
        self._service = service
        self._config = config
        self._clock = clock
        self._endpoint = endpoint
        self._contact = Contact()
        self._limit = Limit(slots, clock, transactions_per_s=config.transactions_per_s)

    @property
    def quota_wait_s(self) -> float:
        """How long parts have waited for the quota in all, in seconds."""
        return self._limit.quota_wait_s

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._limit.rate(operation)

    def service_for(
        self, notify: OnNotice, count_retry: Callable[[], object] = lambda: None
    ) -> ReadSetService:
        """The service with the policies around every call.

        Args:
            notify: Told of calls and retries.
            count_retry: Called before each retry.
        """

        def on_retry(failure: CallFailed | LinkFailed, pause_s: float) -> None:
            count_retry()
            reason = (
                failure.fault
                if isinstance(failure, LinkFailed)
                else failure.code or str(failure.status)
            )
            notify(
                Retrying(
                    operation=failure.operation,
                    reason=reason,
                    message=failure.message,
                    pause_s=pause_s,
                )
            )

        def on_call(operation: str, seconds: float, outcome: str) -> None:
            notify(Calling(operation=operation, seconds=seconds, outcome=outcome))

        again = Retry(
            self._contact,
            self._clock,
            give_up_after_s=self._config.give_up_after_s,
            on_retry=on_retry,
        )
        return Guarded(self._service, [again, self._limit, Observe(self._clock, on_call)])

    def explain(self, failure: CallFailed | LinkFailed, store_id: str) -> TurbouploadError:
        """The error that a user reads for a failure that is given up."""
        error = retry.explain(failure, answered_before=self._contact.made, endpoint=self._endpoint)
        if isinstance(error, ServiceRefused) and _is_unknown_store(failure):
            error.message = f"store {store_id} was not found ({error.code})"
        # Also where it is raised elsewhere than it was caught: the cause tells whom it concerns.
        error.__cause__ = failure
        return error

    def explain_for(self, run: Run, failure: CallFailed | LinkFailed) -> TurbouploadError:
        """As `explain`, with the upload that it stopped."""
        error = self.explain(failure, run.upload.store_id)
        error.path = run.upload.plan.sources[0].path
        error.upload_id = run.upload.upload_id
        return error


def _is_unknown_store(failure: CallFailed | LinkFailed) -> bool:
    """Whether the very first question was answered with: there is no such store."""
    return (
        isinstance(failure, CallFailed)
        and failure.code == NOT_FOUND
        and failure.operation in ("ListReadSets", "ListMultipartReadSetUploads")
    )
