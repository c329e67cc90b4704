"""`turboupload bench`: how fast is the way to a store?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.configurations import sending_config
from turboupload.cli.options.shared import CONNECTION, SENDING, STORE_OR_NONE, option
from turboupload.cli.options.values import DURATION
from turboupload.cli.session.command import Command
from turboupload.errors import ConfigError
from turboupload.units import format_duration, format_size

if TYPE_CHECKING:
    from turboupload.cli.reporters.bench import BenchReporter
    from turboupload.config import UploadConfig

__all__ = ["bench"]

CLEAN_UP_S: Final = 10.0
"""How long aborting the upload may take after an interrupt, in seconds."""

_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 600.0


class _Bench(Command):
    def reporter(self, given: Mapping[str, Any]) -> BenchReporter:
        from turboupload.cli.reporters.bench import BenchReporter

        return BenchReporter(given)


@click.command(
    "bench",
    cls=_Bench,
    words="bench",
    examples=("bench", "bench --store 1234567890 --yes --seconds 30s"),
)
@STORE_OR_NONE
@option(
    "--seconds",
    prefix="BENCH_",
    type=DURATION,
    default="10s",
    show_default=True,
    help="How long to send, from 1s to 10m.",
)
@option("--yes", prefix="BENCH_", is_flag=True, help="Don't ask.")
@SENDING
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout, the last one the result.",
)
@option("--verbose", "-v", count=True, help="Log what happens on stderr; -vv logs every call.")
@CONNECTION
def bench(**given: Any) -> None:
    """Measure the way to a store with made-up bytes, in an upload that is always aborted.

    Says the rate, parts a second, what limited them, and the round trip. Parts are sent as those
    of an upload are, but for the disk. Asks first, on a terminal; elsewhere --yes is needed. The
    upload is aborted at the end, also after Ctrl-C or a failure, and nothing remains.

    Without --store nothing leaves this machine: the other end is a local service, which shares its
    processors (needs the extra `emulator`).
    """
    with importing():
        from turboupload.cli.session.run import Session

        command = click.get_current_context().command
        assert isinstance(command, _Bench)
        reporter = command.reporter(given)

    Session(reporter, clean_up_s=CLEAN_UP_S).run(
        lambda: _run(given, reporter), int, needs=("turboupload.bench.run",)
    )


async def _run(given: Mapping[str, Any], reporter: BenchReporter) -> int:
    from turboupload.bench.run import open_bench

    seconds = given["seconds"]
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise ConfigError(f"--seconds is from 1s to 10m, not {seconds:g}s")
    async with AsyncExitStack() as stack:
        config, store_id = await stack.enter_async_context(_target(given, seconds, reporter))
        found = await stack.enter_async_context(open_bench(config, reporter.hear, reporter.take))
        return reporter.ended(await found.run(store_id, seconds))


@asynccontextmanager
async def _target(
    given: Mapping[str, Any], seconds: float, reporter: BenchReporter
) -> AsyncIterator[tuple[UploadConfig, str]]:
    """How to reach the store, and its id."""
    if given["store"] is None:
        async with _local_service(given, reporter) as found:
            yield found
        return
    from turboupload.cli.options.store import with_store_id

    config = sending_config(given)
    await _ask(given, config, seconds)
    found_id = (await with_store_id(given))["store"]
    reporter.begin(found_id)
    yield config, found_id


async def _ask(given: Mapping[str, Any], config: UploadConfig, seconds: float) -> None:
    """Asks whether to go on, and says what will be done.

    Raises:
        ConfigError: The user didn't confirm.
    """
    from turboupload.cli.ui.asking import can_ask, confirmed

    if given["yes"]:
        return
    what = (
        f"this opens an upload in store {given['store']}, sends made-up bytes to it for "
        f"{format_duration(seconds)} (at most {format_size(_most_bytes(config, seconds))}), and "
        "aborts it: nothing remains"
    )
    if not can_ask(given):
        raise ConfigError(
            "there is no terminal to ask whether to send made-up bytes",
            hint=f"say so with --yes: {what}; nothing was done",
        )
    if not await confirmed(f"{what[0].upper()}{what[1:]}. Go on?"):
        raise ConfigError("not confirmed; nothing was done")


def _most_bytes(config: UploadConfig, seconds: float) -> float:
    """What may be sent at the most, by quota and cap."""
    from turboupload.limits import MAX_PART_BYTES
    from turboupload.operations import SEND_PART

    parts_per_s = config.transactions_per_s.get(SEND_PART.name, SEND_PART.per_s)
    rate = parts_per_s * (config.part_size_bytes or MAX_PART_BYTES)
    return seconds * min(rate, config.max_bandwidth or rate)


@asynccontextmanager
async def _local_service(
    given: Mapping[str, Any], reporter: BenchReporter
) -> AsyncIterator[tuple[UploadConfig, str]]:
    """A local service of its own, whose data is gone in the end."""
    from dataclasses import replace

    from turboupload.demo.service import LocalService
    from turboupload.demo.story import require_extra
    from turboupload.runtime.tasks import in_thread

    if given["endpoint_url"] is not None:
        raise ConfigError(
            "which store of that endpoint?", hint="name it with --store; `stores list` shows them"
        )
    require_extra()
    with tempfile.TemporaryDirectory(prefix="turboupload-bench-") as name:
        folder = Path(name)
        service = LocalService(folder / "service", folder / "service.log", {})
        await in_thread(service.__enter__)
        try:
            os.environ.update(service.environment(folder / "state"))
            config = replace(
                sending_config({**given, "region": None, "profile": None, "ca_bundle": None}),
                state_dir=folder / "state",
            )
            reporter.begin(service.store_id, local=True)
            yield config, service.store_id
        finally:
            await in_thread(service.__exit__, None, None, None)
