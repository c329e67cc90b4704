"""Which sequence store is meant: by its id, its ARN or its name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.stores import SequenceStores

__all__ = ["StoreOfArn", "agreed_region", "parse_store", "with_store_id"]

_ARN = re.compile(r"arn:[^:]+:omics:([^:]+):[^:]*:sequenceStore/([0-9]{10,36})(?:/.*)?")


class StoreOfArn(str):
    """A store's id that was taken from its ARN.

    Attributes:
        region: The ARN's Region.
    """

    __slots__ = ("region",)
    region: str


def parse_store(text: str) -> str:
    """An id or a name as it is, and of an ARN the id.

    Raises:
        ValueError: An ARN is not that of a sequence store, or of something in one.
    """
    if not text.startswith("arn:"):
        return text
    match = _ARN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not the ARN of a sequence store: those look like "
            "arn:aws:omics:REGION:ACCOUNT:sequenceStore/ID"
        )
    store = StoreOfArn(match[2])
    store.region = match[1]
    return store


def agreed_region(given: Mapping[str, Any]) -> str | None:
    """The Region of the options, or else of the store's ARN.

    Args:
        given: The options' values by name.

    Raises:
        ConfigError: The ARN is of another Region than the one that is configured.
    """
    region: str | None = given["region"]
    store = given.get("store")
    if not isinstance(store, StoreOfArn):
        return region
    told = region or os.environ.get("AWS_REGION") or _region_of_profile(given["profile"])
    if told and told != store.region:
        raise ConfigError(
            f"the store's ARN is of Region {store.region}, and the configured Region is {told}",
            hint=f"add --region {store.region}, or name a store in {told}",
        )
    return store.region


def _region_of_profile(profile: str | None) -> str | None:
    from turboupload.omics.surroundings import configured_region

    return configured_region(profile)


async def with_store_id(
    given: Mapping[str, Any], stores: SequenceStores | None = None
) -> Mapping[str, Any]:
    """The options with the store's id; where a name was given, the service is asked.

    Args:
        given: The options' values by name.
        stores: The service; None opens it where it is needed.

    Raises:
        ConfigError: No store has that name, or several have.
    """
    store = given.get("store")
    # What has only digits is meant for an id, also where it is none.
    if store is None or (store.isascii() and store.isdigit()):
        return given
    if stores is not None:
        return {**given, "store": await _id_of(store, stores)}
    from turboupload.cli.ui.options import connection_config
    from turboupload.stores import SequenceStores

    async with SequenceStores(connection_config(given)) as opened:
        return {**given, "store": await _id_of(store, opened)}


async def _id_of(name: str, stores: SequenceStores) -> str:
    from turboupload.core.filters import SequenceStoreFilter

    found = [
        row.store_id
        async for row in stores.list_sequence_stores(SequenceStoreFilter(name=name))
        if row.name == name
    ]
    if not found:
        raise ConfigError(
            f"no sequence store in {stores.where} is called {name!r}",
            hint="`turboupload stores list` shows those that there are; an id has 10 to 36 digits",
        )
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} sequence stores are called {name!r}: {', '.join(found)}",
            hint="give the id of one of them",
        )
    return found[0]
