"""Options that commands share, with their environment variables.

An option that sets an attribute of `UploadConfig` has its name; `configurations` needs no more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from turboupload.cli.options.help import Option, Section
from turboupload.cli.options.values import (
    ADDRESS,
    DURATION,
    FILE_TYPE,
    LABEL,
    MATES,
    NAME_PATTERN,
    PART_SIZE,
    PATH,
    PATHS,
    QUOTA,
    RATE,
    STORE_ID,
    SUBJECT_RULE,
    TAG,
)
from turboupload.config import CHECKSUMS, MAX_CONCURRENCY
from turboupload.core.formats import FileType

__all__ = [
    "CONNECTION",
    "FORCE",
    "MANIFESTS",
    "RESULTS",
    "SENDING",
    "STORE",
    "STORE_COMMAND",
    "STORE_OR_NONE",
    "UPLOAD_COMMAND",
    "is_set",
    "name_pattern",
    "option",
    "row_defaults",
    "subject_rule",
    "together",
    "type_option",
]

F = TypeVar("F", bound=Callable[..., Any])


def option(
    *names: str, prefix: str = "", section: Section = Section.COMMON, **more: Any
) -> Callable[[F], F]:
    """An option that is also the environment variable TURBOUPLOAD_ and its name.

    Args:
        names: As click takes them.
        prefix: Comes before the name in the variable, where commands share an option's name but
            not its meaning, such as `READSETS_`.
        section: Under which heading the help has it.
        more: As click takes it.
    """
    longest = next(name for name in names if name.startswith("--"))
    word = longest.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(
        *names,
        cls=Option,
        section=section,
        envvar=f"TURBOUPLOAD_{prefix}{word}",
        show_envvar=True,
        **more,
    )


def is_set(variable: str) -> bool:
    """Whether an environment variable of a flag says yes."""
    try:
        return bool(click.BOOL.convert(os.environ.get(variable) or "false", None, None))
    except click.BadParameter:
        return False


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order of the help."""

    def decorate(command: F) -> F:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def _store(*, required: bool) -> Callable[[F], F]:
    return option(
        "--store",
        type=STORE_ID,
        metavar="ID",
        required=required,
        help="The sequence store: its id (10 to 36 digits), its ARN, or its name.",
    )


STORE = _store(required=True)

STORE_OR_NONE = _store(required=False)
"""For commands that do what they can without one."""

FORCE = option(
    "--force",
    section=Section.RESUMING,
    is_flag=True,
    help="Upload again even if the read set exists.",
)

RESULTS = option(
    "--results",
    type=PATH,
    metavar="FILE",
    help="Keep the result of each row in this file (.csv or .json), up to date while it runs.",
)

CONNECTION = together(
    option(
        "--region",
        section=Section.CONNECTION,
        metavar="NAME",
        help="AWS Region; else AWS_REGION or the profile's.",
    ),
    option(
        "--profile",
        section=Section.CONNECTION,
        metavar="NAME",
        help="AWS profile; else AWS_PROFILE.",
    ),
    option(
        "--endpoint-url",
        section=Section.CONNECTION,
        metavar="URL",
        help="Another endpoint than AWS's own; else AWS_ENDPOINT_URL_OMICS.",
    ),
    option(
        "--ca-bundle",
        section=Section.CONNECTION,
        type=PATH,
        metavar="FILE",
        help="Certificate authorities to trust, PEM; else AWS_CA_BUNDLE.",
    ),
    option(
        "--insecure-accept-any-certificate",
        section=Section.CONNECTION,
        is_flag=True,
        help="Don't verify the server's certificate. Anyone in between can read and change your "
        "data.",
    ),
    option(
        "--connect-timeout",
        "connect_timeout_s",
        section=Section.CONNECTION,
        type=DURATION,
        default="20s",
        show_default=True,
        help="For name, connection and TLS handshake together.",
    ),
    option(
        "--stall-timeout",
        "stall_timeout_s",
        section=Section.CONNECTION,
        type=DURATION,
        default="60s",
        show_default=True,
        help="Give up a connection on which no byte moves for this long.",
    ),
    option(
        "--give-up-after",
        "give_up_after_s",
        section=Section.CONNECTION,
        type=DURATION,
        default="15m",
        show_default=True,
        help="Stop (resumable) when a call has failed for this long, over all its tries.",
    ),
    option(
        "--listing-lag",
        "listing_lag_s",
        section=Section.CONNECTION,
        type=DURATION,
        default="60s",
        show_default=True,
        help="How long the service's lists may lag behind what it has. turboupload looks for 1.25 "
        "times as long before it believes that something is not there: that a read set was "
        "deleted, or was not made, so that a Complete is repeated or a new upload begun.",
    ),
    option(
        "--quota",
        "transactions_per_s",
        section=Section.SPEED,
        type=QUOTA,
        multiple=True,
        help="Requests a second of one operation, where the account's differ from the service's "
        "defaults, such as UploadReadSetPart=20; may be given for each (in the variable: blanks "
        "or commas between them).",
    ),
    option(
        "--quota-share",
        section=Section.SPEED,
        type=PATH,
        metavar="FILE|URL",
        help="Where the quota is shared with other processes: a file that the nodes of a cluster "
        "see, or redis://HOST:PORT/DB; by default a file in the state folder.",
    ),
    option(
        "--state-dir",
        section=Section.CONNECTION,
        type=PATH,
        metavar="DIR",
        help="Folder of the journal; else ~/.local/state/turboupload.",
    ),
)
"""How to reach the service: the same for every command that does; see `connection_config`."""

