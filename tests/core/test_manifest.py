"""Manifests as people and tools write them, and which file a line speaks of."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.proof.evidence import manifest_comparison
from turboupload.core.proof.manifest import (
    Compared,
    Expected,
    Manifests,
    algorithm_of,
    parse_manifest,
)
from turboupload.errors import InputError

MD5, OTHER = "d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661"
SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def read(text: str, path: str = "/run/run42.md5") -> list[tuple[str, str, str]]:
    return [(each.name, each.algorithm, each.digest) for each in parse_manifest(text, path)]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"{MD5}  a.fastq.gz", "a.fastq.gz"),
        (f"{MD5} *a.fastq.gz", "a.fastq.gz"),
        (f"{MD5.upper()}  a.fastq.gz", "a.fastq.gz"),
        (f"{MD5}\ta.fastq.gz", "a.fastq.gz"),
        (f"{MD5} a.fastq.gz", "a.fastq.gz"),
        (f"{MD5}   *a.fastq.gz", " *a.fastq.gz"),  # two blanks, and a name that begins with one
        (f"{MD5}  ./lane 1/a b.fastq.gz", "./lane 1/a b.fastq.gz"),
        (f"\\{MD5}  a\\nb\\\\c.gz", "a\nb\\c.gz"),
        (f"{MD5}  a\\nb.gz", "a\\nb.gz"),
        (f"MD5 (a (1).fastq.gz) = {MD5}", "a (1).fastq.gz"),
        (f"MD5(a.fastq.gz)= {MD5}", "a.fastq.gz"),
        (f"\\MD5 (a\\nb) = {MD5}", "a\nb"),
        (f"{MD5}  #1.gz", "#1.gz"),
        (f"{MD5}  \udcff.gz", "\udcff.gz"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_an_md5_line(line: str, name: str, end: str) -> None:
    assert read(line + end) == [(name, "md5", MD5)]


@pytest.mark.parametrize(
    "line",
    [
        f"{SHA}  x.bam", f"{SHA} *x.bam", f"SHA256 (x.bam) = {SHA}", f"SHA2-256(x.bam)= {SHA}",
        f"SHA-256 (x.bam) = {SHA}",
    ],
)  # fmt: skip
def test_a_sha256_line(line: str) -> None:
    assert read(line) == [("x.bam", "sha256", SHA)]


def test_what_is_passed_over() -> None:
    text = f"\ufeff# made by us\r\n\r\n  ; an old one\r\n{MD5}  a\r\n\n{SHA}  a\n{MD5}  a\n"
    assert read(text) == [("a", "md5", MD5), ("a", "sha256", SHA), ("a", "md5", MD5)]
    assert [each.number for each in parse_manifest(text, "/m")] == [4, 6, 7]
    assert read("") == []


@pytest.mark.parametrize("text", [MD5, f"{MD5}\n", f" {MD5} \r\n", f"{MD5}  -\n", f"{MD5} *-"])
@pytest.mark.parametrize(
    "name", ["x.bam.md5", "x.bam.MD5", "x.bam.md5sum", "x.bam.md5.txt", "x.bam.sha256"]
)
def test_a_digest_alone_is_of_the_file_that_the_manifest_is_called_after(
    text: str, name: str
) -> None:
    assert read(text, f"/run/{name}") == [("x.bam", "md5", MD5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MD5, "line 1 names no file"),
        ("a.fastq.gz", "line 1 is not a line of a manifest"),
        (f"{MD5[:-1]}  a", "line 1 has no MD5 or SHA-256"),
        (f"{'a' * 40}  a", "has a SHA-1, not an MD5 or SHA-256"),
        (f"{'a' * 128}  a", "has a SHA-512"),
        (f"{MD5}  a\n\nSHA512 (a) = {'a' * 128}", "line 3 has a digest of another kind"),
        (f"SHA256 (a) = {MD5}", "isn't of the length that its name says"),
        (f"{MD5}  a\n{OTHER}  a", "lines 1 and 2 give a different digests"),
        ("\x00\x01\x02", "is not a line"),
    ],
)
def test_what_is_no_manifest_is_refused_by_its_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match="line") as refused:
        read(text, "/run/all")
    assert said in str(refused.value)
    assert refused.value.path == "/run/all"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        parse_manifest(text, "/m")


NAME = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1
).filter(lambda name: name.strip(" \t") not in ("", "-"))


@given(NAME, st.binary(), st.booleans(), st.booleans())
def test_what_gnus_tools_write_comes_back(name: str, data: bytes, star: bool, sha: bool) -> None:
    """As coreutils writes it: names with line breaks or backslashes are escaped."""
    digest = (hashlib.sha256 if sha else hashlib.md5)(data).hexdigest()
    told = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    escape = "\\" if told != name else ""
    found = read(f"{escape}{digest} {'*' if star else ' '}{told}\n")
    assert found == [(name, "sha256" if sha else "md5", digest)]


# --- which file a line speaks of --------------------------------------------------------------


def manifests(*texts: tuple[str, str]) -> Manifests:
    return Manifests((path, parse_manifest(text, path)) for path, text in texts)


def expected(text: str, path: str) -> list[tuple[str, str, int]]:
    found = manifests(("/run/run42.md5", text)).expected(path)
    return [(each.of, each.digest, each.line) for each in found]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.fastq.gz", "/run/a.fastq.gz"),
        ("./lane1/a.fastq.gz", "/run/lane1/a.fastq.gz"),
        ("../other/a.fastq.gz", "/other/a.fastq.gz"),
        ("/run/x/../a.fastq.gz", "/run/a.fastq.gz"),
        ("lane1/a.fastq.gz", "/elsewhere/a.fastq.gz"),  # by its name
        (".\\lane1\\a.fastq.gz", "/run/lane1/a.fastq.gz"),  # as Windows writes it
    ],
)
def test_a_file_is_found_by_its_path_or_its_name(name: str, path: str) -> None:
    assert expected(f"{MD5}  {name}", path) == [("file", MD5, 1)]
    assert expected(f"{MD5}  {name}", path.replace("a.f", "b.f")) == []


def test_a_path_goes_before_a_name() -> None:
    text = f"{MD5}  lane1/a.gz\n{OTHER}  lane2/a.gz\n"
    assert expected(text, "/run/lane1/a.gz") == [("file", MD5, 1)]
    assert expected(text, "/run/lane2/a.gz") == [("file", OTHER, 2)]
    with pytest.raises(InputError, match=r"line 1 of /run/run42\.md5 or of line 2 of"):
        expected(text, "/elsewhere/a.gz")
    assert expected(text.replace(OTHER, MD5), "/elsewhere/a.gz") == [("file", MD5, 1)]


def test_two_manifests_may_not_contradict_each_other() -> None:
    both = manifests(("/run/1", f"{MD5}  a"), ("/run/2", f"{SHA}  a"), ("/run/3", f"{MD5}  a"))
    assert [each.where for each in both.expected("/run/a")] == [
        "line 1 of /run/1",
        "line 1 of /run/2",
    ]
    both = manifests(("/run/1", f"{MD5}  a"), ("/run/2", f"{OTHER}  a"))
    with pytest.raises(InputError, match="digests differ"):
        both.expected("/run/a")


@pytest.mark.parametrize("ending", [".gz", ".bgz", ".bgzf", ".GZ"])
def test_a_name_without_gzips_ending_is_of_the_content(ending: str) -> None:
    text = f"{MD5}  a.fastq\n{OTHER}  a.fastq{ending}\n"
    assert expected(text, f"/run/a.fastq{ending}") == [("file", OTHER, 2), ("content", MD5, 1)]
    assert expected(text, "/run/a.fastq") == [("file", MD5, 1)]
    found = manifests(("/run/m", text))
    for path in (f"/run/a.fastq{ending}", "/run/a.fastq"):
        told = found.text(path, "md5")
        assert told is not None
        assert told.digest == MD5
    assert found.text("/run/a.fastq", "sha256") is None


def test_what_was_compared_comes_back_and_is_told() -> None:
    good = Compared("/run/a.gz", Expected("file", "md5", MD5, "/run/m", 3), MD5)
    bad = Compared("/run/b.gz", Expected("content", "sha256", SHA, "the sheet"), SHA[::-1])
    for each in (good, bad):
        assert Compared.of_dict(each.as_dict()) == each
    for wrong in ({"of": "x"}, {"line": True}, {"algorithm": "sha256"}, {"digest": 1}):
        with pytest.raises((TypeError, ValueError)):
            Compared.of_dict({**good.as_dict(), **wrong})
    assert manifest_comparison(()) == ()
    (equal,) = manifest_comparison((good,))
    assert (equal.outcome, equal.proof) == ("equal", False)
    (different,) = manifest_comparison((good, bad))
    assert different.outcome == "different"
    assert "uncompressed content's SHA-256 of /run/b.gz" in different.sentence
    assert set(asdict(different)) == {"subject", "outcome", "proof", "sentence"}


def test_a_digest_is_known_by_its_length() -> None:
    assert [algorithm_of(each) for each in (MD5, SHA, MD5.upper(), "x", None, 7, "g" * 32)] == [
        "md5", "sha256", "md5", None, None, None, None,
    ]  # fmt: skip
