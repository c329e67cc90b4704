"""The service's part checksum, and what it proves.

It is documented only as an identifier. Real listings show base64 of 32 bytes, older ones 64 hex
digits; SHA-256 of the part's bytes fits both and is stated nowhere (inferred). So a string of
either form is compared with our SHA-256, and any other form is called opaque and tolerated. A
string of that form may be of another algorithm, too: `core.upload.parts` finds that out.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal

__all__ = ["Algorithm", "Match", "compare", "read_sha256", "same"]

Match = Literal["equal", "differs", "opaque"]

Algorithm = Literal["sha256", "another"]
"""What the service's part checksums are; `another` can't be told from SHA-256 by its form."""

_HEX = re.compile(r"[0-9a-fA-F]{64}")


def read_sha256(checksum: str | None) -> bytes | None:
    """The 32 bytes that a checksum of either known form stands for; None for any other."""
    if checksum is None:
        return None
    if _HEX.fullmatch(checksum):
        return bytes.fromhex(checksum)
    if len(checksum) == 44:
        try:
            decoded = base64.b64decode(checksum, validate=True)
        except (binascii.Error, ValueError):
            return None
        return decoded if len(decoded) == 32 else None
    return None


def compare(checksum: str | None, sha256: bytes) -> Match:
    """Compares the service's checksum of a part with our SHA-256 of its bytes."""
    theirs = read_sha256(checksum)
    if theirs is None:
        return "opaque"
    return "equal" if theirs == sha256 else "differs"


def same(one: str | None, other: str | None) -> bool:
    """Whether two of the service's strings are of the same value, in whatever form."""
    if one is None or other is None:
        return False
    return one == other or (read_sha256(one) or one) == (read_sha256(other) or other)
