"""Giving several uploads up, one failing not keeping the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from turboupload.cli.ui.errors import exit_code_for
from turboupload.cli.ui.reporter import Report, error_fields
from turboupload.errors import Stopped, TurbouploadError
from turboupload.open_uploads import Housekeeping, OpenUploadState

__all__ = ["GivingUp"]


class GivingUp:
    """Gives uploads up, waits until they are no longer listed, and tells of each.

    Args:
        here: The store.
        report: Where to tell.
        still: Asked of each when its turn comes, which may be minutes after it was looked at:
            whether it is to be given up yet.
    """

    def __init__(
        self,
        here: Housekeeping,
        report: Report,
        *,
        still: Callable[[OpenUploadState], Awaitable[bool]] | None = None,
    ) -> None:
        self._here = here
        self._report = report
        self._still = still
        self._errors: list[TurbouploadError] = []

    def fail(self, error: TurbouploadError) -> None:
        """Something that doesn't keep the others from being given up."""
        self._errors.append(error)
        self._report.problem(error)

    async def run(self, states: Sequence[OpenUploadState], **more: Any) -> int:
        """Gives them up; returns the exit code.

        Args:
            states: As they were found.
            more: What the last JSON line says besides.
        """
        gone = [state for state in states if await self._give_up(state)]
        ids = [state.upload.upload_id for state in gone]
        try:
            await self._here.await_gone(ids, on_wait=self._tell_wait)
        except Stopped as error:
            self.fail(error)
        worst = self._errors[0] if self._errors else None
        if self._here.journal_error is not None:
            self._report.note(f"note: {self._here.journal_error}; it still has them")
        return self._report.done(
            code=0 if worst is None else exit_code_for(worst),
            outcome="ok" if worst is None else worst.outcome,
            aborted=len(gone),
            error=None if worst is None else error_fields(worst),
            **more,
        )

    async def _give_up(self, state: OpenUploadState) -> bool:
        upload_id = state.upload.upload_id
        try:
            if self._still is not None and not await self._still(state):
                self._report.note(f"upload {upload_id} is left alone: it was worked on meanwhile")
                return False
            await self._here.abort(state)
        except TurbouploadError as error:
            self.fail(error)
            self._report.event(
                "aborted",
                {"upload_id": upload_id, "outcome": error.outcome, "error": error_fields(error)},
            )
            return False
        self._report.event("aborted", {"upload_id": upload_id, "outcome": "ok", "error": None})
        if self._report.for_people:
            self._report.result(f"upload {upload_id} was given up")
        elif not self._report.as_json:
            self._report.result(upload_id)
        return True

    def _tell_wait(self, left: int) -> None:
        self._report.note(f"{left:,} of them still listed; looking again")
