from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.receipts import EQUAL_PARTS, check_schema, receipt_of
from turboupload.core.proof.audit import StoreView
from turboupload.core.proof.known_files import KnownFiles, known_files
from turboupload.core.proof.receipt import Comparison, judge, own_digest, tree_digest
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.core.records import ETag, ReadSetDetails
from turboupload.errors import InputError, IntegrityError

OPAQUE = Comparison("part-checksums", "not-comparable", False, "opaque")
EQUAL_ETAG = Comparison("etag", "equal", True, "the ETags are equal")
OTHER_READS = Comparison("etag", "different", True, "the ETags differ")
OTHER_TEXT = Comparison("etag", "different", False, "the ETags differ, which says nothing")
SIZES = Comparison("stored-sizes", "equal", False, "the sizes are equal")
OTHER_SIZES = Comparison("stored-sizes", "different", True, "9 are stored, and 10 were sent")


@pytest.mark.parametrize(
    ("status", "comparisons", "by"),
    [
        ("ACTIVE", [EQUAL_PARTS], ["part-checksums"]),
        ("ARCHIVED", [EQUAL_PARTS], ["part-checksums"]),
        ("ACTIVE", [EQUAL_PARTS, EQUAL_ETAG], ["part-checksums", "etag"]),
        ("ACTIVE", [OPAQUE, EQUAL_ETAG], ["etag"]),
        ("ACTIVE", [EQUAL_PARTS, OTHER_TEXT, SIZES], ["part-checksums"]),
        ("ACTIVE", [EQUAL_PARTS, OTHER_READS], []),
        ("ACTIVE", [OPAQUE, SIZES], []),
        ("ACTIVE", [EQUAL_PARTS, OTHER_SIZES], []),
        ("ACTIVE", [OPAQUE, OTHER_TEXT], []),
        ("PROCESSING_UPLOAD", [EQUAL_PARTS], []),
        ("UPLOAD_FAILED", [EQUAL_PARTS], []),
        ("ACTIVE", [], []),
    ],
)
def test_the_verdict(status: str, comparisons: list[Comparison], by: list[str]) -> None:
    verdict = judge(status, comparisons)
    assert verdict.proven == bool(by)
    assert list(verdict.by) == by
    assert verdict.statement.startswith("Proven: " if by else "Not proven")
    assert "Keep" in verdict.statement or by or "disproven" in verdict.statement


