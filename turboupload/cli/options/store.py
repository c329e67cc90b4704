"""Which sequence store is meant by a name: the service is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turboupload.cli.options.values import StoreOfArn
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.stores import SequenceStores

__all__ = ["with_store_id"]


async def with_store_id(
    given: Mapping[str, Any], stores: SequenceStores | None = None
) -> Mapping[str, Any]:
    """The options with the store's id, and the Region of an ARN.

    Where a name was given, the service is asked.

    Args:
        given: The options' values by name.
        stores: The service; None opens it where it is needed.

    Raises:
        ConfigError: No store has that name, or several have; or an ARN is of another Region.
    """
    store = given.get("store")
    if isinstance(store, StoreOfArn):
        from turboupload.cli.options.configurations import agreed_region

        # Plain text from here on: what is written with msgspec takes no other.
        return {**given, "store": str(store), "region": agreed_region(given)}
    # What has only digits is meant for an id, also where it is none.
    if store is None or (store.isascii() and store.isdigit()):
        return given
    if stores is not None:
        return {**given, "store": await _id_of(store, stores)}
    from turboupload.cli.options.configurations import connection_config
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
