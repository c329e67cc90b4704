"""`python -m tests.support.roundtrip`: the installed command uploads over TLS, and finds it again.

For environments other than the suite's own (scripts/matrix): what is installed beside turboupload
must not matter, and the command is the one that pip made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support import samples
from tests.support.emulator import RunningEmulator

TIMEOUT_S = 120
COMMAND = Path(sys.executable).with_name("turboupload")


def run(*arguments: object, env: dict[str, str]) -> dict[str, Any]:
    """Runs the command; its last line of JSON."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments), "--json"],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}"
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def main() -> None:
    """A pair in several parts: uploaded, listed, and proven."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as emulator,
    ):
        env = {**emulator.env(), "XDG_STATE_HOME": folder}
        pair = [each.path for each in samples.fastq_pair(Path(folder), reads=3_000)]
        about = ("--store", emulator.store_id, "--name", "n", "--sample", "s", "--subject", "u")
        made = run("upload", *pair, *about, "--part-size", "64KiB", "--prove", env=env)
        assert made["read_set_id"], made
        assert made["status"] == "ACTIVE", made
        listed = run("readsets", "list", "--store", emulator.store_id, env=env)
        assert listed["count"] == 1, listed


if __name__ == "__main__":
    main()
