"""The options of `turboupload upload` become library calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from anyio import from_thread, to_thread

from turboupload.api import Uploader
from turboupload.cli.ui.connecting import connection_config
from turboupload.config import UploadConfig
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice, Rehearsal, UploadResult
from turboupload.files.stable import wait_for_sentinel, wait_until_settled

__all__ = ["carry_out", "config_of", "leaving_no_trace"]


async def carry_out(
    given: Mapping[str, Any], on_event: Callable[[Notice], None]
) -> UploadResult | Rehearsal:
    """Uploads, or rehearses.

    Args:
        given: The options' values by name.
        on_event: Told of what happens.

    Raises:
        TurbouploadError: See `turboupload.errors`.
    """
    read_set, config = _read_set(given), config_of(given)
    await _wait(given, read_set.paths)
    if given["dry_run"]:
        with leaving_no_trace(config) as config:
            async with Uploader(config) as uploader:
                return await uploader.rehearse(read_set, given["store"], on_event=on_event)
    async with Uploader(config) as uploader:
        return await uploader.upload(
            read_set, given["store"], receipt_path=given["receipt"], on_event=on_event
        )


@contextmanager
def leaving_no_trace(config: UploadConfig) -> Iterator[UploadConfig]:
    """The configuration for a rehearsal, which makes no state folder where there is none."""
    if config.state_folder.exists():
        yield config
        return
    with TemporaryDirectory(prefix="turboupload-") as folder:
        yield replace(config, state_dir=folder)


async def _wait(given: Mapping[str, Any], paths: Sequence[str]) -> None:
    """Waits for a sequencer or a copy that is still at work, as far as that was asked for."""
    sentinel, quiet_s = given["wait_for"], given["settle"]
    if sentinel is None and quiet_s is None:
        return

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        from_thread.check_cancelled()

    def wait() -> None:
        if sentinel is not None:
            wait_for_sentinel(sentinel, sleep=sleep)
        if quiet_s is not None:
            wait_until_settled(paths, quiet_s, sleep=sleep)

    await to_thread.run_sync(wait)


def _read_set(given: Mapping[str, Any]) -> ReadSet:
    return ReadSet(
        sources=list(given["files"]),
        file_type=given["type"],
        name=given["name"],
        sample_id=given["sample"],
        subject_id=given["subject"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        description=given["description"],
        tags=dict(given["tag"]),
    )


def config_of(given: Mapping[str, Any]) -> UploadConfig:
    """How to upload, as the options say.

    Args:
        given: The options' values by name.
    """
    return replace(
        connection_config(given),
        listing_lag_s=given["listing_lag"],
        part_size_bytes=given["part_size"],
        concurrency=given["concurrency"],
        preflight=given["preflight"],
        checksum=given["checksum"],
        resume=not given["no_resume"],
        upload_id=given["upload_id"],
        force=given["force"],
        prove=given["prove"],
        reference_fasta=given["reference_fasta"],
        wait=given["wait"],
        wait_timeout_s=given["wait_timeout"],
        max_bandwidth=given["max_bandwidth"],
    )
