"""`turboupload upload`: one read set, from its files to ACTIVE."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.configurations import upload_config
from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import (
    FORCE,
    STORE,
    UPLOAD_COMMAND,
    option,
    subject_rule,
    type_option,
)
from turboupload.cli.options.values import LABEL, PATH, SIZE, TAG, tags_of
from turboupload.cli.options.wait_first import WAIT_FIRST, wait_first
from turboupload.cli.session.command import Command
from turboupload.cli.ui.stream import STDIN, is_streamed

if TYPE_CHECKING:
    from turboupload.cli.reporters.upload import UploadReporter
    from turboupload.config import UploadConfig
    from turboupload.core.model import ReadSet, SourcePaths
    from turboupload.core.notices import Rehearsal, UploadResult
    from turboupload.core.subjects import SubjectRule
    from turboupload.files.producers import Producer

__all__ = ["leaving_no_trace", "upload"]

_STDIN = 0
"""Its descriptor."""


class _Upload(Command):
    def reporter(self, given: Mapping[str, Any]) -> UploadReporter:
        from turboupload.cli.reporters.upload import UploadReporter

        return UploadReporter(given)


@click.command(
    cls=_Upload,
    words="upload",
    no_args_is_help=True,
    examples=(
        "upload HG002_R1.fastq.gz HG002_R2.fastq.gz --store 1234567890 \\\n"
        "    --name HG002 --sample HG002 --subject NA24385",
        "upload sample.bam --store 1234567890 --name sample --sample HG002 --subject NA24385 \\\n"
        "    --reference arn:aws:omics:eu-west-1:111122223333:referenceStore/1234567890/"
        "reference/1234567890",
    ),
)
@click.argument("files", metavar="FILE [FILE2]", nargs=-1, required=True, type=PATH)
@option(
    "--merge",
    is_flag=True,
    help="Make one read set of many gzipped FASTQs, such as the lanes of a sample: what `cat` "
    "makes of them, in this order. Their names say which are R1 and R2.",
)
@STORE
@option(
    "--name",
    metavar="NAME",
    type=LABEL,
    required=True,
    help="The read set's name, up to 127 characters.",
)
@option(
    "--sample",
    metavar="ID",
    type=LABEL,
    help="The sample's id, up to 127 characters; BAM, uBAM and CRAM default to the one sample "
    "(@RG SM) that their header names.",
)
@option(
    "--subject",
    metavar="ID",
    type=LABEL,
    help="The subject's id, up to 127 characters; by default as the sample's.",
)
@subject_rule(Section.READ_SET)
@type_option("What the file is; by default its content decides.")
@option(
    "--reference",
    section=Section.READ_SET,
    metavar="ARN",
    help="The reference in a HealthOmics reference store; BAM and CRAM need one.",
)
@option(
    "--generated-from",
    section=Section.READ_SET,
    metavar="TEXT",
    help="Where the data comes from, such as a run.",
)
@option(
    "--description",
    section=Section.READ_SET,
    metavar="TEXT",
    help="A description, up to 255 characters.",
)
@option(
    "--tag",
    section=Section.READ_SET,
    type=TAG,
    multiple=True,
    help="A tag; may be given up to 50 times (in the variable: one a line).",
)
@option(
    "--no-resume",
    section=Section.RESUMING,
    is_flag=True,
    help="Ignore what earlier runs sent, and start from the beginning.",
)
@option(
    "--upload-id",
    section=Section.RESUMING,
    metavar="ID",
    help="Continue this upload; normally it is found automatically.",
)
@FORCE
@WAIT_FIRST
@option(
    "--receipt",
    section=Section.PROOF,
    type=PATH,
    metavar="PATH",
    help="Write the receipt here, too: what was sent, how it ended, and what that proves. "
    "The journal always keeps it.",
)
@option(
    "--from-command",
    section=Section.STREAM,
    is_flag=True,
    help="FILE and what follows `--` are a command: it is run, and what it writes to its standard "
    "output is uploaded. Where it fails, nothing is completed.",
)
@option(
    "--producer-exit",
    section=Section.STREAM,
    type=PATH,
    metavar="FILE",
    help="With -: nothing is completed before FILE, which comes with the end of the bytes, has the "
    "exit code 0 of the command that wrote them.",
)
@option(
    "--spool",
    section=Section.STREAM,
    type=SIZE,
    default="512MiB",
    show_default=True,
    help="How much of a stream is kept for parts that are being sent.",
)
@option(
    "--spool-dir",
    section=Section.STREAM,
    type=PATH,
    metavar="DIR",
    help="Keep that on this folder's disk; by default in memory.",
)
@option("--quiet", is_flag=True, help="Print the read set's id, and nothing else but errors.")
@UPLOAD_COMMAND
def upload(**given: Any) -> None:
    """Upload FILE, or the FASTQ pair FILE (R1) and FILE2 (R2), into a sequence store.

    FILE may be - for standard input; with --from-command, FILE… is a command that is run.

    Run the same command again after any interruption: it goes on where it stopped. When the read
    set exists already, it says so and sends nothing.

    Sizes are like 64MiB (64M means the same), times like 90s, 15m or 2h.

    \b
    Exit codes:
      0    done: the read set exists, and is ACTIVE where it was waited for
      1    a bug
      2    usage or configuration; nothing was sent
      3    the input was rejected before anything was sent
      4    the service refused: denied, not found, invalid, over a quota
      5    stopped part-way; the same command goes on
      6    a checksum or ETag differs, or the file changed
      7    uploaded, then rejected by the service
      130  interrupted; the same command goes on
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    with importing():
        from turboupload.cli.reporters.upload import UploadReporter
        from turboupload.cli.session.observation import clean_up_s
        from turboupload.cli.session.run import Session

    reporter = UploadReporter(given)
    Session(reporter, clean_up_s=clean_up_s(given)).run(
        lambda: _carry_out(given, reporter),
        reporter.ended,
        needs=("turboupload.api", "turboupload.cli.session.job", "turboupload.files.stable"),
    )


