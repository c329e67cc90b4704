"""`turboupload readsets`: what is in a sequence store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.options.shared import STORE, STORE_COMMAND, option
from turboupload.cli.options.values import DURATION, MOMENT, PATH, PATHS
from turboupload.cli.reporters.read_sets import (
    READ_SET_COLUMNS,
    describe_verification,
    read_set_properties,
    verification_warnings,
)
from turboupload.cli.reporters.tables import Rows, record_lines
from turboupload.cli.session.command import Command, Group, run_on_stores
from turboupload.cli.ui.errors import exit_code_for
from turboupload.cli.ui.events import error_fields, fields_of
from turboupload.cli.ui.output import StdoutLost
from turboupload.cli.ui.progress import ReadingProgress
from turboupload.errors import TurbouploadError

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.core.filters import ReadSetFilter
    from turboupload.core.records import ReadSetDetails
    from turboupload.stores import SequenceStores

__all__ = ["readsets", "wanted_read_sets"]


@click.group(cls=Group)
def readsets() -> None:
    """Look at the read sets of a sequence store."""


# --- list -----------------------------------------------------------------------------------

_STATUSES = (
    "ACTIVE", "ACTIVATING", "ARCHIVED", "DELETING", "DELETED", "PROCESSING_UPLOAD", "UPLOAD_FAILED",
)  # fmt: skip


_filter = partial(option, prefix="READSETS_")


@readsets.command(
    "list",
    cls=Command,
    words="readsets list",
    examples=(
        "readsets list --store 1234567890 --created-after 7d",
        "readsets list --store 1234567890 --sample HG002 --json",
    ),
    short_help="List the read sets of a store, all or those that pass a filter.",
)
@STORE
@_filter("--name", metavar="NAME", help="Only those of exactly this name.")
@_filter("--sample", metavar="ID", help="Only those of exactly this sample.")
@_filter("--subject", metavar="ID", help="Only those of exactly this subject.")
@_filter(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help="Only those in this state, such as ACTIVE, ARCHIVED, PROCESSING_UPLOAD or UPLOAD_FAILED.",
)
@_filter("--reference", metavar="ARN", help="Only those aligned to this reference.")
@_filter("--generated-from", metavar="TEXT", help="Only those of exactly this origin.")
@_filter(
    "--creation-type",
    type=click.Choice(("IMPORT", "UPLOAD"), case_sensitive=False),
    metavar="IMPORT|UPLOAD",
    help="Only those that came in this way.",
)
@_filter(
    "--created-after",
    type=MOMENT,
    help="Only those made after this moment (2026-11-24T09:30Z, UTC without a zone) or within "
    "this time (7d).",
)
@_filter(
    "--created-before",
    type=MOMENT,
    help="Only those made before this moment, or longer ago than this time (7d).",
)
@_filter("--limit", metavar="N", type=click.IntRange(min=1), help="Stop after so many.")
@STORE_COMMAND
def list_(**given: Any) -> None:
    """List the read sets of a store, all or those for which every filter holds.

    Rows are printed as they come, a hundred at a time. A listing says neither sizes nor files:
    `readsets show` does.
    """
    run_on_stores(given, _list)


async def _list(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    limit: int | None = given["limit"]
    rows = Rows(
        reporter, "read_set", READ_SET_COLUMNS, fields=fields_of, id_of=lambda row: row.read_set_id
    )
    complete = await rows.write_listing(
        partial(stores.list_read_sets, given["store"]), wanted_read_sets(given), limit=limit
    )
    if not rows.count:
        passing, note = _in_words(given)
        reporter.note(f"no read sets{passing} in store {given['store']}{note}")
    elif not complete:
        reporter.note(f"stopped after {limit:,}: there may be more")
    return reporter.done(store_id=given["store"], count=rows.count, complete=complete)


def wanted_read_sets(given: Mapping[str, Any]) -> ReadSetFilter:
    """The filter of the options."""
    from turboupload.core.filters import ReadSetFilter

    return ReadSetFilter(
        name=given["name"],
        sample_id=given["sample"],
        subject_id=given["subject"],
        status=given["status"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        creation_type=given["creation_type"],
        created_after=given["created_after"],
        created_before=given["created_before"],
    )


def _in_words(given: Mapping[str, Any]) -> tuple[str, str]:
    filters = (
        "name", "sample", "subject", "status", "reference", "generated_from", "creation_type",
        "created_after", "created_before",
    )  # fmt: skip
    if all(given[name] is None for name in filters):
        return "", ""
    texts = ("name", "sample", "subject", "generated_from")
    whole = any(given[name] is not None for name in texts)
    return " that pass the filter", "; names and ids are compared whole" if whole else ""


# --- show -----------------------------------------------------------------------------------


@readsets.command(
    "show",
    cls=Command,
    words="readsets show",
    examples=("readsets show 4567890123 --store 1234567890",),
    short_help="Show everything that the service knows about read sets.",
    no_args_is_help=True,
)
@click.argument("read_sets", metavar="ID…", nargs=-1, required=True)
@STORE
@STORE_COMMAND
def show(**given: Any) -> None:
    """Show everything that the service knows about each read set ID.

    What it doesn't say is left out; with --json it is null. Ends at the first ID that isn't there.
    """
    run_on_stores(given, _show)


async def _show(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.core.metadata import check_id

    for read_set_id in given["read_sets"]:
        check_id("a read set", read_set_id)
    for count, read_set_id in enumerate(given["read_sets"]):
        found = await stores.get_read_set_metadata(given["store"], read_set_id)
        reporter.event("read_set", fields_of(found))
        if reporter.for_people:
            reporter.result(("\n" if count else "") + record_lines(read_set_properties(found)))
        elif not reporter.as_json:
            reporter.result(found.read_set_id)
    return reporter.done(store_id=given["store"], count=len(given["read_sets"]))


# --- wait -----------------------------------------------------------------------------------

_GRAVEST = (7, 4, 5)
"""Of several exit codes, the first of these is the command's; else the highest."""


