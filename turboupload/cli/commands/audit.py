"""`turboupload audit`: which files are proven to be in the store? May the disk be cleared?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import CONNECTION, STORE_OR_NONE, option
from turboupload.cli.options.values import PATH, PATHS
from turboupload.cli.session.command import Command
from turboupload.units import format_size

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.config import UploadConfig
    from turboupload.core.proof.audit import Audit, AuditedFile
    from turboupload.proof.receipts import ChainVerification

__all__ = ["audit"]

_NO: Final = 6
"""The exit code of a negative answer."""


@click.command(
    "audit",
    cls=Command,
    words="audit",
    no_args_is_help=True,
    examples=("audit run42 --store 1234567890", "audit --verify"),
)
@click.argument("folders", metavar="[FOLDER]…", nargs=-1, type=PATH)
@STORE_OR_NONE
@option(
    "--receipts",
    type=PATHS,
    multiple=True,
    metavar="PATH",
    help="A receipt, or a folder of receipts, beside those of the journal; may be given several "
    "times (in the variable: colons between them).",
)
@option(
    "--deep",
    is_flag=True,
    help="Read each file again, and compare its content with the receipt. Copies are found, too.",
)
@option("--threads", type=click.IntRange(1, 64), help="How many parts --deep reads at a time.")
@option(
    "--print0",
    is_flag=True,
    help="Print the paths of the proven files, a NUL after each, and nothing else on stdout.",
)
@option(
    "--verify",
    section=Section.PROOF,
    is_flag=True,
    help="Check the chain of receipts: which one was edited, dropped or moved?",
)
@option(
    "--allowed-signers",
    section=Section.PROOF,
    type=PATH,
    metavar="FILE",
    help="With --verify: whose signatures are trusted, in the form that ssh-keygen(1) describes.",
)
@option(
    "--sign",
    section=Section.PROOF,
    type=PATH,
    metavar="KEY",
    help="Sign the receipts up to the last with this SSH key, by ssh-keygen; kept in the journal.",
)
@option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@option("--quiet", is_flag=True, help="Nothing but errors; the exit code has the answer.")
@option("--verbose", "-v", count=True, help="Log calls that fail on stderr; -vv every call.")
@CONNECTION
def audit(**given: Any) -> None:
    """Say of every sequencing file under FOLDER whether it is proven to be in the store.

    Receipts tell: those of the journal, and of --receipts. A file is the one that was sent where
    inode, size and time of change are as then, and nothing touched it since (chmod, mv and ln do):
    else --deep decides. With --store the service is asked whether the read sets are still there,
    and ACTIVE or ARCHIVED. Nothing is changed or deleted.

    \b
    Exit codes:
      0    yes: all are proven; with --verify, the receipts are as they were written
      2    usage or configuration
      3    a folder, or a file of receipts, can't be read
      6    no: a file isn't proven, or couldn't be looked at, or none is there; or a receipt was
           tampered with
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    if not (given["folders"] or given["verify"] or given["sign"]):
        raise click.UsageError("name a folder, or use --verify or --sign")
    for word in ("deep", "print0"):
        if given[word] and not given["folders"]:
            raise click.UsageError(f"--{word} is for the files of a folder, and none is named")
    if given["allowed_signers"] and not given["verify"]:
        raise click.UsageError("--allowed-signers goes with --verify")
    if given["print0"] and given["as_json"]:
        raise click.UsageError("--print0 and --json can't go together")
    with importing():
        from turboupload.cli.reporters.reporter import Reporter
        from turboupload.cli.session.run import Session

    reporter = Reporter("audit", given)
    Session(reporter).run(
        lambda: _carry_out(given, reporter),
        int,
        needs=("turboupload.proof.audit", "turboupload.proof.receipts"),
    )


async def _carry_out(given: Mapping[str, Any], reporter: Reporter) -> int:
    from anyio import to_thread

    from turboupload.cli.options.configurations import connection_config
    from turboupload.proof.receipts import sign_receipts, verify_receipts

    config = connection_config(given)
    found: dict[str, Any] = {}
    good = True
    if given["sign"]:
        signed = await to_thread.run_sync(lambda: sign_receipts(given["sign"], config=config))
        reporter.note(signed.sentence)
        found["signed_now"] = signed.number
    if given["verify"]:
        checked = await to_thread.run_sync(
            lambda: verify_receipts(
                receipts=given["receipts"],
                allowed_signers=given["allowed_signers"],
                config=config,
            )
        )
        good = _tell_chain(checked, given, reporter)
        found |= _chain_fields(checked)
    if given["folders"]:
        audited = await _audit(given, config, reporter)
        _tell_files(audited, given, reporter)
        good = good and audited.proven
        found |= _fields(audited)
    return reporter.done(
        code=0 if good else _NO,
        outcome="yes" if good else "no",
        **found,
    )


async def _audit(given: Mapping[str, Any], config: UploadConfig, reporter: Reporter) -> Audit:
    from turboupload.cli.options.store import with_store_id
    from turboupload.cli.ui.progress import ReadingProgress
    from turboupload.proof.audit import audit_in
    from turboupload.stores import SequenceStores

    progress = ReadingProgress("reading", silent=reporter.quiet or reporter.as_json)
    options: dict[str, Any] = {
        "folders": given["folders"],
        "receipts": given["receipts"],
        "deep": given["deep"],
        "threads": given["threads"],
        "config": config,
        "on_progress": progress,
    }
    try:
        if given["store"] is None:
            return await audit_in(None, **options)
        async with SequenceStores(config, on_event=reporter.hear) as stores:
            asked = await with_store_id(given, stores)
            return await audit_in(stores, store_id=asked["store"], **options)
    finally:
        progress.end()


