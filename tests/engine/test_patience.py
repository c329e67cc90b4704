"""How long an upload waits for what others may be doing."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Bench
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.engine import load


@pytest.mark.parametrize("give_up_after_s", [10.0, 900.0])
@pytest.mark.parametrize("stall_timeout_s", [1.0, 60.0])
@pytest.mark.parametrize("listing_lag_s", [1.0, 60.0, 600.0])
async def test_who_gives_way_waits_longer_than_who_goes_first(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    give_up_after_s: float,
    stall_timeout_s: float,
    listing_lag_s: float,
) -> None:
    """That one looks for as long as a listing may lag, and then its Complete may be slow."""
    seen: list[UploadOptions] = []

    class Seen(Upload):
        def __init__(self, **fields: object) -> None:
            super().__init__(**fields)  # type: ignore[arg-type] # as they came
            seen.append(self.options)

    monkeypatch.setattr(load, "Upload", Seen)
    await bench.upload(
        bench.read_set(bench.file()),
        give_up_after_s=give_up_after_s,
        stall_timeout_s=stall_timeout_s,
        listing_lag_s=listing_lag_s,
    )
    (options,) = seen
    assert options.stand_aside_s > 2 * options.slow_patience_s
    assert options.stand_aside_s >= give_up_after_s
