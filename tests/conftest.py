"""What holds for every test: what takes long comes first, and signals are heard."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# How long an example takes is the machine's matter, and it may be busy.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A shell has what it runs in the background ignore SIGINT, nohup SIGHUP, and each process that a
# test starts would inherit that.
for number, heard in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, heard)

LONG = ("tests/simulation/", "tests/soak/", "tests/e2e/", "tests/cli/")
"""Files of few tests that take long: at the end one worker would be left with them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long ones first, in whatever order they had."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
