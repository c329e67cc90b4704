"""Aborts uploads, one after the other, and tells what came of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from turboupload.cli.reporters.open_uploads import LeftAlone
from turboupload.cli.ui.errors import exit_code_for
from turboupload.cli.ui.events import error_fields
from turboupload.errors import Stopped, TurbouploadError

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.open_uploads import OpenUploads, OpenUploadState

__all__ = ["Aborter"]


class Aborter:
    """Aborts uploads, waits until they are no longer listed, and reports each.

    Args:
        here: The store.
        reporter: Where to tell.
        spare: Whether what may be a read set in the making is left alone.
        still: Asked of each when its turn comes, which may be minutes after it was looked at:
            whether it is to be given up yet.

    Attributes:
        left: Tells of those that are left alone.
    """

    def __init__(
        self,
        here: OpenUploads,
        reporter: Reporter,
        *,
        spare: bool,
        still: Callable[[OpenUploadState], Awaitable[bool]] | None = None,
    ) -> None:
        self._here = here
        self._reporter = reporter
        self._still = still
        self._spare = spare
        self._not_open = 0
        self._errors: list[TurbouploadError] = []
        self.left = LeftAlone(reporter)

    def fail(self, error: TurbouploadError) -> None:
        """Reports a problem with one upload; the others are still aborted."""
        self._errors.append(error)
        self._reporter.problem(error)

    async def run(self, states: Sequence[OpenUploadState], **more: Any) -> int:
        """Gives them up; returns the exit code.

        Args:
            states: As they were found.
            more: What the last JSON line says besides.
        """
        gone = [state for state in states if await self._abort_one(state)]
        ids = [state.upload.upload_id for state in gone]
        try:
            await self._here.await_gone(ids, on_wait=self._tell_wait)
        except Stopped as error:
            self.fail(error)
        worst = self._errors[0] if self._errors else None
        if self._here.journal_error is not None:
            self._reporter.note(f"note: {self._here.journal_error}; it still has them")
        if self._still is not None:
            # One that was named, and not chosen by its age, is an error where it is left alone.
            more["left_alone"] = self.left.count
        return self._reporter.done(
            code=0 if worst is None else exit_code_for(worst),
            outcome="ok" if worst is None else worst.outcome,
            aborted=len(gone),
            not_open=self._not_open,
            error=None if worst is None else error_fields(worst),
            **more,
        )

    async def _abort_one(self, state: OpenUploadState) -> bool:
        """Gives one up; returns whether the service took the Abort."""
        try:
            if self._still is not None and not await self._still(state):
                why = "it was used, or has ended, since it was looked at"
                self.left.tell(state, "changed", why)
                return False
            was_open = await self._here.abort(state, force=not self._spare)
        except TurbouploadError as error:
            self.fail(error)
            self._told(state, error.outcome, error)
            return False
        if was_open:
            self._told(state, "ok")
        else:
            self._not_open += 1
            self._told(state, "not_open")
        return was_open

    def _told(
        self, state: OpenUploadState, outcome: str, error: TurbouploadError | None = None
    ) -> None:
        upload_id = state.upload.upload_id
        self._reporter.event(
            "aborted",
            {
                "upload_id": upload_id,
                "outcome": outcome,
                "error": None if error is None else error_fields(error),
            },
        )
        if error is None and self._reporter.for_people:
            # Not open any more is what was asked for, so it is no error. It need not have been this
            # Abort's doing, and it may be listed yet.
            said = {
                "ok": "was given up",
                "not_open": "is not open any more: it was completed or aborted, or has expired",
            }
            self._reporter.result(f"upload {upload_id} {said[outcome]}")
        elif outcome == "ok" and not self._reporter.as_json:
            self._reporter.result(upload_id)

    def _tell_wait(self, left: int) -> None:
        self._reporter.note(f"{left:,} of them still listed; looking again")
