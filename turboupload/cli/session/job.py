"""A command that is listed among the jobs of this machine while it runs, and told what to do."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from turboupload.cli.ui.errors import INTERRUPTED, exit_code_for, this_command
from turboupload.config import UploadConfig
from turboupload.core.jobs import Asked, Job, JobProgress
from turboupload.core.notices import Remark
from turboupload.errors import TurbouploadError
from turboupload.jobs.folder import this_host
from turboupload.jobs.running import RunningJob, running_job
from turboupload.runtime.exhaustion import trouble_here
from turboupload.units import format_rate

__all__ = ["listed", "told_words"]


@asynccontextmanager
async def listed(
    config: UploadConfig,
    tell: Callable[[Remark], object],
    *,
    kind: str,
    about: str,
    store_id: str,
) -> AsyncIterator[RunningJob]:
    """Lists this command as a job while the context lasts, and how it ended.

    Args:
        config: How it uploads.
        tell: Told of what is changed from outside.
        kind: The command.
        about: The read set's name, or the sheet.
        store_id: The sequence store.
    """
    now = time.time()
    job = Job(
        id=0,
        pid=os.getpid(),
        host=this_host(),
        kind=kind,
        about=about,
        store_id=store_id,
        command=this_command(),
        started_at=now,
        seen_at=now,
        progress=JobProgress(max_bandwidth=config.max_bandwidth, concurrency=config.concurrency),
    )

    def tell_of(asked: Asked, job: Job) -> None:
        tell(_remark(asked, job))

    async with running_job(config.state_folder, job, tell_of) as running:
        try:
            yield running
        except Exception as error:
            running.ended(*_how_it_ended(error))
            raise
        except BaseException:
            running.ended("interrupted", INTERRUPTED)
            raise


def _how_it_ended(error: Exception) -> tuple[str, int, str]:
    known = error if isinstance(error, TurbouploadError) else trouble_here(error)
    # A bug is one of no known kind, and has the exit code of those.
    known = known or TurbouploadError(f"{type(error).__name__}: {error}")
    return known.outcome, exit_code_for(known), known.message


def _remark(asked: Asked, job: Job) -> Remark:
    """What was changed from outside, for who watches."""
    match asked.deed:
        case "pause":
            return Remark(
                "paused",
                "paused: parts in flight come to their end, and nothing new is sent until "
                f"`turboupload jobs resume {job.id}`",
            )
        case "resume":
            return Remark("resumed", "resumed")
        case _:
            return Remark("changed", f"goes on with {_settings(asked.settings)}")


def told_words(asked: Asked, job: Job) -> str:
    """What a job was told, for who told it."""
    about = f"job {job.id} ({job.kind} {job.about})"
    match asked.deed:
        case "pause":
            return f"{about} is paused; `turboupload jobs resume {job.id}` lets it go on"
        case "resume":
            return f"{about} goes on"
        case _:
            return f"{about} goes on with {_settings(asked.settings)}"


def _settings(settings: Mapping[str, int | None]) -> str:
    told = []
    if "max_bandwidth" in settings:
        cap = settings["max_bandwidth"]
        told.append("no cap on its rate" if cap is None else f"at most {format_rate(cap)}")
    if "concurrency" in settings:
        parts = settings["concurrency"]
        told.append("as many parts at a time as the link can use" if parts is None
                    else f"{parts:,} part{'s' * (parts != 1)} at a time")  # fmt: skip
    return ", ".join(told)
