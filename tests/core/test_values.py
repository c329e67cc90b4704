"""Our dataclasses are those of the standard library, made in less time."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest

from turboupload.values import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """Two fields, of which one has a default."""

    x: int
    y: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A field that is not shown, one that is not compared, one that is made later."""

    key: str = field(repr=False)
    seen: int = field(default=0, compare=False)
    rest: list[int] = field(default_factory=list, compare=False)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.key))


@dataclass(frozen=True, slots=True)
class Farther(Point):
    """One that has a field of its own, and says of itself what it is."""

    z: int = 0

    def __repr__(self) -> str:
        return "far"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Without a field."""


@dataclass(slots=True)
class Open:
    """One that may be changed."""

    count: int = 0


def standard(ours: type) -> Any:
    """The same class, as the standard library makes it."""
    told = {
        each.name: field(
            default=each.default, default_factory=each.default_factory, repr=each.repr,
            compare=each.compare, init=each.init, kw_only=each.kw_only,
        )
        if each.default_factory is not dataclasses.MISSING
        else field(
            default=each.default, repr=each.repr, compare=each.compare, init=each.init,
            kw_only=each.kw_only,
        )
        for each in fields(ours)
    }  # fmt: skip
    members = {"__annotations__": dict.fromkeys(told, Any), **told}
    if hasattr(ours, "__post_init__"):
        members["__post_init__"] = ours.__post_init__
    twin = type(ours.__name__, (), members)
    twin.__qualname__ = ours.__qualname__
    frozen = ours.__hash__ is not None
    return dataclasses.dataclass(twin, frozen=frozen, slots=True)


SAMPLES: list[tuple[type, dict[str, Any], dict[str, Any]]] = [
    (Point, {"x": 1}, {"x": 2}),
    (Point, {"x": 1, "y": float("nan")}, {"x": 1, "y": 2.0}),
    (Secret, {"key": "k", "seen": 5}, {"key": "other"}),
    (Nothing, {}, {}),
    (Open, {"count": 3}, {"count": 4}),
]


@pytest.mark.parametrize(("ours", "given", "other"), SAMPLES)
def test_they_are_what_the_standard_library_makes(
    ours: type, given: dict[str, Any], other: dict[str, Any]
) -> None:
    theirs = standard(ours)
    value, twin = ours(**given), theirs(**given)
    assert repr(value) == repr(twin)
    assert asdict(value) == asdict(twin)
    assert (value == ours(**given)) == (twin == theirs(**given))
    assert (value == ours(**other)) == (twin == theirs(**other))
    assert value != twin
    assert value.__eq__(twin) is NotImplemented
    assert vars(ours)["__match_args__"] == theirs.__match_args__
    assert vars(ours)["__dataclass_params__"].frozen == theirs.__dataclass_params__.frozen
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert not hasattr(value, "__dict__")
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301 - our own
        assert repr(again) == repr(value)
        assert type(again) is ours


def test_equal_values_have_one_hash() -> None:
    assert len({Point(1), Point(1, 1.0), Point(2)}) == 2
    assert hash(Secret(key="k", seen=1)) == hash(Secret(key="k", seen=2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Open())


def test_a_frozen_value_never_changes() -> None:
    for value, name in ((Point(1), "x"), (Secret(key="k"), "length"), (Farther(1), "y")):
        before = asdict(value)
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(value, name, 9)
        with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
            delattr(value, name)
        assert asdict(value) == before
    with pytest.raises(AttributeError):
        setattr(Point(1), "other", 1)  # noqa: B010 - type checkers refuse it otherwise
    changed = Open()
    changed.count = 7
    assert changed == Open(7)


def test_what_is_secret_is_not_shown() -> None:
    assert "hidden" not in repr(Secret(key="hidden"))


def test_replace_and_match_know_them() -> None:
    assert replace(Point(1), y=3.0) == Point(1, 3.0)
    match Farther(1, 2.0, 3):
        case Farther(x, y, z):
            assert (x, y, z) == (1, 2.0, 3)
    assert repr(Farther(1)) == "far"
    assert Farther(1) != Point(1)


def test_somebody_else_s_class_may_inherit_from_one() -> None:
    @dataclasses.dataclass(frozen=True)
    class Named(Point):
        """Made by the standard library."""

        name: str = ""

    named = Named(1, name="n")
    assert (named.x, named.y, named.name) == (1, 1.0, "n")
    with pytest.raises(FrozenInstanceError):
        setattr(named, "x", 2)  # noqa: B010 - type checkers refuse it otherwise


def test_an_order_and_a_dictionary_are_left_to_the_standard_library() -> None:
    @dataclass(frozen=True, slots=True, order=True)
    class Ordered:
        """One that can be sorted."""

        x: int

    @dataclass(frozen=True)
    class Roomy:
        """One without slots."""

        x: int

    assert sorted([Ordered(2), Ordered(1)]) == [Ordered(1), Ordered(2)]
    with pytest.raises(FrozenInstanceError):
        setattr(Roomy(1), "x", 2)  # noqa: B010 - as above