STORE_COMMAND = together(
    option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON object a line on stdout, the last one how it ended.",
    ),
    option("--quiet", is_flag=True, help="Print ids, one a line, and nothing but errors."),
    option("--verbose", "-v", count=True, help="Log calls that fail on stderr; -vv every call."),
    CONNECTION,
)
"""How the commands that look at stores tell their results, and reach the service."""

SENDING = together(
    option(
        "--part-size",
        "part_size_bytes",
        section=Section.SPEED,
        type=PART_SIZE,
        help="Size of a part, such as 64MiB, at most 100MiB. By default 100MiB, or less where the "
        "link is slow, so that an interruption loses little.",
    ),
    option(
        "--concurrency",
        section=Section.SPEED,
        metavar="N",
        type=click.IntRange(1, MAX_CONCURRENCY),
        help="Parts sent at a time, of all files together; by default as many as the link can "
        "use, up to 64.",
    ),
    option(
        "--checksum",
        section=Section.PROOF,
        type=click.Choice(CHECKSUMS),
        default="sha256",
        show_default=True,
        help="sha256 compares each part with the service's checksum; xxh3 is cheaper and does not.",
    ),
    option(
        "--max-bandwidth",
        section=Section.SPEED,
        type=RATE,
        help="Never send faster than this, such as 200MiB/s; no default.",
    ),
)
"""How parts are sent; see `sending_config`."""

MANIFESTS = together(
    option(
        "--md5",
        section=Section.PROOF,
        type=PATHS,
        multiple=True,
        metavar="FILE",
        help="A manifest, as md5sum, sha256sum or BSD's md5 write it; may be given several times "
        "(in the variable: colons between them). Each file must be in one, and is compared while "
        "it is read; a difference stops it (exit 6).",
    ),
    option(
        "--md5-beside",
        section=Section.PROOF,
        is_flag=True,
        help="The same with a manifest beside each file: FILE.md5 or FILE.sha256.",
    ),
)
"""What files are compared with."""

UPLOAD_COMMAND = together(
    SENDING,
    option(
        "--wait/--no-wait",
        section=Section.WAITING,
        default=True,
        show_default=True,
        help="Whether to wait until the service has read the files and the read set is ACTIVE.",
    ),
    option(
        "--wait-timeout",
        "wait_timeout_s",
        section=Section.WAITING,
        type=DURATION,
        help="Wait no longer than this for a read set to be ACTIVE, such as 2h; by default as "
        "long as it takes.",
    ),
    option(
        "--preflight/--no-preflight",
        section=Section.PROOF,
        default=True,
        show_default=True,
        help="Whether to look at a read set's files before they are sent: whole, paired, of the "
        "right form? It takes under a second.",
    ),
    option(
        "--prove",
        section=Section.PROOF,
        is_flag=True,
        help="Compute the files' ETag while they are sent, and compare it with the read set's "
        "when it is ACTIVE. FASTQ: a difference is an error. BAM, uBAM and CRAM: a warning.",
    ),
    option(
        "--reference-fasta",
        section=Section.PROOF,
        type=PATH,
        metavar="PATH",
        help="The reference of a CRAM, as a FASTA file; only --prove needs it.",
    ),
    MANIFESTS,
    option(
        "--report",
        section=Section.PROOF,
        type=PATH,
        metavar="FILE",
        help="Write a page (.html) when it has ended, whatever the result: how fast it "
        "was, what limited it, the result of each read set. Needs the extra `report`.",
    ),
    option(
        "--metrics",
        section=Section.CONNECTION,
        type=ADDRESS,
        help="Serve figures for Prometheus here while it runs, such as 9464 (this machine only) or "
        "10.0.0.5:9464. Needs the extra `metrics`.",
    ),
    option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing."),
    option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON object a line on stdout, the last one the result.",
    ),
    option("--verbose", "-v", count=True, help="Log what happens on stderr; -vv logs every call."),
    CONNECTION,
)
"""How to upload, for one read set and for many; see `upload_config`."""


