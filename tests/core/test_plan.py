import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import plan, source
from turboupload import limits
from turboupload.core.model import PartSource
from turboupload.core.upload.plan import choose_part_size, make_plan
from turboupload.errors import ConfigError, InputError
from turboupload.units import GIB, MIB


@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=2),
    part_size=st.integers(1, 60),
)
def test_parts_cover_every_byte_once(sizes: list[int], part_size: int) -> None:
    made = plan(*sizes, part_size=part_size)
    for each in made.sources:
        covered = [part for part in made.parts() if part.source is each.part_source]
        assert [part.number for part in covered] == list(range(1, len(covered) + 1))
        assert covered[0].offset == 0
        for before, after in itertools.pairwise(covered):
            assert before.offset + before.size == after.offset
        assert covered[-1].offset + covered[-1].size == each.size
        assert all(part.size == part_size for part in covered[:-1])
        assert 0 < covered[-1].size <= part_size
    assert made.total_parts == sum(1 for _ in made.parts())
    assert made.total_bytes == sum(sizes)
    assert all(made.part(part.source, part.number) == part for part in made.parts())


@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=2),
    part_size=st.integers(1, 60),
)
def test_all_parts_are_sent_and_each_files_first_at_first(sizes: list[int], part_size: int) -> None:
    made = plan(*sizes, part_size=part_size)
    order = list(made.in_sending_order())
    assert [part.number for part in order[: len(sizes)]] == [1] * len(sizes)
    assert sorted(order, key=lambda part: (part.source, part.number)) == list(made.parts())


def test_there_is_no_part_beyond_the_last_or_of_another_source() -> None:
    made = plan(10, part_size=4)
    assert made.part(PartSource.SOURCE1, 4) is None
    assert made.part(PartSource.SOURCE1, 0) is None
    assert made.part(PartSource.SOURCE2, 1) is None


@given(
    sizes=st.lists(st.integers(1, limits.MAX_SOURCE_BYTES), min_size=1, max_size=2),
    rate=st.none() | st.floats(0, 1e11),
)
def test_the_chosen_part_size_keeps_to_the_limits(sizes: list[int], rate: float | None) -> None:
    size = choose_part_size(sizes, bytes_per_s=rate)
    assert limits.MIN_PART_BYTES <= size <= limits.MAX_PART_BYTES
    assert size % MIB == 0
    assert all(-(-each // size) <= limits.MAX_PARTS for each in sizes)
    assert size == choose_part_size(list(reversed(sizes)), bytes_per_s=rate)


@pytest.mark.parametrize(
    ("size", "part_size"),
    [
        (1, 8 * MIB),
        (50 * MIB - 1, 50 * MIB),
        (100 * MIB, 100 * MIB),
        (101 * MIB, 100 * MIB),
        (500 * GIB, 100 * MIB),
    ],
)
def test_a_file_is_one_part_as_far_as_the_service_takes_it(size: int, part_size: int) -> None:
    assert choose_part_size([size]) == part_size


@pytest.mark.parametrize(
    ("size", "rate", "part_size"),
    [
        (GIB, 1e6 / 8, 8 * MIB),
        (GIB, 10e6 / 8, 8 * MIB),
        (GIB, 8e6, 14 * MIB),
        (GIB, 100e6, 100 * MIB),
        (GIB, 1.25e9, 100 * MIB),
        (9 * MIB, 8e6, 9 * MIB),
        (200 * GIB, 1e6, 21 * MIB),
        (900 * GIB, 1e6, 93 * MIB),
    ],
)
def test_parts_are_small_on_a_slow_link_as_far_as_10_000_of_them_reach(
    size: int, rate: float, part_size: int
) -> None:
    assert choose_part_size([size], bytes_per_s=rate) == part_size


def test_an_empty_file_is_rejected() -> None:
    with pytest.raises(InputError, match="empty"):
        make_plan([source(size=0)])


def test_the_largest_file_fits_and_one_byte_more_does_not() -> None:
    made = make_plan([source(size=limits.MAX_SOURCE_BYTES)])
    assert made.total_parts == limits.MAX_PARTS
    with pytest.raises(InputError, match="10,000 parts of 100 MiB"):
        make_plan([source(size=limits.MAX_SOURCE_BYTES + 1)])


def test_parts_that_are_too_small_for_the_file_are_refused_with_the_least_size() -> None:
    with pytest.raises(ConfigError, match="parts of 8 MiB") as caught:
        make_plan([source(size=500 * GIB)], part_size=8 * MIB)
    assert "at least 52 MiB" in str(caught.value.hint)
