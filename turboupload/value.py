"""What users hold: values that can't be changed, are compared by what they hold, and start quickly.

`dataclasses` compiles the methods of each class when it is made: 600 us for a frozen one, and an
upload needs a hundred. msgspec makes one in 20 us. What is expected of a dataclass works all the
same: `dataclasses.replace`, `asdict`, `astuple`, `fields` and `is_dataclass` look for descriptions
of the fields, which are made when one of them first asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from dataclasses import Field

__all__ = ["Value"]


class _FieldsLater:
    """The descriptions of a class's fields, as `dataclasses` keeps them."""

    def __init__(self) -> None:
        self._known: dict[type[Struct], dict[str, Field[Any]]] = {}

    def __get__(self, value: object, owner: type[Struct]) -> dict[str, Field[Any]]:
        if owner not in self._known:
            self._known[owner] = _described(owner)
        return self._known[owner]


def _described(owner: type[Struct]) -> dict[str, Field[Any]]:
    """The fields' names and types, as they are written; not their defaults."""
    from dataclasses import fields, make_dataclass  # hardly any program asks
    from inspect import get_annotations

    types: dict[str, str] = {}
    for each in reversed(owner.__mro__):
        types |= get_annotations(each)
    made = make_dataclass(owner.__name__, [(each, types[each]) for each in owner.__struct_fields__])
    return {each.name: each for each in fields(made)}


class Value(Struct, frozen=True):
    """The base of values that users hold."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__ = _FieldsLater()