def test_a_disproof_gives_way_to_the_best_proof_alone(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")

    def strength(*comparisons: Comparison) -> int:
        return receipt_of(path, comparisons=comparisons).strength

    assert strength(EQUAL_PARTS) > strength(OPAQUE)
    assert strength(OPAQUE, OTHER_READS) == strength(EQUAL_PARTS, OTHER_READS)
    assert strength(EQUAL_PARTS, OTHER_READS) > strength(EQUAL_PARTS)
    assert strength(EQUAL_PARTS, OTHER_READS) == strength(EQUAL_PARTS, EQUAL_ETAG)
    # Another size may come of recompressing: an ETag says more, part checksums say less.
    assert strength(OPAQUE, EQUAL_ETAG) > strength(EQUAL_PARTS, OTHER_SIZES)
    assert strength(EQUAL_PARTS, OTHER_SIZES) > strength(EQUAL_PARTS)


def test_a_tree_is_the_digest_of_lines() -> None:
    one, two = hashlib.sha256(b"1").digest(), hashlib.sha256(b"2").digest()
    lines = f"{one.hex()}\n{two.hex()}\n".encode()
    assert tree_digest([one, two]) == hashlib.sha256(lines).hexdigest()
    assert tree_digest([one, None]) is None
    assert tree_digest([]) is None


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    for name in ("1", "2"):
        (tmp_path / name).write_bytes(b"content of " + name.encode())
    made = receipt_of(tmp_path / "1", tmp_path / "2", whole=True).document()
    loaded: dict[str, Any] = json.loads(json.dumps(made))
    return loaded


def test_a_receipt_comes_back_as_it_was(document: dict[str, Any]) -> None:
    check_schema(document)
    assert read_receipt(document).document() == document


def _members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document."""
    rows = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(rows):
        yield (*path, key)
        if isinstance(each, dict | list):
            yield from _members(each, (*path, key))


def test_whatever_is_changed_in_a_receipt_is_noticed(document: dict[str, Any]) -> None:
    for path in _members(document):
        changed = copy.deepcopy(document)
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = "changed"
        with pytest.raises((InputError, IntegrityError)):
            read_receipt(changed)


def test_a_document_of_any_form_is_refused_or_read(document: dict[str, Any]) -> None:
    """Also one whose digest was made to fit."""
    etag = ETag(algorithm="FASTQ_MD5up", source1="ab")
    document["read_set"]["etag"] = etag.as_dict()
    about = {key: document["read_set"].get(key) for key in ("name", "sample_id", "subject_id")}
    there = ReadSetDetails(read_set_id="1", status="ACTIVE", etag=etag, **about)
    for path in _members(document):
        for value in (
            None,
            7,
            -1,
            "",
            "zz",
            [],
            {},
            [7],
            {"a": 1},
            True,
            float("inf"),
            "\0",
            "\ud800",
        ):
            changed = copy.deepcopy(document)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            changed["receipt_sha256"] = own_digest(changed)
            with contextlib.suppress(InputError, IntegrityError):
                receipt = read_receipt(changed)
                # An audit looks its files up.
                real = [os.path.realpath(each) for each, _ in receipt.local_files]
                known = KnownFiles(known_files(receipt, "here", real))
                for each in known.of_size(receipt.files[0].size):
                    store = StoreView("1", {each.read_set_id: there})
                    assert store.objection(each) is None or each.read_set != document["read_set"]


def test_a_receipt_is_of_one_file_or_a_pair(document: dict[str, Any]) -> None:
    one, two = document["files"]
    for files in ([], [two], [one, one], [two, one], [one, two, two]):
        forged = {**document, "files": files}
        forged["receipt_sha256"] = own_digest(forged)
        with pytest.raises(InputError, match="neither one nor a pair"):
            read_receipt(forged)


def test_a_receipt_that_contradicts_itself_is_refused(document: dict[str, Any]) -> None:
    def forged(change: Any) -> dict[str, Any]:
        changed = copy.deepcopy(document)
        change(changed)
        changed["receipt_sha256"] = own_digest(changed)
        return changed

    def part(document: dict[str, Any], **fields: Any) -> None:
        document["files"][0]["parts"][1].update(fields)

    for change, words in (
        (lambda it: it["comparisons"][0].update(proof=False), "don't prove"),
        (lambda it: it["read_set"].update(status="PROCESSING_UPLOAD"), "don't prove"),
        (lambda it: it["files"][0].update(sha256_tree="0" * 64), "tree"),
        (lambda it: part(it, sha256="0" * 64), "tree"),
        (lambda it: part(it, offset=5), "out of place"),
        (lambda it: it["files"][0]["parts"].pop(), "all of it"),
        (lambda it: it["files"][0].update(size=5), "out of place"),
    ):
        with pytest.raises(IntegrityError, match=words):
            read_receipt(forged(change))


def test_merged_files_are_in_it_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(4)]
    for path in paths:
        path.write_bytes(path.name.encode() * 7)
    receipt = receipt_of((paths[0], paths[1]), (paths[2], paths[3]), whole=True)
    document = receipt.document()
    check_schema(document)
    assert document["version"] == 2
    assert [[each["path"] for each in row["merged"]] for row in document["files"]] == [
        [str(paths[0]), str(paths[1])],
        [str(paths[2]), str(paths[3])],
    ]
    assert document["files"][0]["size"] == 14
    assert read_receipt(json.loads(json.dumps(document))) == receipt

    def forged(change: Any) -> dict[str, Any]:
        changed = copy.deepcopy(document)
        change(changed)
        changed["receipt_sha256"] = own_digest(changed)
        return changed

    for change in (
        lambda it: it.update(version=1),
        lambda it: it["files"][0].update(size=13),
        lambda it: it["files"][0].update(merged=[]),
        lambda it: it["files"][0]["merged"].pop(),
        lambda it: it["files"][0]["merged"][0].update(size=6),
    ):
        with pytest.raises(InputError, match="form is not that of a receipt"):
            read_receipt(forged(change))


def test_other_documents_are_no_receipts(document: dict[str, Any]) -> None:
    others: tuple[Any, ...] = (None, [], {}, {"format": "another"})
    for other in others:
        with pytest.raises(InputError, match="not a receipt"):
            read_receipt(other, path="r.json")
    with pytest.raises(InputError, match="version 3"):
        read_receipt({**document, "version": 3})
