"""Which sequence store is meant by a name: the service is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turboupload.cli.options.values import StoreOfArn
from turboupload.limits import ID

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
    if store is None or ID.fullmatch(store):
        return given
    if stores is not None:
        return {**given, "store": await _id_of(store, stores)}
    from turboupload.cli.options.configurations import connection_config
    from turboupload.stores import SequenceStores

    async with SequenceStores(connection_config(given)) as opened:
        return {**given, "store": await _id_of(store, opened)}


async def _id_of(name: str, stores: SequenceStores) -> str:
    from turboupload.core.filters import SequenceStoreFilter
    from turboupload.core.store_names import only_store_called

    rows = [row async for row in stores.list_sequence_stores(SequenceStoreFilter(name=name))]
    return only_store_called(name, rows, stores.where)
