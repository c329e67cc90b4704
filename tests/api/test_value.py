"""Values that users hold: what `dataclasses` offers works with them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

import turboupload
from tests.support.values import digest, plan
from turboupload.core.model import Part, PartSource
from turboupload.core.notices import Progress, Remark
from turboupload.core.upload import events
from turboupload.core.upload.events import PartSeen
from turboupload.value import Value

PART = next(iter(plan(10, part_size=4).parts()))
SEEN = PartSeen(part=PART, digest=digest(PART), checksum="abc", origin="sent")
REMARK = Remark("quota-lower", "the service grants less")


def test_it_is_a_dataclass_to_whoever_asks() -> None:
    assert dataclasses.is_dataclass(REMARK)
    assert [each.name for each in dataclasses.fields(REMARK)][:2] == ["code", "text"]
    assert dataclasses.asdict(REMARK)["text"] == "the service grants less"
    assert dataclasses.astuple(REMARK)[0] == "quota-lower"
    inner = dataclasses.asdict(SEEN)["part"]
    assert inner == dataclasses.asdict(SEEN.part)


def test_a_changed_copy_leaves_the_value_as_it_is() -> None:
    other = dataclasses.replace(REMARK, text="another")
    assert (other.code, other.text, REMARK.text) == (REMARK.code, "another", REMARK.text.strip())
    assert other != REMARK
    assert dataclasses.replace(REMARK) == REMARK
    with pytest.raises(TypeError):
        dataclasses.replace(REMARK, unknown=1)  # type: ignore[call-arg]


def test_it_can_not_be_changed_and_travels() -> None:
    with pytest.raises(AttributeError):
        REMARK.text = "another"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del REMARK.text
    assert REMARK.text == "the service grants less"
    for value in (REMARK, SEEN):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - ours
        assert copy.deepcopy(value) == value
        assert hash(copy.copy(value)) == hash(value)


def test_parts_have_an_order() -> None:
    first, second = Part(PartSource.SOURCE1, 1, 0, 4), Part(PartSource.SOURCE1, 2, 4, 4)
    assert sorted([second, first]) == [first, second]


def all_values() -> list[type[Value]]:
    """Every kind of value that users hold."""
    there: list[Any] = [Progress, *vars(events).values()]
    there += [getattr(turboupload, name) for name in turboupload.__all__]
    return [each for each in there if inspect.isclass(each) and issubclass(each, Value)]


@pytest.mark.parametrize("kind", sorted(set(all_values()), key=repr))
def test_the_fields_of_all_are_known(kind: type[Value]) -> None:
    """Also of those whose types are imported for a type checker only."""
    assert [each.name for each in dataclasses.fields(kind)] == list(kind.__struct_fields__)
