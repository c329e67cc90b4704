"""Manifests on the disk, and the digests of files that are compared with them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from turboupload.core.proof.manifest import (
    ENDINGS,
    Compared,
    Expected,
    HashName,
    ManifestLine,
    Manifests,
    algorithm_of,
    parse_manifest,
)
from turboupload.errors import InputError, IntegrityError, TurbouploadError
from turboupload.files.digests import hash_as
from turboupload.files.etag import hash_content
from turboupload.paths import special, unreadable
from turboupload.seqcheck.checks.findings import Finding, Severity

__all__ = ["check_manifests", "compare_file", "differs", "expectations", "load_manifests"]

MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest file read as a manifest, in bytes: some three million lines."""

_FAMILIES: Final[Mapping[HashName, str]] = {"md5": "MD5up", "sha256": "SHA256up"}


def load_manifests(paths: Iterable[str | os.PathLike[str]]) -> Manifests:
    """Reads manifests; it blocks.

    Raises:
        InputError: One can't be read or understood.
    """
    return Manifests((os.path.abspath(path), _load(os.fspath(path))) for path in paths)  # noqa: PTH100 - a name that links lead to is another


def _load(path: str) -> Sequence[ManifestLine]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if (instead := special(os.fstat(descriptor).st_mode)) is not None:
                raise InputError(
                    f"is {instead[0]}, not a file",
                    path=path,
                    operation="manifest",
                    hint="write the manifest to a file first: it may be read more than once",
                )
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > MAX_BYTES:
        raise InputError("is too large for a manifest", path=path, operation="manifest")
    # As Windows' PowerShell writes it.
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16") if wide else data.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError as error:
        raise InputError("is not text", path=path, operation="manifest") from error
    return parse_manifest(text, path)


def expectations(
    paths: Sequence[str],
    manifests: Manifests | None,
    *,
    beside: bool = False,
    told: Mapping[str, str | Expected] | None = None,
) -> list[tuple[str, tuple[Expected, ...]]]:
    """What files should hash to, by their absolute paths; it blocks.

    Args:
        paths: The files.
        manifests: What was read of manifests; None where there are none.
        beside: Whether each file must have a manifest of its own beside it, `FILE.md5` or
            `FILE.sha256`.
        told: What is known of files otherwise, by path as in `paths`.

    Raises:
        InputError: A manifest can't be read, or is ambiguous about a file.
        IntegrityError: Nothing says what a file should hash to, although something must.
    """
    told, found = told or {}, []
    for path in paths:
        place = os.path.abspath(path)  # noqa: PTH100 - as above
        expected: list[Expected] = []
        if path in told:
            expected.append(_told(told[path], path))
        if manifests is not None:
            expected += manifests.expected(place) or manifests.expected(os.path.realpath(path))
        if beside:
            expected += _beside(place)
        if not expected and (beside or manifests is not None):
            raise _not_named(path, manifests, beside=beside)
        if expected:
            found.append((place, tuple(expected)))
    return found


def _told(value: str | Expected, path: str) -> Expected:
    if isinstance(value, Expected):
        return value
    algorithm = algorithm_of(value)
    if algorithm is None:
        raise InputError(f"{value!r} is not an MD5 or SHA-256 in hexadecimal", path=path)
    return Expected("file", algorithm, value.lower(), "the digest that was given")


def _beside(place: str) -> Iterator[Expected]:
    for ending in ENDINGS:
        own = place + ending
        if os.path.lexists(own):
            yield from load_manifests([own]).expected(place)


class _NotNamed(IntegrityError):
    """No manifest names a file that one must name."""


def _not_named(path: str, manifests: Manifests | None, *, beside: bool) -> IntegrityError:
    name = posixpath.basename(path)
    places = [*(manifests.paths if manifests is not None else ())]
    if len(places) > 3:
        places = [*places[:3], f"{len(places) - 3:,} more"]
    if beside:
        places.append(f"{name}.md5 or {name}.sha256 beside it")
    return _NotNamed(
        f"no line names it in {', '.join(places)}",
        path=path,
        operation="manifest",
        hint="give a manifest that names it by its path from the manifest's folder, or by its name",
    )


def compare_file(
    path: str, expected: Sequence[Expected], advance: Callable[[int], None] = lambda position: None
) -> list[Compared]:
    """Hashes a file, as far as that is needed, and compares it; it blocks.

    Args:
        path: The file.
        expected: What it should hash to.
        advance: Told the position in the file before more is read; it may wait, and what it raises
            ends the reading.

    Raises:
        InputError: It can't be read, or its content not be inflated.
    """
    digests: dict[tuple[str, str], str] = {}
    names = tuple({each.algorithm for each in expected if each.of == "file"})
    if names:
        position = 0

        def count(more: int) -> None:
            nonlocal position
            position += more
            advance(position)

        digests |= {("file", name): found for name, found in hash_as(path, names, count).items()}
    for name in {each.algorithm for each in expected if each.of == "content"}:
        found = hash_content(
            path, "FASTQ", _FAMILIES[name], progress=lambda position, size: advance(position)
        )
        digests["content", name] = found.digest
    return [Compared(path, each, digests[each.of, each.algorithm]) for each in expected]


def differs(compared: Compared, hint: str) -> IntegrityError:
    """The error of a file that isn't what its manifest says."""
    expected = compared.expected
    return IntegrityError(
        f"its {expected.what} is {compared.digest}, and by {expected.where} it is "
        f"{expected.digest}",
        path=compared.path,
        operation="manifest",
        hint=hint,
    )


def check_manifests(
    paths: Sequence[str],
    manifests: Iterable[str | os.PathLike[str]],
    *,
    beside: bool,
    advance: Callable[[int], None] = lambda position: None,
) -> list[Finding]:
    """Compares files with manifests, one after the other; it blocks.

    Args:
        paths: The files.
        manifests: The manifests.
        beside: Whether each file must have one of its own beside it.
        advance: As of `compare_file`.

    Returns:
        An error for each file that isn't as it should be, or that no line names.

    Raises:
        InputError: A manifest can't be read or understood.
    """
    known = load_manifests(manifests) if manifests else None
    found = []
    for path in paths:
        try:
            for _, expected in expectations([path], known, beside=beside):
                for compared in compare_file(path, expected, advance):
                    if not compared.equal:
                        raise differs(compared, "find out which of the two is right")
        except IntegrityError as error:
            code = "manifest.missing" if isinstance(error, _NotNamed) else "manifest.differs"
            found.append(_finding(code, path, error))
        except InputError as error:
            found.append(_finding("manifest.unknown", path, error))
    return found


def _finding(code: str, path: str, error: TurbouploadError) -> Finding:
    return Finding(
        severity=Severity.ERROR, code=code, path=path, sentence=error.message, advice=error.hint
    )
