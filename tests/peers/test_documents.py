"""What the documents show of the AWS CLI and boto3 runs, as it stands there."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import sys
import threading
from pathlib import Path

import pytest

from tests.docs.scripts import SCRIPTS
from tests.support import samples
from tests.support.bash import Bash
from tests.support.emulator import RunningEmulator
from tests.support.plugin import options

pytestmark = pytest.mark.peers
pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
AWS = shutil.which("aws", path=str(Path(sys.executable).parent)) or shutil.which("aws")


class Runs(http.server.BaseHTTPRequestHandler):
    """Answers StartRunBatch: the emulator is of stores, and has no runs."""

    bodies: list[dict[str, object]] = []  # of one test

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = json.dumps({"id": "1", "status": "CREATING"}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(AWS is None, reason="needs the dependency group `peers`: awscli")
def test_a_batchs_results_start_runs(emulator: RunningEmulator, workspace: Path) -> None:
    """The CLI checks them by its own model, and sends what `batch` wrote."""
    reads = samples.fastq(workspace / "a.fastq.gz")
    (workspace / "run42.csv").write_text(
        f"sample,subject,name,source1\nHG002,NA24385,documents,{reads.path}\n"
    )
    batch, start = (
        each.text
        for each in SCRIPTS
        if "healthomics-run" in each.text or "start-run-batch" in each.text
    )
    env = {**emulator.env(), "TURBOUPLOAD_STATE_DIR": str(workspace / "state")}
    with Bash(workspace, env) as bash:
        bash.run(batch.replace("1234567890", emulator.store_id))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runs) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            runs = {"AWS_ENDPOINT_URL_OMICS": f"http://127.0.0.1:{server.server_port}"}
            role = "arn:aws:iam::111122223333:role/runs"
            bash.run(start.replace("roleArn=…", f"roleArn={role}"), runs)
            server.shutdown()
    (body,) = Runs.bodies
    written = json.loads((workspace / "runs.json").read_text())
    assert body["batchRunSettings"] == {"inlineSettings": written}
    assert [each["parameters"]["sample"] for each in written] == ["HG002"]


@pytest.mark.parametrize("words", ["import boto3", '["aws", "omics"'])
def test_the_snippets_of_the_page_on_testing_run(
    words: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    (snippet,) = (each for each in re.findall(r"```python\n(.*?)```", text, re.S) if words in each)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    pytester.makepyfile(snippet)
    done = pytester.runpytest_inprocess(*options(), "-p", "no:xdist")
    done.assert_outcomes(passed=1)
