from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.receipts import receipt_of
from turboupload.core.proof.receipt import Comparison
from turboupload.errors import ConfigError, InputError
from turboupload.files.receipt_check import check_receipt

NOT_MADE = Comparison("part-checksums", "not-made", False, "xxh3")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"content of one")
    two.write_bytes(b"content of two")
    return one, two


@pytest.mark.parametrize("whole", [True, False])
def test_the_files_themselves(pair: tuple[Path, Path], whole: bool) -> None:
    receipt = receipt_of(*pair, whole=whole)
    steps: list[tuple[int, int]] = []
    check = check_receipt(receipt, progress=lambda *step: steps.append(step), threads=2)
    assert check.proven
    assert [each.source for each in check.files] == ["SOURCE1", "SOURCE2"]
    assert max(steps) == (28, 28)


@pytest.fixture
def lanes(tmp_path: Path) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
    one, two, three, four = (tmp_path / name for name in ("a1", "b1", "a2", "b2"))
    for path in (one, two, three, four):
        path.write_bytes(f"content of {path.name}".encode())
    return (one, two), (three, four)


@pytest.mark.parametrize("whole", [True, False])
def test_merged_files(lanes: tuple[tuple[Path, Path], tuple[Path, Path]], whole: bool) -> None:
    (first, second), (third, fourth) = lanes
    receipt = receipt_of(*lanes, whole=whole)
    check = check_receipt(receipt)
    assert check.proven
    assert [each.source for each in check.files] == ["SOURCE1", "SOURCE1", "SOURCE2", "SOURCE2"]
    assert check.files[1].sentence.startswith("is file 2 of 2; the SHA-256 of each of SOURCE1's")
    # What `cat` makes of them proves as much, and so do the sources in another order.
    cat = first.with_name("cat")
    cat.write_bytes(first.read_bytes() + second.read_bytes())
    cat2 = first.with_name("cat2")
    cat2.write_bytes(third.read_bytes() + fourth.read_bytes())
    assert check_receipt(receipt, [str(cat2), str(cat)]).proven
    assert check_receipt(receipt, [str(each) for each in (third, fourth, first, second)]).proven
    # In another order they are another content.
    turned = check_receipt(receipt, [str(each) for each in (second, first, third, fourth)])
    assert [each.source for each in turned.files] == [None, None, "SOURCE2", "SOURCE2"]
    with pytest.raises(ConfigError, match="of 4 files, and 3 were given") as caught:
        check_receipt(receipt, [str(first), str(second), str(third)])
    assert "the order of the receipt" in str(caught.value.hint)
    second.write_bytes(b"CONTENT of b1")
    changed = check_receipt(receipt).files
    if whole:
        assert changed[0].sentence == "is the file of the receipt; another of its source is not"
        assert "its SHA-256" in changed[1].sentence
    else:
        assert "can't be told from the others of SOURCE1" in changed[0].sentence
    second.write_bytes(b"content of b1 and more")
    assert "has 22 bytes" in check_receipt(receipt).files[1].sentence


def test_the_order_does_not_matter(pair: tuple[Path, Path]) -> None:
    check = check_receipt(receipt_of(*pair), [str(pair[1]), str(pair[0])])
    assert check.proven
    assert [each.source for each in check.files] == ["SOURCE2", "SOURCE1"]
    assert "another order: it is SOURCE2" in check.files[0].sentence


def test_another_file_anywhere(pair: tuple[Path, Path]) -> None:
    receipt = receipt_of(*pair)
    content = pair[1].read_bytes()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        pair[1].write_bytes(changed)
        check = check_receipt(receipt)
        assert not check.files_match
        assert not check.proven
        assert [each.source for each in check.files] == ["SOURCE1", None]
        assert f"part {at // 4 + 1} has other digests" in check.files[1].sentence
    pair[1].write_bytes(content + b"!")
    assert "has 15 bytes; by the receipt it had 14" in check_receipt(receipt).files[1].sentence


def test_one_file_given_twice_is_not_the_pair(pair: tuple[Path, Path]) -> None:
    check = check_receipt(receipt_of(*pair), [str(pair[0]), str(pair[0])])
    assert [each.source for each in check.files] == ["SOURCE1", None]


def test_a_pair_of_equal_files(pair: tuple[Path, Path]) -> None:
    pair[1].write_bytes(pair[0].read_bytes())
    assert check_receipt(receipt_of(*pair)).proven


def test_a_receipt_that_proves_nothing_is_no_yes(pair: tuple[Path, Path]) -> None:
    check = check_receipt(receipt_of(*pair, comparisons=(NOT_MADE,), sha256=False))
    assert check.files_match
    assert not check.proven
    assert "not a forgery" in check.files[0].sentence


def test_a_receipt_that_knows_the_parts_of_one_file_alone(pair: tuple[Path, Path]) -> None:
    receipt = receipt_of(*pair, whole=True)
    one, two = receipt.files
    receipt = replace(receipt, files=(one, replace(two, parts=())))
    assert check_receipt(receipt).proven
    pair[1].write_bytes(b"content of 222")
    assert not check_receipt(receipt).proven


def test_missing_and_surplus_files(pair: tuple[Path, Path]) -> None:
    receipt = receipt_of(*pair)
    with pytest.raises(ConfigError, match="of 2 files, and 1 were given"):
        check_receipt(receipt, [str(pair[0])])
    pair[1].unlink()
    with pytest.raises(InputError) as caught:
        check_receipt(receipt)
    assert caught.value.path == str(pair[1])
