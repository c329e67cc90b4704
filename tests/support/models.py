"""botocore's service models, read once in a process instead of once for each client."""

from __future__ import annotations

import functools

import botocore.loaders
import botocore.session

__all__ = ["share_service_models"]


def share_service_models() -> None:
    """Has all sessions of this process share a loader for each search path.

    A loader keeps what it has parsed, and botocore makes one for each session: some 70 ms of
    processor time each, two thirds of what a client costs, for the same JSON of its own.
    """
    # The session's module has a name of its own for it.
    botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)
