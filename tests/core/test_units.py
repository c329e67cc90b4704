import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.units import (
    format_duration,
    format_rate,
    format_size,
    format_sizes_apart,
    parse_duration,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4096", 4096),
        ("8k", 8192),
        ("100MiB", 104_857_600),
        ("100MB", 104_857_600),
        ("100 m", 104_857_600),
        ("1.5GiB", 1_610_612_736),
        ("1t", 1024**4),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "x", "-1", "1 PiB", "1e9", "8 kk", "MiB", "١٢٣ x"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["50MiB/s", "50 MB/sec", "50m"])
def test_rates_are_read_with_and_without_the_second(text: str) -> None:
    assert parse_rate(text) == 50 * 1024 * 1024


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate("fast")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90s", 90),
        ("15m", 900),
        ("10 min", 600),
        ("2h", 7200),
        ("7d", 604_800),
        ("250ms", 0.25),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["7", " 7 ", "0.5"])
def test_a_duration_has_a_unit(text: str) -> None:
    count = text.strip()
    with pytest.raises(ValueError, match=f"{count}' has no unit: write {count}s, .* or {count}d"):
        parse_duration(text)


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration("soon")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (104_857_600, "100 MiB"),
        (1_500_000, "1.43 MiB"),
        (1024**3 * 12.34, "12.3 GiB"),
        (976.6 * 1024**3, "977 GiB"),
    ],
)
def test_sizes_are_printed(count: float, text: str) -> None:
    assert format_size(count) == text
    assert format_rate(count) == f"{text}/s"


@pytest.mark.parametrize(
    ("first", "second", "texts"),
    [
        (104_857_600, 104_857_600, ("100 MiB", "100 MiB")),
        (104_857_601, 104_857_600, ("100.000001 MiB", "100 MiB")),
        (104_900_000, 104_857_600, ("100.04 MiB", "100 MiB")),
        (200_000_000, 104_857_600, ("191 MiB", "100 MiB")),
        (1_048_576_000_001, 1_048_576_000_000, ("976.563 GiB", "976.562 GiB")),
        (1022, 1023, ("0.998 KiB", "0.999 KiB")),
    ],
)
def test_sizes_are_told_apart(first: int, second: int, texts: tuple[str, str]) -> None:
    assert format_sizes_apart(first, second) == texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (59, "59 s"), (65, "1 min 5 s"), (12_000, "3 h 20 min"), (90_000, "1 d 1 h")],
)
def test_durations_are_printed(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_a_printed_size_is_read_back_within_its_three_digits(count: int) -> None:
    assert parse_size(format_size(count)) == pytest.approx(count, rel=0.01)
