"""The documents' commands that need more than a shell: Slurm, hosts, Redis, Dask, a collector.

`ssh` is a stand-in that runs the command on this machine; all else is the real thing.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.docs.lab import EACH, Lab
from tests.docs.scripts import SCRIPTS, found
from tests.support.dask_cluster import DaskCluster
from tests.support.slurm import slurm

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
MACHINES, WATCH = (f"docs/guide/{page}.md" for page in ("machines", "watch"))


def test_an_array_job_of_slurm(place: Lab) -> None:
    (script,) = found("#SBATCH", MACHINES)
    job = place.folder / "job.sh"
    job.write_text(place.here(script))
    with slurm() as cluster:
        place.bash.run(f"sbatch --wait {job}", {"SLURM_CONF": cluster.env["SLURM_CONF"]})
    assert place.read_sets() == EACH
    assert len(list((place.folder / "lab").glob("run42.results.*-of-10.csv"))) == 10


def test_the_tasks_of_one_job_of_slurm(place: Lab) -> None:
    (script,) = found("srun ", MACHINES)
    with slurm() as cluster:
        place.bash.run(place.here(script), {"SLURM_CONF": cluster.env["SLURM_CONF"]})
    assert place.read_sets() == EACH
    assert len(list((place.folder / "lab" / "state").iterdir())) == 10


def test_gnu_parallel_over_ssh(place: Lab) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("not installed (Debian: parallel)")
    (script,) = found("parallel ")
    share = {"TURBOUPLOAD_QUOTA_SHARE": f"{place.folder}/lab/quota.share"}
    # It asks each host for the shell there, and hands over no variable but those of --env.
    place.bash.run(place.here(script), share | {"SHELL": "/bin/bash"})
    assert place.read_sets() == EACH
    (lines,) = found("awk ", MACHINES)
    for path in (place.folder / "lab").glob("run42.results.*-of-10.csv"):
        path.rename(place.folder / path.name.replace("run42.results", "run"))
    place.bash.run(lines)
    rows = (place.folder / "run.csv").read_text().splitlines()
    assert [rows[0][:4], len(rows)] == ["row,", 1 + len(EACH)]
    assert set((place.folder / "hosts-asked").read_text().split()) <= set(
        (place.folder / "hosts.txt").read_text().split()
    )


def test_a_loop_over_ssh(place: Lab) -> None:
    (script,) = found("ssh ", MACHINES)
    place.bash.run(place.here(script))
    assert place.read_sets() == EACH
    assert sorted((place.folder / "hosts-asked").read_text().split()) == sorted(
        (place.folder / "hosts.txt").read_text().split()
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_an_array_job_of_aws_batch(place: Lab) -> None:
    """Its containers: the variables that AWS Batch sets, and a Redis with TLS."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("not installed (Debian: redis-server)")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place.folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        place.folder / "key.pem"
    )
    port = _free_port()
    process = subprocess.Popen(
        [server, "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--tls-cert-file", "key.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem",
         "--tls-auth-clients", "no"],
        cwd=place.folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: _listens(port))
        (script,) = found("rediss://")
        text = place.here(script).replace("CACHE:6379", f"localhost:{port}")
        for index in range(3):
            batch = {
                "AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ARRAY_SIZE": "3",
                "SSL_CERT_FILE": str(place.folder / "ca.pem"),
            }  # fmt: skip
            with place.bash.start(text, batch) as process_of_one:
                _, err = process_of_one.communicate(timeout=PATIENCE_S)
            assert process_of_one.returncode == 0, err
            assert "quota" not in err, "it was shared"
    finally:
        process.kill()
        process.wait()
    assert place.read_sets() == EACH


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_workers_of_a_dask_cluster(place: Lab) -> None:
    cluster = DaskCluster(place.folder, place.bash.env)
    try:
        cluster.start_scheduler()
        cluster.start_worker("one")
        (script,) = found("--dask tcp://", "docs/guide/dask.md")
        place.bash.run(place.here(script).replace("tcp://scheduler:8786", cluster.address))
    finally:
        cluster.stop()
    assert place.read_sets() == EACH


