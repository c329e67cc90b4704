"""The digests of a part, the service's part checksum, and the comparison of the two.

The service's checksum is documented only as an identifier. Real listings show base64 of 32 bytes,
older ones 64 hex digits; that both are the SHA-256 of the part's bytes is inferred. So a string of
either form is compared with our SHA-256; any other form is called opaque and tolerated. A string of
the right form may still come from another algorithm: `core.upload.parts` finds that out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, get_args

from turboupload.config import Checksum
from turboupload.value import Value

__all__ = [
    "ALGORITHMS",
    "BY_CHECKSUM",
    "COMPARABLE",
    "FINGERPRINT",
    "SPELLINGS",
    "Algorithm",
    "Checksum",
    "Digest",
    "Match",
    "PartAlgorithm",
    "Spelling",
    "Verified",
    "compare",
    "computed_for",
    "is_computable",
    "proven_by",
    "same",
    "spelled",
    "spelling_of",
]

Verified = Literal["sha256", "etag", "opaque", "none"]
"""How the content of a read set was proven: every part's service checksum equalled our SHA-256;
its ETag equals ours; some checksums had no form that we can compute; nothing was compared."""

Match = Literal["equal", "differs", "opaque"]

Algorithm = Literal["ours", "another"]
"""The kind of the service's part checksums; `another` has the form of ours, but other values."""


Spelling = Literal["hex", "base64"]
"""How the service writes a digest. A reply was recorded in one way and a listing in the other."""

SPELLINGS: Final[tuple[Spelling, ...]] = get_args(Spelling)
"""All of them."""


class PartAlgorithm(Value, frozen=True, kw_only=True):
    """An algorithm for parts.

    Attributes:
        word: Its name in prose.
        size: Length of a digest, in bytes.
        proves: The proof's name if the parts' checksums equal such digests; None if the service
            never uses this algorithm.
    """

    word: str
    size: int
    proves: Verified | None = None

    def read(self, checksum: str | None) -> bytes | None:
        """Parses the service's string into a digest; None if it has another form."""
        return None if checksum is None else _parsed(checksum, self.size)


@lru_cache(maxsize=256)
def _parsed(checksum: str, size: int) -> bytes | None:
    """A string of the service as a digest of so many bytes; each is compared many times."""
    if len(checksum) == 2 * size:
        return bytes.fromhex(checksum) if _HEX.fullmatch(checksum) else None
    if len(checksum) != -(-size // 3) * 4:
        return None
    try:
        decoded = base64.b64decode(checksum, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if len(decoded) == size else None


_HEX = re.compile(r"[0-9a-fA-F]+")

ALGORITHMS: Final[Mapping[str, PartAlgorithm]] = MappingProxyType(
    {
        "xxh3": PartAlgorithm(word="xxh3-128", size=16),
        "sha256": PartAlgorithm(word="SHA-256", size=32, proves="sha256"),
    }
)
"""The algorithms by their name in journal rows, receipts and `Checksum`.

`files.digests.HASHERS` has the hash functions.
"""

FINGERPRINT: Final = "xxh3"
"""The algorithm computed for every part; equal fingerprints mean equal bytes."""

_PROVABLE: Final = tuple(each for each in ALGORITHMS.items() if each[1].proves is not None)

BY_CHECKSUM: Final = frozenset(each.proves for _, each in _PROVABLE)
"""The names of proofs by the parts' checksums."""

COMPARABLE: Final = " or ".join(each.word for _, each in _PROVABLE)
"""The algorithms that the service's checksum can be compared with, in prose."""


def computed_for(wanted: Checksum | Literal["all"]) -> tuple[str, ...]:
    """The algorithms computed for each part with this `Checksum`."""
    return tuple(ALGORITHMS) if wanted == "all" else tuple(dict.fromkeys((FINGERPRINT, wanted)))


class Digest(Mapping[str, bytes]):
    """The digests of a part's bytes, computed while they were read; immutable.

    Args:
        digests: By algorithm, a name in `ALGORITHMS`; None if not computed.

    Attributes:
        fingerprint: Equal if the bytes are equal.
        provable: The digests that the service's checksum can be compared with.

    Raises:
        KeyError: The fingerprint is missing.
    """

    __slots__ = ("_found", "fingerprint", "provable")

    def __init__(self, **digests: bytes | None) -> None:
        found = {name: each for name, each in digests.items() if each is not None}
        self._found = found
        self.fingerprint = found[FINGERPRINT]
        self.provable = [(each, found[name]) for name, each in _PROVABLE if name in found]

    def __getitem__(self, name: str) -> bytes:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __hash__(self) -> int:
        return hash(frozenset(self._found.items()))

    def __repr__(self) -> str:
        return f"Digest({', '.join(f'{name}={each.hex()}' for name, each in self.items())})"

    def as_hex(self) -> dict[str, str | None]:
        """Every algorithm with its digest in hexadecimal; None if not computed."""
        return {
            name: each.hex() if (each := self._found.get(name)) else None for name in ALGORITHMS
        }


def compare(checksum: str | None, digest: Digest) -> Match:
    """Compares the service's checksum of a part with our digests."""
    found: Match = "opaque"
    for algorithm, ours in digest.provable:
        theirs = algorithm.read(checksum)
        if theirs == ours:
            return "equal"
        if theirs is not None:
            found = "differs"
    return found


def proven_by(checksum: str | None, digest: Digest) -> Verified:
    """What the service's checksum proves about a part."""
    for algorithm, ours in digest.provable:
        if algorithm.proves is not None and algorithm.read(checksum) == ours:
            return algorithm.proves
    return "opaque" if digest.provable else "none"


def is_computable(checksum: str | None) -> bool:
    """Whether the service's string has the form of a digest that can be computed here."""
    return _value(checksum) is not None


def same(one: str | None, other: str | None) -> bool:
    """Whether two of the service's strings mean the same value, in any form."""
    if one is None or other is None:
        return False
    return one == other or (_value(one) or one) == (_value(other) or other)


def spelling_of(checksum: str | None) -> Spelling | None:
    """How a digest is written; None where the string is none."""
    value = _value(checksum)
    if value is None or checksum is None:
        return None
    return "hex" if len(checksum) == 2 * len(value) else "base64"


def spelled(checksum: str, spelling: Spelling) -> str:
    """A digest of the service, written so; any other string as it is."""
    value = _value(checksum)
    if value is None or spelling_of(checksum) == spelling:
        return checksum
    return value.hex() if spelling == "hex" else base64.b64encode(value).decode()


def _value(checksum: str | None) -> bytes | None:
    for _, algorithm in _PROVABLE:
        if (value := algorithm.read(checksum)) is not None:
            return value
    return None