def type_option(help_text: str, *, section: Section = Section.COMMON) -> Callable[[F], F]:
    """The file type, for commands that make read sets."""
    return option(
        "--type",
        section=section,
        type=FILE_TYPE,
        metavar="|".join(FileType),
        help=help_text,
    )


def subject_rule(section: Section) -> Callable[[F], F]:
    """How the subject follows from the sample, for commands that make read sets."""
    return option(
        "--subject-from",
        section=section,
        type=SUBJECT_RULE,
        help="Where no subject is given: the sample's id, or what this regular expression finds in "
        "it (its first group, if it has one).",
    )


def name_pattern(section: Section, *, by_default: str) -> Callable[[F], F]:
    """How rows get names, for commands that make sheets of read sets."""
    return option(
        "--name-pattern",
        section=section,
        type=NAME_PATTERN,
        help=f"The name of each row without one, such as {{sample}}_{{run}}; {by_default}.",
    )


def merge_rows(section: Section) -> Callable[[F], F]:
    """Makes one read set of the rows that are its lanes; see `sheet_defaults`."""
    return option(
        "--merge",
        section=section,
        is_flag=True,
        help="Make one read set of the gzipped FASTQs of rows with the same name, sample and "
        "subject (without a name: the same sample and subject), such as lanes.",
    )


def mates(section: Section) -> Callable[[F], F]:
    """Which reads of a run's folder are a pair; see `files.run_folders.propose_sheet`."""
    return option(
        "--mates",
        section=section,
        type=MATES,
        help="Which reads are the mates where a sample has three, such as R1,R3; without it such "
        "samples are left out.",
    )


def row_defaults(*, type_by: str, reference: str) -> Callable[[F], F]:
    """What holds for every row of a sheet that doesn't say otherwise; see `sheet_defaults`.

    Args:
        type_by: Says what decides the type of a row's files by default.
        reference: Says what a reference is for.
    """
    return together(
        option(
            "--sample",
            section=Section.ROWS,
            metavar="ID",
            type=LABEL,
            help="The sample's id, for rows that don't name one.",
        ),
        option(
            "--subject",
            section=Section.ROWS,
            metavar="ID",
            type=LABEL,
            help="The subject's id, for rows that don't name one.",
        ),
        subject_rule(Section.ROWS),
        name_pattern(Section.ROWS, by_default="by default what its files' names have in common"),
        option(
            "--odd-ids",
            section=Section.ROWS,
            is_flag=True,
            help="Accept ids that look as if a spreadsheet had changed them, such as 03/11/2025.",
        ),
        type_option(
            f"What the files are, for rows that don't say; by default their {type_by}.",
            section=Section.ROWS,
        ),
        option(
            "--reference",
            section=Section.ROWS,
            metavar="ARN",
            help=f"The reference, for rows that don't name one{reference}.",
        ),
        option(
            "--generated-from",
            section=Section.ROWS,
            metavar="TEXT",
            help="Where the data comes from, for rows that don't say.",
        ),
        option(
            "--description",
            section=Section.ROWS,
            metavar="TEXT",
            help="A description, for rows without one.",
        ),
        option(
            "--tag",
            section=Section.ROWS,
            type=TAG,
            multiple=True,
            help="A tag for every row; may be given up to 50 times (in the variable: one a line).",
        ),
    )
