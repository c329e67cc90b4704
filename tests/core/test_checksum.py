import base64
import hashlib

import pytest

from turboupload.core.proof.checksum import Digest, compare, is_computable

OURS = hashlib.sha256(b"reads").digest()
OTHERS = hashlib.sha256(b"other reads").digest()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (base64.b64encode(OURS).decode(), "equal"),
        (OURS.hex(), "equal"),
        (OURS.hex().upper(), "equal"),
        (base64.b64encode(OTHERS).decode(), "differs"),
        (OTHERS.hex(), "differs"),
        (None, "opaque"),
        ("", "opaque"),
        ("etag-1", "opaque"),
        (base64.b64encode(OURS + b"x").decode(), "opaque"),
        ("!" * 44, "opaque"),
        ("é" * 44, "opaque"),
        ("z" * 64, "opaque"),
    ],
)
def test_checksums_are_compared_in_both_known_forms(text: str | None, match: str) -> None:
    assert compare(text, Digest(xxh3=bytes(16), sha256=OURS)) == match


def test_an_opaque_checksum_stands_for_no_bytes() -> None:
    assert not is_computable("opaque")