# --- the receipts -----------------------------------------------------------------------------


def _tell_chain(checked: ChainVerification, given: Mapping[str, Any], reporter: Reporter) -> bool:
    """Reports the result of checking the chain; returns whether it is intact."""
    for fault in checked.faults:
        reporter.event("fault", dataclasses.asdict(fault))
    for signature in checked.signatures:
        reporter.event("signature", dataclasses.asdict(signature))
    unsigned = given["allowed_signers"] is not None and not checked.signed
    if reporter.for_people and not given["print0"]:
        reporter.result("\n".join(_chain_lines(checked, asked=bool(given["allowed_signers"]))))
    return checked.whole and not unsigned


def _chain_lines(checked: ChainVerification, *, asked: bool) -> Iterator[str]:
    for fault in checked.faults:
        yield f"tampered  {fault}"
    for gap in checked.gaps:
        yield f"note      {gap}"
    for signature in checked.signatures:
        word = {True: "signed", False: "tampered", None: "note"}[signature.good]
        yield f"{word:<9} signature of {signature.signed_at or 'some time'}: {signature.sentence}"
    if asked and not checked.signed:
        yield "no signature of the receipts holds"
    elif asked and checked.signed < checked.receipts:
        yield f"note      receipts from {checked.signed + 1} on aren't signed yet"
    told = _count(checked.receipts, "receipt")
    if checked.faults:
        yield f"no: the receipts of the journal or of files aren't as they were written ({told})"
    else:
        yield f"the chain is whole: {told} in the journal"
    if checked.files:
        yield f"read from files: {_count(checked.files, 'receipt')}"
    if checked.unchained:
        yield (
            f"of older versions, unchained: {_count(checked.unchained, 'receipt')}; each has its "
            "digest, and nothing tells whether one is missing"
        )


def _chain_fields(checked: ChainVerification) -> dict[str, Any]:
    return {
        "whole": checked.whole,
        "receipts_chained": checked.receipts,
        "receipts_unchained": checked.unchained,
        "receipts_of_files": checked.files,
        "signed_up_to": checked.signed or None,
        "gaps": list(checked.gaps),
    }


# --- the files --------------------------------------------------------------------------------


def _tell_files(audited: Audit, given: Mapping[str, Any], reporter: Reporter) -> None:
    from turboupload.cli.ui.output import pour_names

    for each in audited.files:
        reporter.event("file", _file_fields(each))
    for path, why in audited.unread:
        reporter.event("unread", {"path": path, "message": why})
    if given["print0"]:
        pour_names(each.path for each in audited.of("proven"))
        for line in _totals(audited):
            reporter.note(line)
    elif reporter.for_people:
        reporter.result("\n".join(_lines(audited)))


def _lines(audited: Audit) -> Iterator[str]:
    for each in audited.files:
        told = each.sentence
        if each.standing == "proven":
            told = (
                f"read set {each.read_set_id}, by {' and '.join(each.proven_by)}, "
                f"{each.proven_at} ({each.receipt}{'' if each.chained else ', unchained'})"
            )
        yield f"{each.standing:<9} {each.path}: {told}"
    yield from _totals(audited)


def _totals(audited: Audit) -> Iterator[str]:
    from turboupload.core.proof.audit import STANDINGS

    for path, why in audited.unread:
        yield f"unread    {path}: {why}"
    for finding in audited.findings:
        yield f"tampered  {finding}"
    for standing in STANDINGS:
        count = len(audited.of(standing))
        if count:
            size = format_size(audited.bytes_of(standing))
            yield f"{_count(count, 'file')} {standing}, {size}"
    if audited.other_files:
        size = format_size(audited.other_bytes)
        yield f"{_count(audited.other_files, 'other file')}, {size}: not looked at"
    if audited.links:
        yield f"{_count(audited.links, 'symbolic link')}: not followed"
    if not audited.files:
        yield "no sequencing file is there, so nothing is proven"
    held = len(audited.held_elsewhere)
    more = (
        f"; {_count(held, 'file')} of them {'has' if held == 1 else 'have'} other names (hard "
        "links), and deleting these alone frees nothing"
        if held
        else ""
    )
    yield f"deleting the proven files frees {format_size(audited.freeable_bytes)}{more}"
    if audited.store_id is None:
        yield "judged by receipts alone: --store ID asks whether the store still has the read sets"
    elif audited.of("proven"):
        yield f"store {audited.store_id} was asked, and has the read sets of the proven files"


def _fields(audited: Audit) -> dict[str, Any]:
    from turboupload.core.proof.audit import STANDINGS

    return {
        "store_id": audited.store_id,
        "proven": audited.proven,
        "files": {each: len(audited.of(each)) for each in STANDINGS},
        "file_bytes": {each: audited.bytes_of(each) for each in STANDINGS},
        "freeable_bytes": audited.freeable_bytes,
        "held_elsewhere": len(audited.held_elsewhere),
        "unread": len(audited.unread),
        "other_files": audited.other_files,
        "other_bytes": audited.other_bytes,
        "links": audited.links,
        "receipts": audited.receipts,
        "findings": list(audited.findings),
    }


_TOLD = (
    "path", "size_bytes", "standing", "sentence", "read_set_id", "store_id", "proven_at",
    "receipt", "chained", "links", "allocated",
)  # fmt: skip


def _file_fields(each: AuditedFile) -> dict[str, Any]:
    return {**{name: getattr(each, name) for name in _TOLD}, "proven_by": list(each.proven_by)}


def _count(count: int, noun: str) -> str:
    from turboupload.units import counted

    return counted(count, noun)
