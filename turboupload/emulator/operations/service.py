"""All operations that the emulator answers; each resource's module has the table of its own."""

from __future__ import annotations

from collections.abc import Mapping

from turboupload.emulator.operations import imports, readsets, stores, tags, uploads
from turboupload.emulator.operations.operation import Operation

__all__ = ["OPERATIONS", "RESOURCES"]

RESOURCES: Mapping[str, Mapping[str, Operation]] = {
    "stores": stores.OPERATIONS,
    "uploads": uploads.OPERATIONS,
    "read sets": readsets.OPERATIONS,
    "imports": imports.OPERATIONS,
    "tags": tags.OPERATIONS,
}

OPERATIONS: Mapping[str, Operation] = {
    name: operation for each in RESOURCES.values() for name, operation in each.items()
}
"""By the API's names."""