@readsets.command(
    "wait",
    cls=Command,
    words="readsets wait",
    examples=("readsets wait 4567890123 --store 1234567890 --wait-timeout 2h",),
    short_help="Wait until read sets are ACTIVE.",
    no_args_is_help=True,
)
@click.argument("read_sets", metavar="ID…", nargs=-1, required=True)
@STORE
@option(
    "--wait-timeout",
    type=DURATION,
    help="Wait no longer than this, such as 2h; by default as long as it takes.",
)
@STORE_COMMAND
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
    run_on_stores(given, _wait)


async def _wait(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    return await _Waiter(given, stores, reporter).run()


class _Waiter:
    """Waits for all of them side by side; the quota paces their looks."""

    def __init__(
        self, given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter
    ) -> None:
        self._store_id = given["store"]
        self._read_sets = tuple(dict.fromkeys(given["read_sets"]))
        self._timeout_s = given["wait_timeout"]
        self._stores = stores
        self._reporter = reporter
        self._errors: list[TurbouploadError] = []

    async def run(self) -> int:
        import anyio

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
        return self._reporter.done(
            code=code,
            outcome="active" if worst is None else worst.outcome,
            store_id=self._store_id,
            count=len(self._read_sets),
            active=len(self._read_sets) - len(self._errors),
        )

    async def _one(self, read_set_id: str) -> None:
        try:
            found = await self._stores.wait_until_active(
                self._store_id, read_set_id, timeout_s=self._timeout_s, on_status=self._tell
            )
        except TurbouploadError as error:
            self._errors.append(error)
            self._reporter.problem(error)
            self._reporter.event(
                "ended",
                {
                    "read_set_id": read_set_id,
                    "outcome": error.outcome,
                    "error": error_fields(error),
                },
            )
            return
        self._reporter.event("ended", {"outcome": "active", **fields_of(found), "error": None})
        if self._reporter.for_people:
            self._reporter.result(f"read set {read_set_id} is ACTIVE")
        elif not self._reporter.as_json:
            self._reporter.result(read_set_id)

    def _tell(self, found: ReadSetDetails) -> None:
        if found.status not in ("ACTIVE", "UPLOAD_FAILED"):
            self._reporter.note(f"read set {found.read_set_id} is {found.status}")
        self._reporter.event("status", {"read_set_id": found.read_set_id, "status": found.status})


def _first(errors: BaseExceptionGroup) -> BaseException:
    """The first error of a group, of the groups in it too."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


# --- verify ---------------------------------------------------------------------------------

_DIFFERENT: Final = 6
"""The exit code of a proven difference."""


@readsets.command(
    "verify",
    cls=Command,
    words="readsets verify",
    examples=("readsets verify 4567890123 HG002_R1.fastq.gz HG002_R2.fastq.gz --store 1234567890",),
    short_help="Compare files with a read set, by its ETag.",
    no_args_is_help=True,
)
@click.argument("read_set", metavar="READSET")
@click.argument("files", metavar="FILE [FILE2]", nargs=-1, required=True, type=PATH)
@STORE
@option("--merge", is_flag=True, help="The files are those that `upload --merge` was given.")
@option(
    "--reference-fasta",
    type=PATH,
    metavar="PATH",
    help="The reference of a CRAM, as a FASTA file.",
)
@option(
    "--md5",
    prefix="READSETS_",
    type=PATHS,
    multiple=True,
    metavar="MANIFEST",
    help="Take the digests of FASTQ files from this manifest of their text, as it was before gzip, "
    "and read no file; may be given several times (in the variable: colons between them).",
)
@STORE_COMMAND
def verify(**given: Any) -> None:
    """Compare FILE, or R1 and R2, with the ACTIVE read set READSET, by its ETag.

    A FASTQ's ETag is the hash of all its reads, uncompressed: equal or different is certain. How
    the service hashes the records of BAM, uBAM and CRAM isn't documented in full: an equal ETag
    proves them equal, a different one is only a warning.

    \b
    Exit codes:
      0    equal; or BAM, uBAM or CRAM, with a warning
      2    usage, or the wrong number of files
      3    a file can't be read
      4    the read set is not there, or not ACTIVE
      6    the store holds other reads, or the file is damaged or changed meanwhile
      130  interrupted
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    run_on_stores(given, _verify)


async def _verify(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.proof.verify import verify_in
    from turboupload.seqcheck.checks.merging import split_mates

    progress = ReadingProgress("verifying", silent=not reporter.for_people)
    try:
        found = await verify_in(
            stores,
            given["store"],
            given["read_set"],
            split_mates(given["files"]) if given["merge"] else given["files"],
            reference_fasta=given["reference_fasta"],
            md5=given["md5"],
            on_progress=progress,
        )
    finally:
        progress.end()
    for warning in verification_warnings(found):
        reporter.note(f"warning: {warning}")
    if reporter.for_people:
        reporter.result(describe_verification(found))
    elif not reporter.as_json and found.proven:
        reporter.result(found.read_set.read_set_id)
    return reporter.done(
        code=_DIFFERENT if found.disproven else 0,
        outcome=found.outcome,
        read_set_id=found.read_set.read_set_id,
        store_id=given["store"],
        status=found.read_set.status,
        proven=found.proven,
        statement=found.sentence,
        algorithm=found.algorithm,
        etag=list(found.theirs),
        etag_here=list(found.ours) or None,
        files=list(found.paths),
        total_bytes=found.total_bytes,
        total_reads=found.read_set.total_reads,
        total_bases=found.read_set.total_bases,
        reads_here=found.reads,
        reader=found.reader or None,
        warnings=verification_warnings(found),
    )
