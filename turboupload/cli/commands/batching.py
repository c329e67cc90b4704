"""The options of `turboupload batch` become library calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio.to_thread

from turboupload.batch import rehearse_batch, upload_batch
from turboupload.cli.commands.uploading import config_of, leaving_no_trace
from turboupload.cli.ui.batch_reporter import BatchTelling
from turboupload.core.batch import BatchRehearsal, BatchResult
from turboupload.core.model import FileType
from turboupload.core.sheet.model import SheetDefaults
from turboupload.files.sheets import STDIN, read_sheet
from turboupload.state.results_file import ResultsFile

__all__ = ["carry_out"]


async def carry_out(
    given: Mapping[str, Any], telling: BatchTelling
) -> BatchResult | BatchRehearsal:
    """Uploads the sheet's rows, or rehearses that.

    Args:
        given: The options' values by name.
        telling: Told of what happens.

    Raises:
        TurbouploadError: See `turboupload.errors`.
    """
    sheet = await anyio.to_thread.run_sync(read_sheet, given["sheet"], _defaults(given))
    telling.warn(sheet)
    if given["results"] is not None and given["sheet"] != STDIN:
        ResultsFile(given["results"]).keep_off(given["sheet"])
    config = replace(
        config_of({"force": False, "no_resume": False, "upload_id": None, **given}),
        transactions_per_s=dict(given["quota"]),
    )
    if given["dry_run"]:
        with leaving_no_trace(config) as config:
            return await rehearse_batch(sheet, store_id=given["store"], config=config)
    return await upload_batch(
        sheet,
        store_id=given["store"],
        config=config,
        max_failures=1 if given["fail_fast"] else given["max_failures"],
        results=given["results"],
        on_event=telling.hear,
    )


def _defaults(given: Mapping[str, Any]) -> SheetDefaults:
    return SheetDefaults(
        file_type=FileType(given["type"]) if given["type"] else None,
        sample_id=given["sample"],
        subject_id=given["subject"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        description=given["description"],
        tags=dict(given["tag"]),
    )
