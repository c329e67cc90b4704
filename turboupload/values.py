"""Dataclasses that are made in a quarter of the time.

`dataclasses.dataclass` writes each method of each class as text and compiles it: half a millisecond
for one that is frozen, and an upload imports over a hundred of them before its first byte. Only
`__init__` differs so much between classes that it must be compiled; the others are shared here.
What is made is a dataclass: `fields`, `replace`, `asdict`, `match` and pickle take it, and to type
checkers this decorator is that of the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """As `dataclasses.dataclass`, to which unusual classes are left: without slots, say."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        unusual = not options.get("slots") or options.keys() - {"frozen", "slots", "kw_only"}
        if unusual or any(map(dataclasses.is_dataclass, cls.__mro__[1:])):
            return dataclasses.dataclass(cls, **options)
        frozen = options.pop("frozen", False)
        made = dataclasses.dataclass(cls, repr=False, eq=False, **options)
        for name, method in _methods(made, frozen=frozen).items():
            if name not in cls.__dict__:
                setattr(made, name, method)
        made.__dataclass_params__.frozen = frozen  # who inherits from it must be as frozen
        return made


def _methods(cls: Any, *, frozen: bool) -> dict[str, Callable[..., Any] | None]:
    """The methods that `dataclasses` would have compiled for a class."""
    fields = dataclasses.fields(cls)
    shown = [field.name for field in fields if field.repr]
    compared = _getter([field.name for field in fields if field.compare])

    def represent(self: Any) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({inside})"

    def equal(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compared(self) == compared(other)

    def digest(self: Any) -> int:
        return hash(compared(self))

    if not frozen:
        return {"__repr__": represent, "__eq__": equal, "__hash__": None}
    return {
        "__repr__": represent,
        "__eq__": equal,
        "__hash__": digest,
        "__setattr__": _set_once,
        "__delattr__": _keep,
    }


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Gets the attributes of these names as a tuple."""
    if not names:
        return lambda _: ()
    # For a single name `attrgetter` gives no tuple, and two of them compare as one does.
    return attrgetter(*names) if len(names) > 1 else attrgetter(names[0], names[0])


def _set_once(self: Any, name: str, value: object) -> None:
    """Sets a field that has no value yet, as `__init__` does: a new object's slots are empty."""
    if hasattr(self, name) and name in self.__dataclass_fields__:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _keep(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