async def _carry_out(
    given: Mapping[str, Any], reporter: UploadReporter
) -> UploadResult | Rehearsal:
    """Uploads, or rehearses.

    Raises:
        TurbouploadError: See `turboupload.errors`.
    """
    from turboupload.cli.session.observation import observed

    read_set = _read_set(given)
    reporter.report_to(given, f"Upload of {read_set.name}")
    stream = _stream_of(given)
    with observed(given, reporter.tell):
        return await _upload(read_set, stream, given, reporter)


async def _upload(
    read_set: ReadSet,
    stream: Callable[[], Producer] | None,
    given: Mapping[str, Any],
    reporter: UploadReporter,
) -> UploadResult | Rehearsal:
    from turboupload.api import Uploader
    from turboupload.cli.options.store import with_store_id

    given = await with_store_id(given)
    config = upload_config(
        given,
        resume=not given["no_resume"],
        upload_id=given["upload_id"],
        force=given["force"],
    )
    if given["dry_run"]:
        await wait_first(given["wait_for"], given["settle"], read_set.paths, tell=reporter.note)
        with leaving_no_trace(config) as config:
            async with Uploader(config) as uploader:
                return await uploader.rehearse(read_set, given["store"], on_event=reporter.hear)
    from turboupload.cli.session.job import listed
    from turboupload.core.jobs import progress_after

    async with listed(
        config, reporter.tell, kind="upload", about=given["name"], store_id=given["store"]
    ) as job:
        await wait_first(given["wait_for"], given["settle"], read_set.paths, tell=reporter.note)
        async with Uploader(config) as uploader:
            job.obey(uploader.controls)
            hear = job.hearing(progress_after, reporter.hear)
            if stream is None:
                result = await uploader.upload(
                    read_set, given["store"], receipt_path=given["receipt"], on_event=hear
                )
            else:
                result = await uploader.upload_stream(
                    read_set,
                    given["store"],
                    stream(),
                    spool_bytes=given["spool"],
                    spool_dir=given["spool_dir"],
                    receipt_path=given["receipt"],
                    on_event=hear,
                )
        job.ended(result.outcome, 0)
        return result