def test_a_watcher(place: Lab) -> None:
    rules = re.findall(r"```toml\n(.*?)```", (ROOT / WATCH).read_text(), re.DOTALL)[0]
    place.known.update({"/data": f"{place.folder}/data", "/etc/turboupload/": ""})
    (place.folder / "watch.toml").write_text(rules)
    run = place.folder / "data" / "runs" / "run43"
    shutil.copytree(place.folder / "runs" / "run43", run)
    (run / "CopyComplete.txt").touch()
    quick = {"TURBOUPLOAD_SETTLE": "0s", "TURBOUPLOAD_EVERY": "1s"}
    texts = found("turboupload watch /data/runs")
    assert [WATCH in each.page for each in SCRIPTS if each.text in texts].count(True) == 3
    for number, text in enumerate(texts):
        (command,) = re.findall(r"turboupload watch .*", text)
        env = quick | {"TURBOUPLOAD_STATE_DIR": f"{place.folder}/state{number}"}
        if "--once" in command:
            place.bash.run(place.here(command), env)
            continue
        # It goes on until it is told to end, as a service is.
        with place.bash.start("exec " + place.here(command), env) as process:
            status = "turboupload watch --status --json " + place.here(command).split(" watch ")[1]
            try:
                _until(lambda: '"done"' in place.bash.run(f"{status} || true", env))  # noqa: B023
            finally:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
    assert len(place.read_sets()) == 1


def test_a_job(place: Lab) -> None:
    """What is said to one that runs: a stream that doesn't end."""
    os.mkfifo(place.folder / "stream")
    upload = "exec turboupload upload - --name slow --sample s --subject s --type FASTQ <stream"
    with place.bash.start(upload) as process, (place.folder / "stream").open("wb") as stream:
        stream.write((place.folder / "HG002_R1.fastq.gz").read_bytes()[:500])
        stream.flush()
        try:
            _until(lambda: place.bash.run("turboupload jobs --quiet"))
            job = place.bash.run("turboupload jobs --quiet").split()[0]
            for text in (each.text for each in SCRIPTS if re.search(r" jobs \w+ 7", each.text)):
                place.bash.run(re.sub(r"(?<= )7(?= |$)", job, text))
            assert " slow" in place.bash.run(f"turboupload jobs show {job}")
        finally:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes what OTLP's exporters send."""

    asked: list[str] = []  # of one test

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_collector_of_opentelemetry(place: Lab) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (script,) = found("http://collector:4318")
        where = f"http://127.0.0.1:{server.server_port}"
        place.run(script.replace("http://collector:4318", where))
        server.shutdown()
    assert place.read_sets() == EACH
    assert {"/v1/traces", "/v1/metrics"} <= set(Collector.asked)


def test_the_commands_that_check_a_receipt(place: Lab) -> None:
    for program in ("jq", "ssh-keygen"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} isn't installed")
    for lane in (1, 2):
        shutil.copy(
            place.folder / f"HG002_S1_L00{lane}_R1_001.fastq.gz",
            place.folder / f"L00{lane}_R1.fastq.gz",
        )
    shutil.copy(place.folder / "HG002_R1.fastq.gz", place.folder / "reads.fastq.gz")
    receipts = {}
    for name, files in (("receipt", "reads.fastq.gz"), ("merged", "--merge L00?_R1.fastq.gz")):
        place.bash.run(
            f"turboupload upload {files} --name {name} --sample s --subject s --prove "
            f"--receipt {name}.json"
        )
        receipts[name] = json.loads((place.folder / f"{name}.json").read_text())
    place.bash.run(
        "mkdir .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; "
        'echo "lab $(cat .ssh/id_ed25519.pub)" >signers'
    )
    for text in [each.text for each in SCRIPTS if each.page == "docs/receipts.md"]:
        command, _, tells = text.partition("  # ")
        out = place.bash.run(command)
        if not tells:
            continue
        receipt = receipts["merged" if "L001" in command else "receipt"]
        row = receipt["files"][0]
        field = tells.strip().split(",")[0].split(";")[0].split()[-1].removeprefix("files[0].")
        if "parts" in tells:
            assert out.split() == [part["sha256"] for part in row["parts"]]
            continue
        told = {
            **row, "receipt_sha256": receipt["receipt_sha256"],
            "merged[0].sha256": row["merged"][0]["sha256"] if "merged" in row else "",
            "FASTQ_MD5up": row["etag"]["value"] if isinstance(row["etag"], dict) else row["etag"],
            "etag": row["etag"]["value"] if isinstance(row["etag"], dict) else row["etag"],
        }  # fmt: skip
        assert out.split()[0] == told[field], text
