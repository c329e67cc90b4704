"""How many uploads may be open follows the limit of descriptors."""

from __future__ import annotations

import resource

import pytest

from turboupload.files.descriptors import rooms


@pytest.mark.parametrize(
    ("limit", "most"),
    [(256, 19), (1024, 172), (64, 4), (0, 4), (resource.RLIM_INFINITY, 199_968)],
)
def test_rooms(monkeypatch: pytest.MonkeyPatch, limit: int, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert rooms() == most
