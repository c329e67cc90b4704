"""Manifests: what files should hash to, as `md5sum`, `sha256sum` and BSD's `md5 -r` write it.

A line names a file by its path from the manifest's folder; where no line does so, a line whose name
has the same last part does, if no other contradicts it. A line for `x.fastq` is about the content
of `x.fastq.gz`, as a manifest of FASTQ files that weren't gzipped yet does.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

from turboupload.errors import InputError
from turboupload.value import Value

__all__ = [
    "ENDINGS",
    "Compared",
    "Expected",
    "HashName",
    "ManifestLine",
    "Manifests",
    "Part",
    "Wanted",
    "algorithm_of",
    "parse_manifest",
]

HashName = Literal["md5", "sha256"]
Part = Literal["file", "content"]
"""What was hashed: the file as it is, or the text that is gzipped in it."""

WORDS: Final[Mapping[HashName, str]] = MappingProxyType({"md5": "MD5", "sha256": "SHA-256"})

ENDINGS: Final[Mapping[str, HashName]] = MappingProxyType({".md5": "md5", ".sha256": "sha256"})
"""What the name of one file's own manifest ends in."""

_OWN: Final = re.compile(r"\.(?:md5|sha256)(?:sum)?(?:\.txt)?$", re.IGNORECASE)
_GZIP: Final = re.compile(r"\.(?:gz|bgz|bgzf)$", re.IGNORECASE)

_HEX: Final = r"[0-9A-Fa-f]+"
_GNU: Final = re.compile(rf"(\\?)({_HEX})(?: [ *]|[ \t]+\*?)(.+)")
_BSD: Final = re.compile(rf"(\\?)([A-Za-z0-9-]+) ?\((.+)\) ?= ?({_HEX})")
_ALONE: Final = re.compile(rf"[ \t]*({_HEX})(?: [ *]-)?[ \t]*")
_LENGTHS: Final[Mapping[int, HashName]] = MappingProxyType({32: "md5", 64: "sha256"})
_OTHERS: Final = {40: "SHA-1", 56: "SHA-224", 96: "SHA-384", 128: "SHA-512", 8: "CRC-32"}
_BSD_NAMES: Final[Mapping[str, HashName]] = MappingProxyType(
    {"MD5": "md5", "SHA256": "sha256", "SHA-256": "sha256", "SHA2-256": "sha256"}
)
_ESCAPED: Final = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def algorithm_of(digest: object) -> HashName | None:
    """The algorithm of a digest in hexadecimal, by its length; None for anything else."""
    if not isinstance(digest, str) or not re.fullmatch(_HEX, digest):
        return None
    return _LENGTHS.get(len(digest))


class ManifestLine(Value, frozen=True):
    """A line of a manifest.

    Attributes:
        number: Its line, from 1.
        name: The file, as the line names it.
        algorithm: What the digest is.
        digest: In hexadecimal, in lower case.
    """

    number: int
    name: str
    algorithm: HashName
    digest: str


class Expected(Value, frozen=True):
    """The expected hash of a file, and its source.

    Attributes:
        of: The file as it is, or its content.
        algorithm: What the digest is.
        digest: In hexadecimal, in lower case.
        manifest: The manifest's path, or what else said it.
        line: The line in it; 0 where there is none.
    """

    of: Part
    algorithm: HashName
    digest: str
    manifest: str
    line: int = 0

    @property
    def where(self) -> str:
        """The line, in words."""
        return f"line {self.line} of {self.manifest}" if self.line else self.manifest

    @property
    def what(self) -> str:
        """What is hashed, in words."""
        return ("" if self.of == "file" else "uncompressed content's ") + WORDS[self.algorithm]


class Compared(Value, frozen=True):
    """The comparison of a file with its expected hash.

    Attributes:
        path: The file, absolute.
        expected: What it should hash to.
        digest: What it hashes to, in hexadecimal.
    """

    path: str
    expected: Expected
    digest: str

    @property
    def equal(self) -> bool:
        """Whether it is what it should be."""
        return self.digest == self.expected.digest

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON's own values."""
        expected = self.expected
        return {
            "path": self.path,
            "of": expected.of,
            "algorithm": expected.algorithm,
            "expected": expected.digest,
            "digest": self.digest,
            "manifest": expected.manifest,
            "line": expected.line,
        }

    @classmethod
    def of_dict(cls, row: Mapping[str, Any]) -> Compared:
        """Reads what `as_dict` made.

        Raises:
            KeyError: A member is missing.
            TypeError: A member is of another kind.
            ValueError: A member makes no sense.
        """
        texts = [row[name] for name in ("path", "manifest", "expected", "digest")]
        line, of, algorithm = row["line"], row["of"], row["algorithm"]
        if not all(isinstance(each, str) for each in texts) or type(line) is not int:
            raise TypeError("a comparison with a manifest has members of another kind")
        if of not in ("file", "content") or not algorithm == algorithm_of(texts[2]):
            raise ValueError("a comparison with a manifest makes no sense")
        return cls(texts[0], Expected(of, algorithm, texts[2], texts[1], line), texts[3])


Wanted = tuple[tuple[str, tuple[Expected, ...]], ...]
"""What files should hash to, by their absolute paths."""

