"""How parts were cut, and whose cut is used where two hosts differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import plan
from turboupload.core.model import PartSource
from turboupload.core.records import UploadPart
from turboupload.core.upload.parts.cuts import (
    cut_to_take,
    infer_mixed_size,
    infer_part_size,
    is_of_other_files,
    may_be_cut_short,
)
from turboupload.units import MIB

ONE, TWO = PartSource.SOURCE1, PartSource.SOURCE2


def rows(*sizes: tuple[PartSource, int, int]) -> list[UploadPart]:
    return [UploadPart(source, number, size, None) for source, number, size in sizes]


def cut(size: int, part_size: int, *, only: int | None = None) -> list[UploadPart]:
    """What a host that cuts one file by this size has sent, or only its first parts."""
    parts = plan(size, part_size=part_size).parts()
    return [UploadPart(each.source, each.number, each.size, None) for each in parts][:only]


@pytest.mark.parametrize(
    ("theirs", "ours", "has_own", "taken"),
    [
        pytest.param(cut(300 * MIB, 100 * MIB), 8, True, 100, id="the larger one is taken"),
        pytest.param(cut(300 * MIB, 8 * MIB), 100, True, None, id="the smaller one is not"),
        pytest.param(cut(300 * MIB, 8 * MIB), 100, False, 8, id="unless nothing there is ours"),
        pytest.param(cut(300 * MIB, 8 * MIB), 8, True, None, id="nothing to take where equal"),
        pytest.param(cut(300 * MIB, 20 * MIB, only=1), 8, True, 20, id="one part tells"),
        pytest.param([], 8, False, None, id="nothing is there"),
        pytest.param(
            rows((ONE, 1, 8 * MIB), (ONE, 2, 20 * MIB), (ONE, 3, 12 * MIB)), 8, True, 20,
            id="of three, the largest",
        ),
        pytest.param(rows((ONE, 1, 8 * MIB - 7)), 8, True, None, id="one that was cut short"),
        pytest.param(rows((ONE, 1, 20 * MIB - 7)), 8, True, None, id="or may have been"),
        pytest.param(rows((ONE, 9, 200 * MIB)), 8, False, None, id="a part is never so large"),
    ],
)  # fmt: skip
def test_the_cut_of_another_host(
    theirs: list[UploadPart], ours: int, has_own: bool, taken: int | None
) -> None:
    found = cut_to_take(theirs, plan(300 * MIB, part_size=ours * MIB), has_own=has_own)
    assert found == (taken * MIB if taken else None)


def test_a_file_that_another_host_sends_in_one_part() -> None:
    whole = 45 * MIB + 3
    ours = plan(whole, 20 * MIB, part_size=8 * MIB)
    assert cut_to_take(rows((ONE, 1, whole)), ours, has_own=True) == whole
    assert cut_to_take(rows((TWO, 1, 20 * MIB)), ours, has_own=True) == 20 * MIB


@given(
    sizes=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    cuts=st.tuples(*[st.integers(1, 100)] * 2),
    kept=st.sets(st.integers(0, 30)),
)
def test_of_two_hosts_that_look_one_gives_way_at_most(
    sizes: tuple[int, int], cuts: tuple[int, int], kept: set[int]
) -> None:
    """Both have parts there, and each looks: they don't change places."""
    plans = [plan(*(size * MIB for size in sizes), part_size=cut * MIB) for cut in cuts]
    there = {
        (part.source, part.number): part.size
        for each in plans
        for place, part in enumerate(each.parts())
        if (place in kept) == (each is plans[1])
    }
    listed = rows(*((*key, size) for key, size in there.items()))
    one, other = (cut_to_take(listed, each, has_own=True) for each in plans)
    assert one is None or other is None or one == other
    for own, taken in zip(cuts, (one, other), strict=True):
        assert taken is None or taken > own * MIB


@given(size=st.integers(1, 3000), part_size=st.integers(1, 100))
def test_a_whole_cut_is_found(size: int, part_size: int) -> None:
    there = cut(size * MIB, part_size * MIB)
    sources = plan(size * MIB, part_size=MIB).sources
    inferred = infer_part_size(there, sources, planned=part_size * MIB)
    assert inferred == part_size * MIB


def test_parts_of_whole_mib_were_not_cut_short() -> None:
    assert may_be_cut_short(8 * MIB - 1)
    assert not may_be_cut_short(8 * MIB)


@pytest.mark.parametrize(
    ("listed", "has_own", "taken"),
    [
        pytest.param([(2, 30 * MIB + 3)], False, 60, id="the larger one"),
        pytest.param([(2, 30 * MIB + 3), (1, 60 * MIB)], False, 60, id="with the others"),
        pytest.param([(4, 3)], False, None, id="the smaller one is not taken"),
        pytest.param([(2, 30 * MIB + 2)], False, None, id="it was cut short on its way"),
        pytest.param([(2, 30 * MIB + 3)], True, None, id="what is ours there speaks for our cut"),
        pytest.param([(1, 3)], False, None, id="the first part tells nothing"),
    ],
)
def test_a_last_part_alone_tells_its_cut(
    listed: list[tuple[int, int]], has_own: bool, taken: int | None
) -> None:
    parts = rows(*((ONE, number, size) for number, size in listed))
    found = cut_to_take(parts, plan(90 * MIB + 3, part_size=40 * MIB), has_own=has_own)
    assert found == (taken * MIB if taken else None)


@pytest.mark.parametrize(
    ("there", "size"),
    [
        pytest.param(rows((ONE, 1, 13), (ONE, 2, 5)), 13, id="a smaller cut left its last part"),
        pytest.param(rows((ONE, 1, 13), (ONE, 2, 4), (ONE, 3, 4), (ONE, 4, 1)), 13, id="and more"),
        pytest.param(rows((ONE, 1, 8), (ONE, 2, 4)), None, id="a last part of another size"),
        pytest.param(rows((ONE, 4, 5)), None, id="nothing of the larger cut"),
        pytest.param([], None, id="nothing at all"),
    ],
)
def test_parts_behind_the_larger_cut_are_no_part_of_it(
    there: list[UploadPart], size: int | None
) -> None:
    assert infer_mixed_size(there, plan(13, part_size=8).sources) == size


@pytest.mark.parametrize(
    ("part", "others"),
    [
        pytest.param((ONE, 1, 13), False, id="all of it"),
        pytest.param((ONE, 2, 5), False, id="the end of a cut"),
        pytest.param((ONE, 4, 4), False, id="the end of a smaller cut, cut short or not"),
        pytest.param((ONE, 5, 3), False, id="the end of a small cut, cut short"),
        pytest.param((ONE, 2, 13), True, id="behind the end"),
        pytest.param((ONE, 3, 8), True, id="far behind the end"),
        pytest.param((TWO, 1, 1), True, id="of a second file"),
    ],
)
def test_a_part_that_no_cut_of_these_files_has(
    part: tuple[PartSource, int, int], others: bool
) -> None:
    (row,) = rows(part)
    assert is_of_other_files(row, plan(13, part_size=8).sources) == others


def test_an_upload_with_a_second_file_has_no_cut_of_one_alone() -> None:
    there = rows((ONE, 1, 8), (ONE, 2, 5), (TWO, 1, 5))
    assert infer_part_size(there, plan(13, part_size=8).sources, planned=8) is None
    assert infer_mixed_size(there, plan(13, part_size=8).sources) is None
