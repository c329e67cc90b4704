"""Quotas, storms of errors and outages only slow; a long outage stops, and can be gone on from."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import turboupload
from tests.hostile.conftest import SEND, Trial
from tests.support.emulator import RunningEmulator
from tests.support.launcher import queue
from tests.support.samples import fastq
from turboupload.core.notices import Notice, Planned
from turboupload.core.upload.events import Completing

TPS = 40
SOON = ("--give-up-after", "1s")


async def test_sixty_four_workers_keep_within_a_tenth_of_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = fastq(tmp_path / "reads.fastq.gz", reads=1000)
    part_size = -(-sample.path.stat().st_size // 80)
    moments: dict[type, float] = {}

    def listen(notice: Notice) -> None:
        moments.setdefault(type(notice), asyncio.get_running_loop().time())

    with RunningEmulator(
        "--quotas", "real", "--quota", f"{SEND}={TPS}", "--ingest-delay", "0"
    ) as emulator:
        for name, value in emulator.env().items():
            monkeypatch.setenv(name, value)
        result = await turboupload.upload(
            turboupload.ReadSet(
                sources=[sample.path], name="quota", sample_id="HG002", subject_id="NA24385"
            ),
            store_id=emulator.store_id,
            config=turboupload.UploadConfig(
                part_size_bytes=part_size,
                concurrency=64,
                transactions_per_s={SEND: TPS},
                state_dir=tmp_path / "state",
            ),
            on_event=listen,
        )
        stats = emulator.stats()
    assert result.parts >= 79
    took = moments[Completing] - moments[Planned]
    assert took < 1.1 * result.parts / TPS * queue()
    assert (stats["errors"], result.retries) == (0, 0)
    assert stats["operations"][SEND]["requests"] == result.parts


def test_a_storm_of_errors_only_slows(trial: Trial) -> None:
    codes = ("ThrottlingException", "InternalServerException")
    trial.faults(
        *(
            {
                "probability": 0.15,
                "seed": seed,
                "times": None,
                "action": {"type": "error", "code": code},
            }
            for seed, code in enumerate(codes, start=4)
        )
    )
    ending = trial.run("--concurrency", "4")
    errors = trial.site.emulator.stats()["errors"]
    trial.well()
    trial.verify(ending)
    assert ending.last["retries"] == errors > 2
    assert set(trial.stored.values()) == {1}


def test_a_long_outage_stops_and_the_same_command_goes_on(trial: Trial) -> None:
    run = trial.start(*SOON, edge="after the row part 1/3", deed="stop")
    assert run.wait().code is None
    trial.site.emulator.kill()
    run.go_on()
    ending = run.wait()
    trial.site.emulator.restart()
    assert (ending.code, ending.last["outcome"]) == (5, "stopped")
    assert "no answer for" in ending.err
    assert ending.last["upload_id"]
    assert ending.last["retries"] >= 1
    assert "to go on, run the same command again" in ending.err
    trial.goes_on(reused=3)
