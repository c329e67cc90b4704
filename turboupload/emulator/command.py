"""`turboupload emulator`, which is also `python -m turboupload.emulator`.

Importing this loads only the options; the server is imported when it runs.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import Any, TypeVar, get_args

import click

from turboupload.emulator.config import Durability, QuotaMode
from turboupload.emulator.world import Checksum, ListingOrder, OddReply, SecondComplete

__all__ = ["emulator"]

_F = TypeVar("_F", bound=Callable[..., Any])
_ENV = "TURBOUPLOAD_EMULATOR_"


class _Line(click.types.StringParamType):
    """Text that may have spaces: in an environment variable, one value a line."""

    envvar_list_splitter = "\n"


def _option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    """An option whose environment variable is `TURBOUPLOAD_EMULATOR_` plus its name."""
    long_name = next(name for name in names if name.startswith("--"))
    variable = _ENV + long_name.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


def _quotas(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    from turboupload.emulator.operations.service import OPERATIONS

    rates = {}
    for value in values:
        operation, _sign, rate = value.partition("=")
        if operation not in OPERATIONS:
            raise click.BadParameter(f"no such operation: {operation!r}")
        try:
            rates[operation] = float(rate)
        except ValueError:
            raise click.BadParameter(f"not Operation=TPS: {value!r}") from None
    return rates


def _references(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Path]:
    references = {}
    for value in values:
        arn, _sign, path = value.partition("=")
        if not (arn.startswith("arn:") and path):
            raise click.BadParameter(f"not ARN=FASTA: {value!r}")
        references[arn] = Path(path)
    return references


def _faults(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    from turboupload.emulator.wire.faults import BadRule, Faults

    rules = []
    for value in values:
        try:
            rules.append(json.loads(value))
            Faults().add(rules[-1:])
        except (BadRule, ValueError) as error:
            raise click.BadParameter(f"{error}: {value}") from None
    return tuple(rules)


def _members(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    members = {}
    for value in values:
        name, sign, text = value.partition("=")
        if not sign:
            raise click.BadParameter(f"not NAME=VALUE: {value!r}")
        members[name] = text
    return members


_WORLD_OPTIONS = (
    "checksum", "ingest_delay_s", "page_size", "listing_order", "completed_uploads_listed_s",
    "second_complete", "odd_replies",
)  # fmt: skip
"""The members of a world that have an option of their own."""


def _world(options: dict[str, Any]) -> Any:
    """The world that the options describe; removes these from the options."""
    from turboupload.emulator.world import World, from_texts

    lag = options.pop("listing_lag_s")
    lags = dict.fromkeys(("read_sets_lag_s", "uploads_lag_s", "parts_lag_s"), lag)
    named = {name: options.pop(name) for name in _WORLD_OPTIONS}
    return from_texts(World(**named, **lags), options.pop("members"))


class _Command(click.Command):
    """Its help ends with the operations, which are imported only for that."""

    @property
    def epilog(self) -> str | None:
        """The operations by resource."""
        from turboupload.emulator.operations.service import RESOURCES

        lines = [
            fill(
                ", ".join(operations),
                width=80,
                initial_indent=f"{resource:<11}",
                subsequent_indent=" " * 11,
            )
            for resource, operations in RESOURCES.items()
        ]
        return "\n".join(("It answers these operations:\n\n\b", *lines, _OTHERS))

    @epilog.setter
    def epilog(self, _: str | None) -> None:
        """Keeps nothing: click sets it when it makes the command."""


_OTHERS = """
Any other is answered with 404. docs/testing.md says what of it is documented, recorded or assumed.
"""


@click.command("emulator", cls=_Command, context_settings={"max_content_width": 100})
@_option("--root", type=click.Path(file_okay=False, path_type=Path), help="Data folder; without it "
         "a temporary one that is removed at the end.")  # fmt: skip
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option("--port", default=0, show_default=True, help="TCP port; 0 takes a free one.")
@_option("--tls", is_flag=True, help="Serve HTTPS with a certificate authority of its own.")
@_option("--checksum",
         type=click.Choice(get_args(Checksum)),
         default="base64", show_default=True, help="Form of a part's checksum; foreign looks like "
         "SHA-256 and is none.")  # fmt: skip
@_option("--quotas", type=click.Choice(get_args(QuotaMode)), default="real", show_default=True,
         help="Enforce the service's documented requests a second.")  # fmt: skip
@_option("--quota", "quota_tps", multiple=True, callback=_quotas, metavar="Operation=TPS",
         help="Requests a second for one operation, over --quotas.")  # fmt: skip
@_option("--ingest-delay", "ingest_delay_s", type=float, default=1.0, show_default=True,
         help="Seconds between completion and ingest; a real one takes minutes.")  # fmt: skip
@_option("--s3-root", type=click.Path(exists=True, file_okay=False, path_type=Path),
         help="Folder whose sub-folders are the buckets of import jobs.")  # fmt: skip
@_option("--reference", "references", type=_Line(), multiple=True, callback=_references,
         metavar="ARN=FASTA", help="Reference for decoding CRAM.")  # fmt: skip
@_option("--access-key", default="local", show_default=True, help="The accepted access key.")
@_option("--secret-key", default="local", show_default=True, help="Its secret.")
@_option("--region", default="us-east-1", show_default=True, help="The Region.")
@_option("--account", default="000000000000", show_default=True, help="The account in ARNs.")
@_option("--fault", "faults", type=_Line(), multiple=True, callback=_faults, metavar="JSON",
         help="A fault rule to start with, as POST /_emulator/faults takes it.")  # fmt: skip
@_option("--page-size", default=100, show_default=True, help="Rows on a page at most, whatever "
         "maxResults asks for.")  # fmt: skip
@_option("--listing-order", type=click.Choice(get_args(ListingOrder)),
         default="recorded", show_default=True, help="Order of rows in listings.")  # fmt: skip
@_option("--listing-lag", "listing_lag_s", type=float, default=0.0, show_default=True,
         help="Listings of read sets, uploads and parts show what was there so many seconds "
         "ago.")  # fmt: skip
@_option("--completed-uploads-listed", "completed_uploads_listed_s", type=float, default=0.0,
         show_default=True, help="Seconds for which completed uploads are listed at least; they "
         "are until their read set is ACTIVE or failed.")  # fmt: skip
@_option("--second-complete", type=click.Choice(get_args(SecondComplete)),
         default="404", show_default=True, help="Answer to Complete of a completed upload: an "
         "error, the same read set or a new one.")  # fmt: skip
@_option("--odd-replies", multiple=True, callback=lambda _, __, values: frozenset(values),
         type=click.Choice(get_args(OddReply)),
         help="Make replies odd as real ones may be; may be given several times.")  # fmt: skip
@_option("--world", "members", type=_Line(), multiple=True, callback=_members,
         metavar="NAME=VALUE", help="How the service behaves where that isn't known, by the names "
         "of `turboupload.emulator.world`; over the options above.")  # fmt: skip
@_option("--durability", type=click.Choice(get_args(Durability)), default="process",
         show_default=True, help="What an acknowledged part survives: the death of the emulator, "
         "or the loss of power too.")  # fmt: skip
def emulator(root: Path | None, **options: Any) -> None:
    """Run a local AWS HealthOmics storage service.

    It listens on loopback unless told otherwise, keeps everything under --root, and prints one line
    of JSON when it is ready: where it is, its default sequence store, and the certificate authority
    to trust. SIGINT and SIGTERM stop it.
    """
    _warn_if_reachable(options["host"])
    with contextlib.ExitStack() as stack:
        if root is None:
            from turboupload.emulator.emulator import temporary_root

            root = stack.enter_context(temporary_root())
        _run(root.absolute(), options)


def _warn_if_reachable(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        click.echo(
            f"warning: listening on {host}: whoever reaches this machine reaches the emulator",
            err=True,
        )


def _run(root: Path, options: dict[str, Any]) -> None:
    import asyncio

    from turboupload.emulator.config import EmulatorConfig
    from turboupload.emulator.emulator import Ready, serve
    from turboupload.emulator.storage.database import RootOutdated
    from turboupload.emulator.storage.lock import RootBusy

    try:
        world = _world(options)
        config = EmulatorConfig(root=root, world=world, **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    def announce(ready: Ready) -> None:
        line = {
            "event": "emulator.ready",
            "endpoint_url": ready.endpoint_url,
            "store_id": ready.store_id,
            "ca_bundle": str(ready.ca_bundle) if ready.ca_bundle else None,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(config, announce))
    except (RootBusy, RootOutdated, OSError) as error:
        raise click.UsageError(str(error)) from None
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"{error.name} is not installed; pip install 'turboupload[emulator]' brings it"
        ) from None


def _loop_factory() -> Any:
    """Uvloop's event loop if it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
