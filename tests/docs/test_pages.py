"""The tutorial's commands run as they stand, and the IAM policy allows what is called."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from turboupload import operations
from turboupload.operations import Operation

DOCS = Path(__file__).parents[2] / "docs"

_RUN_ELSEWHERE = ("pip install", "turboupload demo")
"""The first is what the environment is made by, the second has a test of its own."""


def _script(port: int) -> str:
    blocks = re.findall(r"```console\n(.*?)```", (DOCS / "tutorial.md").read_text(), re.DOTALL)
    lines = [line.removeprefix("$ ") for line in "".join(blocks).splitlines()]
    kept = [line for line in lines if not line.startswith(_RUN_ELSEWHERE)]
    text = "\n".join(kept).replace("8555", str(port))
    # A reader looks whether the service is ready.
    ready = "until [ -s emulator.json ]; do sleep 0.05; done"
    # Whatever fails, the service must not stay.
    return "set -ex\ntrap 'kill %1' EXIT\n" + text.replace(
        "emulator.json &", f"emulator.json &\n{ready}"
    )


def test_the_tutorial_runs(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("TURBOUPLOAD_", "AWS_"))
    }
    done = subprocess.run(
        ["/bin/bash", "-c", _script(port)],
        cwd=tmp_path,
        env={
            **environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is ACTIVE" in done.stdout
    assert "sent       nothing: it was there already" in done.stdout
    results = (tmp_path / "run42.results.csv").read_text()
    assert (results.count(",exists,"), results.count(",active,")) == (1, 1)


_POLICY = json.loads(
    re.findall(r"```json\n(.*?)```", (DOCS / "permissions.md").read_text(), re.DOTALL)[0]
)
_UPLOADING = {
    operations.CREATE_UPLOAD,
    operations.SEND_PART,
    operations.LIST_PARTS,
    operations.LIST_UPLOADS,
    operations.COMPLETE_UPLOAD,
    operations.GET_READ_SET,
    operations.LIST_READ_SETS,
}


def test_the_policy_allows_what_an_upload_calls_and_no_more() -> None:
    (statement,) = _POLICY["Statement"]
    assert statement["Effect"] == "Allow"
    assert set(statement["Action"]) == {f"omics:{each.name}" for each in _UPLOADING} | {
        "omics:TagResource"
    }


@pytest.mark.parametrize(
    "operation", [each for each in vars(operations).values() if isinstance(each, Operation)]
)
def test_every_operation_is_among_the_permissions(operation: Operation) -> None:
    assert f"`omics:{operation.name}`" in (DOCS / "permissions.md").read_text() or (
        operation in _UPLOADING
    )