# --- reading ----------------------------------------------------------------------------------


def parse_manifest(text: str, path: str) -> tuple[ManifestLine, ...]:
    """Reads a manifest's lines; blank ones and comments (`#`, `;`) are passed over.

    Args:
        text: The manifest; undecodable bytes as surrogates, as in names of files.
        path: Where it is, for errors, and for the file that a digest alone is of.

    Raises:
        InputError: A line can't be understood, or two contradict each other.
    """
    lines = []
    said: dict[tuple[str, HashName], ManifestLine] = {}
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.removesuffix("\r")
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        read = _read_line(line, number, path)
        lines.append(read)
        before = said.setdefault((read.name, read.algorithm), read)
        if before.digest != read.digest:
            raise InputError(
                f"lines {before.number} and {number} give {read.name} different digests",
                path=path,
                operation="manifest",
                hint="take the wrong one out",
            )
    return tuple(lines)


def _read_line(line: str, number: int, path: str) -> ManifestLine:
    def no(why: str) -> InputError:
        return InputError(
            f"line {number} {why}: {line[:80]!r}",
            path=path,
            operation="manifest",
            hint="lines are as md5sum and sha256sum write them: DIGEST, two spaces, FILE",
        )

    if (alone := _ALONE.fullmatch(line)) is not None:
        escape, digest, name, claimed = "", alone[1], _own_file(path), None
        if name is None:
            raise no("names no file, and the manifest isn't called after one (FILE.md5)")
    elif (bsd := _BSD.fullmatch(line.rstrip())) is not None:
        escape, digest, name = bsd[1], bsd[4], bsd[3]
        claimed = _BSD_NAMES.get(bsd[2].upper())
        if claimed is None:
            raise no(f"has a digest of another kind ({bsd[2]}) than MD5 or SHA-256")
    elif (gnu := _GNU.fullmatch(line)) is not None:
        escape, digest, name, claimed = gnu[1], gnu[2], gnu[3], None
    else:
        raise no("is not a line of a manifest")
    algorithm = algorithm_of(digest)
    if algorithm is None:
        other = _OTHERS.get(len(digest))
        raise no(f"has a {other}, not an MD5 or SHA-256" if other else "has no MD5 or SHA-256")
    if claimed not in (None, algorithm):
        raise no("has a digest that isn't of the length that its name says")
    if escape:
        name = re.sub(r"\\[\\nr]", lambda found: _ESCAPED[found[0]], name)
    return ManifestLine(number, name, algorithm, digest.lower())


def _own_file(path: str) -> str | None:
    """The file that a manifest is called after, such as `x.bam` of `x.bam.md5`."""
    name = posixpath.basename(path)
    own = _OWN.sub("", name)
    return own if own and own != name else None


# --- matching ---------------------------------------------------------------------------------


class Manifests:
    """The lines of several manifests, to be looked up by files.

    Args:
        read: Each manifest's absolute path, and its lines.
    """

    def __init__(self, read: Iterable[tuple[str, Sequence[ManifestLine]]]) -> None:
        self._by_path: defaultdict[str, list[tuple[str, ManifestLine]]] = defaultdict(list)
        self._by_name: defaultdict[str, list[tuple[str, ManifestLine]]] = defaultdict(list)
        self.paths: list[str] = []
        for manifest, lines in read:
            self.paths.append(manifest)
            folder = posixpath.dirname(manifest)
            for line in lines:
                place = posixpath.normpath(posixpath.join(folder, line.name))
                self._by_path[place].append((manifest, line))
                # Tools of Windows write their own separators.
                name = re.split(r"[/\\]", place)[-1]
                self._by_name[name].append((manifest, line))

    def expected(self, path: str) -> tuple[Expected, ...]:
        """What a file, given by its absolute path, should hash to; nothing if no line names it.

        Raises:
            InputError: Lines contradict each other about it.
        """
        place = posixpath.normpath(path)
        found = list(_of(self._by_path, place)) or list(
            _of(self._by_name, posixpath.basename(place))
        )
        kept: dict[tuple[Part, HashName], Expected] = {}
        for each in found:
            other = kept.setdefault((each.of, each.algorithm), each)
            if other.digest != each.digest:
                raise InputError(
                    f"may be the file of {other.where} or of {each.where}, whose digests differ",
                    path=path,
                    operation="manifest",
                    hint="name files in manifests by their paths from the manifest's folder",
                )
        return tuple(kept.values())

    def text(self, path: str, algorithm: str) -> Expected | None:
        """What the uncompressed text of a FASTQ should hash to, whatever ending `path` has.

        Raises:
            InputError: Lines contradict each other about it.
        """
        wanted: Part = "content" if _GZIP.search(path) else "file"
        for each in self.expected(path):
            if (each.of, each.algorithm) == (wanted, algorithm):
                return each
        return None


def _of(lines: Mapping[str, Sequence[tuple[str, ManifestLine]]], name: str) -> Iterator[Expected]:
    content = _GZIP.sub("", name)
    names: list[tuple[Part, str]] = [("file", name)]
    if content != name:
        names.append(("content", content))
    for of, each in names:
        for manifest, line in lines.get(each, ()):
            yield Expected(of, line.algorithm, line.digest, manifest, line.number)
