"""`turboupload readsets wait`: until the service has read the files, or turned them down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.errors import exit_code_for
from turboupload.cli.ui.options import DURATION, option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options
from turboupload.errors import TurbouploadError

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.core.records import ReadSetDetails
    from turboupload.stores import SequenceStores

__all__ = ["wait"]

_GRAVEST = (7, 4, 5)
"""Of several exit codes, the first of these is the command's; else the highest."""


@click.command("wait", cls=LookingCommand, no_args_is_help=True)
@click.argument("read_sets", metavar="ID…", nargs=-1, required=True)
@STORE
@option(
    "--wait-timeout",
    type=DURATION,
    help="Wait no longer than this, such as 2h; by default as long as it takes.",
)
@looking_options
def wait(**given: Any) -> None:
    """Wait until each read set ID is ACTIVE, or has failed.

    \b
    Exit codes:
      0    all of them are ACTIVE
      2    usage or configuration, such as an endpoint that can't be reached
      4    one is not there, or will not become ACTIVE by itself
      5    one was not ACTIVE in time
      7    the service turned one down (UPLOAD_FAILED)
      130  interrupted
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    look("readsets wait", given, lambda stores, report: _Waiting(given, stores, report).run())


class _Waiting:
    """Waits for all of them side by side; the quota paces their looks."""

    def __init__(self, given: Mapping[str, Any], stores: SequenceStores, report: Report) -> None:
        self._store_id = given["store"]
        self._read_sets = tuple(dict.fromkeys(given["read_sets"]))
        self._timeout_s = given["wait_timeout"]
        self._stores = stores
        self._report = report
        self._errors: list[TurbouploadError] = []

    async def run(self) -> int:
        import anyio

        from turboupload.cli.ui.reporter import StdoutLost
        from turboupload.core.metadata import check_id

        check_id("a store", self._store_id)
        for read_set_id in self._read_sets:
            check_id("a read set", read_set_id)
        try:
            async with anyio.create_task_group() as group:
                for read_set_id in self._read_sets:
                    group.start_soon(self._one, read_set_id)
        except BaseExceptionGroup as errors:
            lost = _first(errors)
            if not isinstance(lost, StdoutLost):
                raise
            raise lost from None
        codes = {exit_code_for(error) for error in self._errors}
        code = next((each for each in _GRAVEST if each in codes), max(codes, default=0))
        worst = next((each for each in self._errors if exit_code_for(each) == code), None)
        return self._report.done(
            code=code,
            outcome="active" if worst is None else worst.outcome,
            store_id=self._store_id,
            count=len(self._read_sets),
            active=len(self._read_sets) - len(self._errors),
        )

    async def _one(self, read_set_id: str) -> None:
        from turboupload.cli.ui.reporter import error_fields, fields_of

        try:
            found = await self._stores.wait_until_active(
                self._store_id, read_set_id, timeout_s=self._timeout_s, on_status=self._tell
            )
        except TurbouploadError as error:
            self._errors.append(error)
            self._report.problem(error)
            self._report.event(
                "ended",
                {
                    "read_set_id": read_set_id,
                    "outcome": error.outcome,
                    "error": error_fields(error),
                },
            )
            return
        self._report.event("ended", {"outcome": "active", **fields_of(found), "error": None})
        if self._report.for_people:
            self._report.result(f"read set {read_set_id} is ACTIVE")
        elif not self._report.as_json:
            self._report.result(read_set_id)

    def _tell(self, found: ReadSetDetails) -> None:
        if found.status not in ("ACTIVE", "UPLOAD_FAILED"):
            self._report.note(f"read set {found.read_set_id} is {found.status}")
        self._report.event("status", {"read_set_id": found.read_set_id, "status": found.status})


def _first(errors: BaseExceptionGroup) -> BaseException:
    """The first error of a group, of the groups in it too."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
