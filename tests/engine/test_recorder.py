"""Rows that several tasks have written together."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest

from turboupload.core.upload.events import Completing
from turboupload.engine.recorder import Recorder
from turboupload.errors import Stopped
from turboupload.state.journal import Journal


class Broken:
    """A journal that writes nothing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def append(self, rows: Any) -> None:
        raise self._error


@pytest.mark.parametrize("error", [Stopped("full"), OSError("no locks"), RuntimeError("no thread")])
async def test_no_task_goes_on_where_the_rows_of_all_could_not_be_written(
    error: Exception,
) -> None:
    recorder = Recorder(cast(Journal, Broken(error)))
    ended: list[str] = []

    async def record(key: str) -> None:
        with pytest.raises(type(error), match=str(error)):
            await recorder.record(key, Completing())
        ended.append(key)

    async with anyio.create_task_group() as group:
        for key in "abc":
            group.start_soon(record, key)
    assert sorted(ended) == ["a", "b", "c"]
