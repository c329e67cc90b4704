"""Which sequence store a name means."""

from __future__ import annotations

from collections.abc import Iterable

from turboupload.core.records import SequenceStoreDetails
from turboupload.errors import ConfigError

__all__ = ["only_store_called"]


def only_store_called(name: str, rows: Iterable[SequenceStoreDetails], where: str) -> str:
    """The id of the one store that has exactly this name.

    Args:
        name: The name.
        rows: Stores; the service may have compared their names in part.
        where: The Region and the account, for messages.

    Raises:
        ConfigError: No store has that name, or several have.
    """
    found = [row.store_id for row in rows if row.name == name]
    if not found:
        raise ConfigError(
            f"no sequence store in {where} is called {name!r}",
            hint="`turboupload stores list` shows those that there are; an id has 10 to 36 digits",
        )
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} sequence stores are called {name!r}: {', '.join(found)}",
            hint="give the id of one of them",
        )
    return found[0]
