"""Values: they can't be changed, are compared by what they hold, and are made quickly.

`dataclasses` compiles the methods of each class when it is made: 600 us for a frozen one, and an
upload needs a hundred. msgspec makes one in 13 us. What works with a frozen dataclass works all the
same: `dataclasses.replace`, `asdict`, `astuple`, `fields` and `is_dataclass` look for descriptions
of the fields, which are made when one of them first asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from dataclasses import Field

__all__ = ["Value"]


class _Later:
    """What `dataclasses` keeps of a class, made when it is asked for.

    Args:
        name: Of the attribute.
    """

    _known: ClassVar[dict[type[Struct], type]] = {}

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, value: object, owner: type[Struct]) -> Any:
        if owner not in self._known:
            self._known[owner] = _described(owner)
        return getattr(self._known[owner], self._name)


def _described(owner: type[Struct]) -> type:
    """A frozen dataclass with the fields' names and types, as they are written; no defaults."""
    from dataclasses import make_dataclass  # hardly any program asks
    from inspect import get_annotations

    types: dict[str, str] = {}
    for each in reversed(owner.__mro__):
        types |= get_annotations(each)
    fields = [(each, types[each]) for each in owner.__struct_fields__]
    return make_dataclass(owner.__name__, fields, frozen=True)


class Value(Struct, frozen=True):
    """The base of values."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__ = _Later("__dataclass_fields__")
        __dataclass_params__ = _Later("__dataclass_params__")
