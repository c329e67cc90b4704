import base64
import hashlib

import pytest

from turboupload.core.proof.checksum import (
    Digest,
    Spelling,
    compare,
    is_computable,
    spelled,
    spelling_of,
)

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


@pytest.mark.parametrize(
    ("text", "spelling", "others"),
    [
        (OURS.hex(), "hex", base64.b64encode(OURS).decode()),
        (OURS.hex().upper(), "hex", base64.b64encode(OURS).decode()),
        (base64.b64encode(OURS).decode(), "base64", OURS.hex()),
        ("opaque", None, "opaque"),
        ("", None, ""),
    ],
)
def test_a_digest_is_written_anew_and_any_other_string_stays(
    text: str, spelling: Spelling | None, others: str
) -> None:
    assert spelling_of(text) == spelling
    ways: tuple[Spelling, ...] = ("hex", "base64")
    for way in ways:
        assert spelled(text, way) == (text if spelling in (None, way) else others)
    assert spelling_of(None) is None