def _stream_of(given: Mapping[str, Any]) -> Callable[[], Producer] | None:
    """What gives the bytes, once it is called; None where they are in files.

    Raises:
        ConfigError: The options make no sense for a stream, or standard input is a terminal or
            closed.
    """
    from turboupload.errors import ConfigError

    exit_file = given["producer_exit"]
    if exit_file is not None and (given["from_command"] or not is_streamed(given)):
        raise ConfigError(
            "--producer-exit is about the command that writes to standard input",
            hint="leave it out: only `upload -` needs it",
        )
    if not is_streamed(given):
        return None
    from turboupload.files.producers import Command as Run
    from turboupload.files.producers import Descriptor, PipeWithExitCode

    for name in ("dry_run", "settle"):
        if given[name]:
            raise ConfigError(
                f"--{name.replace('_', '-')} looks at files, and a pipe gives its bytes only once",
                hint="leave it out",
            )
    if given["from_command"]:
        return lambda: Run(given["files"])
    if sys.stdin is None:
        # Its number is by now another file's, or a socket's.
        raise ConfigError(
            "standard input is closed, so nothing can come through it",
            hint="pipe the file's bytes into it: samtools view -b … | turboupload upload - …",
        )
    if os.isatty(_STDIN):
        raise ConfigError(
            "standard input is a terminal, and no file can be typed",
            hint="pipe the file's bytes into it: samtools view -b … | turboupload upload - …",
        )
    if exit_file is not None:
        return lambda: PipeWithExitCode(_STDIN, "standard input", exit_file)
    return lambda: Descriptor(_STDIN, "standard input")


@contextmanager
def leaving_no_trace(config: UploadConfig) -> Iterator[UploadConfig]:
    """The configuration for a rehearsal, which makes no state folder where there is none."""
    from tempfile import TemporaryDirectory

    if config.state_folder.exists():
        yield config
        return
    with TemporaryDirectory(prefix="turboupload-") as folder:
        yield replace(config, state_dir=folder)


def _subject_of(given: Mapping[str, Any]) -> str | None:
    """The subject that follows from the sample, where that was given.

    Raises:
        ConfigError: The rule finds none.
    """
    from turboupload.errors import ConfigError

    rule: SubjectRule | None = given["subject_from"]
    if rule is None or (given["sample"] is None and rule.pattern is None):
        return None  # the sample of a header is its subject, too
    if given["sample"] is None:
        raise ConfigError(
            "a pattern for the subject needs a sample to look in",
            hint="add --sample ID, or use --subject-from sample",
        )
    try:
        return rule.subject_of(given["sample"])
    except ValueError as error:
        raise ConfigError(str(error), hint="give the subject by --subject") from None


def _read_set(given: Mapping[str, Any]) -> ReadSet:
    from turboupload.core.formats import count_fault
    from turboupload.core.model import ReadSet
    from turboupload.errors import ConfigError, InputError

    sources: Sequence[SourcePaths] = given["files"]
    if is_streamed(given):
        sources = [STDIN]
    elif STDIN in sources:
        raise ConfigError(
            "a pair can't come from standard input: its two files would have to come at once",
            hint="name both files",
        )
    elif given["merge"]:
        from turboupload.seqcheck.checks.merging import split_mates

        sources = split_mates(given["files"])
    elif fault := count_fault(len(sources)):
        raise InputError(
            fault,
            hint="--merge makes one read set of lanes; `turboupload sheet FOLDER` writes a sheet "
            "of many files, and `turboupload batch SHEET` uploads its rows",
        )
    return ReadSet(
        sources=sources,
        file_type=given["type"],
        name=given["name"],
        sample_id=given["sample"],
        subject_id=given["subject"] or _subject_of(given),
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        description=given["description"],
        tags=tags_of(given["tag"]),
    )
