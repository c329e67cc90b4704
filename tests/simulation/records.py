"""The product's records, made faster while worlds are played.

A frozen dataclass sets each of its fields by a call, and a world makes a thousand of them. That
nobody changes one is what types and other tests say; here they are as if they weren't frozen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any

__all__ = ["thawed"]


def thawed() -> list[tuple[Any, str, Any]]:
    """Which attributes of which classes to replace, and by what."""
    return [
        change
        for each in _frozen()
        for change in ((each, "__init__", _init(each)), (each, "__setattr__", object.__setattr__))
    ]


def _frozen() -> Iterator[type]:
    modules = [each for name, each in sys.modules.items() if name.startswith("turboupload")]
    classes = {each: None for module in modules for each in vars(module).values() if _is(each)}
    yield from classes


def _is(found: object) -> bool:
    """Whether it is a frozen dataclass that makes its own fields, and takes nothing else."""
    if not isinstance(found, type) or not is_dataclass(found):
        return False
    own: Any = vars(found)
    parameters = own.get("__dataclass_params__")
    return (
        parameters is not None
        and parameters.frozen
        and "__init__" in own
        and "__setattr__" in own
        and len(fields(found)) == len(own["__dataclass_fields__"])
    )


@cache
def _init(frozen: Any) -> Any:
    """What a dataclass of the same fields has that isn't frozen."""
    made = []
    for each in fields(frozen):
        how: dict[str, Any] = {"init": each.init, "kw_only": each.kw_only}
        if each.default is not MISSING:
            how["default"] = each.default
        if each.default_factory is not MISSING:
            how["default_factory"] = each.default_factory
        made.append((each.name, Any, field(**how)))
    after = getattr(frozen, "__post_init__", None)
    namespace = {} if after is None else {"__post_init__": after}
    twin: Any = make_dataclass(frozen.__name__, made, namespace=namespace)
    return twin.__init__
