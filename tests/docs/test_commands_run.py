"""Every command in the documents and in the help's examples runs, against the emulator.

A page's commands run in their order, in one folder that has the files they speak of. What stands
for something that isn't here is in `KNOWN`, in `ASKED` and in the tests: this store's id, a folder
of the test for `/shared/lab`, a scheduler of this machine. What needs more than a shell has a test
of its own, in `ELSEWHERE`; what isn't run at all is in `NOT_RUN`, with the reason. Any other
command runs, so that none can be left out by oversight.
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
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.docs.scripts import HELP, SCRIPTS, Script
from tests.support import samples
from tests.support.bash import Bash
from tests.support.botocore_client import omics_client
from tests.support.dask_cluster import DaskCluster
from tests.support.emulator import RunningEmulator
from tests.support.slurm import slurm

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
ROWS = 3
MACHINES, WATCH, RUNNING = (f"docs/guide/{page}.md" for page in ("machines", "watch", "running"))

ELSEWHERE = {
    "docs/tutorial.md": "tests/docs/test_pages.py::test_the_tutorial_runs",
    "scripts/demo ": "tests/cli/test_demo.py::test_the_whole_story_in_less_than_a_minute",
    "turboupload demo": "tests/cli/test_demo.py::test_the_whole_story_in_less_than_a_minute",
    "turboupload demo sample.bam": "tests/cli/test_demo.py::test_the_users_own_files_and_no_traces",
    "aws omics start-run-batch": "tests/peers/test_documents.py::test_a_batchs_results_start_runs",
    "#SBATCH": "test_an_array_job_of_slurm",
    "srun ": "test_the_tasks_of_one_job_of_slurm",
    "awk 'FNR": "test_gnu_parallel_over_ssh",
    "parallel ": "test_gnu_parallel_over_ssh",
    "ssh ": "test_a_loop_over_ssh",
    "--dask tcp://": "test_the_workers_of_a_dask_cluster",
    "rediss://": "test_an_array_job_of_aws_batch",
    "turboupload watch /data/runs": "test_a_watcher",
    "turboupload jobs show 7": "test_a_job",
    "turboupload jobs set 7": "test_a_job",
    "turboupload jobs pause 7": "test_a_job",
    "turboupload jobs resume 7": "test_a_job",
    "http://collector:4318": "test_a_collector_of_opentelemetry",
    "docs/receipts.md": "test_the_commands_that_check_a_receipt",
}
"""Of which page, or with which words: the test that runs it, in this file where it names none."""

NOT_RUN = {
    "pip install": "this version is on no index before it is released. The extras' names are "
    "compared with pyproject.toml here; scripts/matrix installs the package from its folder",
    "scripts/test": "it runs this test",
    "scripts/check": "it is .ci/run's first step, and takes longer than all of these tests",
    ".venv/bin/python -m pytest": "it runs tests, as scripts/test does",
    ".ci/run": "it runs this test",
    "scripts/simulate": "it takes half a minute of a processor; tests/simulation plays worlds",
    "scripts/soak": "it takes minutes; rounds of it run in tests/soak",
    "paws::omics": "R is not among what the tests install; the page says that it isn't run",
}
"""With which words: why it isn't run. test_contributing.py compares the options of `scripts/…`."""


def _matches(script: Script, key: str) -> bool:
    return script.page == key if key.startswith("docs/") else key in f"{script.text} "


def _by_hand(script: Script) -> bool:
    return any(_matches(script, key) for key in (*ELSEWHERE, *NOT_RUN))


PLAIN = [script for script in SCRIPTS if not _by_hand(script)]


def found(key: str, page: str = "") -> list[str]:
    return [each.text for each in SCRIPTS if _matches(each, key) and page in each.page]


def test_every_exception_is_of_a_command_that_is_there() -> None:
    for key in (*ELSEWHERE, *NOT_RUN):
        assert any(_matches(each, key) for each in SCRIPTS), key
    assert len(PLAIN) > 50


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_what_runs_elsewhere_does(place: str) -> None:
    path, _, name = place.rpartition("::")
    assert f"def {name}(" in (ROOT / path if path else Path(__file__)).read_text()


def test_the_extras_that_are_installed_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {each for text in found("pip install") for each in re.findall(r"\[(\w+)\]", text)}
    assert named <= set(known)


@dataclass(frozen=True)
class Lab:
    """A folder with what the documents speak of, a shell in it, and a store.

    Attributes:
        folder: Where the shell is.
        store_id: The store.
        bash: The shell.
        known: What stands in the documents, and what is here in its place.
    """

    folder: Path
    store_id: str
    bash: Bash
    known: dict[str, str]

    def here(self, text: str) -> str:
        """A command of the documents as it is given here."""
        text = text.replace("--store 1234567890", f"--store {self.store_id}")
        for theirs, ours in self.known.items():
            text = text.replace(theirs, ours)
        for theirs, question in ASKED.items():
            if theirs in text:
                text = text.replace(theirs, self.bash.run(question).strip())
        return text

    def run(self, text: str) -> str:
        """Runs it, after what must have been done before; returns what it printed."""
        for key, before in BEFORE.items():
            if key in text:
                self.bash.run(self.here(before))
        return self.bash.run(self.here(text))


UPLOAD = "turboupload upload HG002_R?.fastq.gz --name HG002 --sample HG002 --subject NA24385"
CRAM = """printf '@SQ\\tSN:chr20\\tLN:1000\\n@RG\\tID:1\\tSM:HG002\\n' >chr20.sam
for n in $(seq 10); do
  printf 'read%s\\t0\\tchr20\\t%s\\t60\\t10M\\t*\\t0\\t0\\tACGTACGTAC\\t*\\tRG:Z:1\\n' $n $n
done >>chr20.sam
samtools view -C --output-fmt-option no_ref=1 -o HG002.cram chr20.sam
samtools index HG002.cram; rm -f chr20.exit"""
BEFORE = {
    "--output run42.csv": "rm run42.csv",
    "audit run42": "turboupload sheet run42 | turboupload batch -",
    "receipt verify sample": "turboupload receipt show sample >sample.receipt.json",
    "report --output": UPLOAD,
    "samtools view": CRAM,
}
"""What a command's page takes for granted: words of the command, and what is done before."""

ASKED = {
    "4567890123": "turboupload readsets list --name HG002 --quiet --limit 1",
    "7890123456": "turboupload uploads list --quiet --no-parts | tail -n 1",
    "import show 1234567890": "echo import show $(turboupload import list --quiet | head -n 1)",
}
"""Ids in the documents, and what tells one that is there."""

KNOWN = {
    "--reference ARN": f"--reference {samples.REFERENCE_ARN}",
    # The store of most commands here is in the environment; without one this machine is measured.
    "turboupload bench": "TURBOUPLOAD_STORE= turboupload bench",
    # Where nobody is asked.
    "bench --store": "bench --yes --store",
    "--seconds 30s": "--seconds 1s",
    "uploads abort": "uploads abort --yes",
    # Of the sheets in the documents, this is the one with files in S3.
    "import run42.csv": "import s3.csv",
    "import samples.csv": "import s3.csv",
    "--metrics 9464": "--metrics 0",
    "--region eu-central-1": "--region us-east-1",
}

SSH = """#!/bin/bash
# A stand-in for ssh: this machine is every host. As of ssh, the words after the host are one line.
while [[ $1 == -* ]]; do [[ $1 == -[lpio] ]] && shift; shift; done
echo "$1" >>{folder}/hosts-asked; shift
[[ $1 == -- ]] && shift
exec /bin/bash -c "$*"
"""


def _files(folder: Path) -> None:
    for name, seed in (("HG002", 1), ("run42/HG003", 2), ("runs/run43/HG004", 3)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for mate, read in enumerate(samples.fastq_pair(path.parent, seed=seed), start=1):
            read.path.rename(f"{path}_R{mate}.fastq.gz")
    for lane in (1, 2):
        for mate, read in enumerate(samples.fastq_pair(folder, seed=lane + 3), start=1):
            read.path.rename(folder / f"HG002_S1_L00{lane}_R{mate}_001.fastq.gz")
    samples.bam(folder / "sample.bam", names=["HG002"])
    for place in ("lab", "fsx"):
        (folder / place / "state").mkdir(parents=True)
    rows = [f"s{row},subject,row{row},{folder}/row{row}.fastq.gz\n" for row in range(ROWS)]
    for row in range(ROWS):
        samples.fastq(folder / f"row{row}.fastq.gz", seed=10 + row)
    for sheet in ("run42.csv", "samples.csv", "lab/run42.csv", "fsx/run42.csv"):
        (folder / sheet).write_text("sample,subject,name,source1\n" + "".join(rows))
    (folder / "s3.csv").write_text(
        "sample,subject,name,source1,reference\n"
        f"HG003,NA24149,s3,s3://bucket/HG003.bam,{samples.REFERENCE_ARN}\n"
    )
    (folder / "hosts.txt").write_text("".join(f"node{number}\n" for number in range(10)))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    buckets = tmp_path_factory.mktemp("buckets")
    (buckets / "bucket").mkdir()
    samples.bam(buckets / "bucket" / "HG003.bam", names=["HG003"])
    for name, seed in (("HG002", 1), ("HG003", 2)):
        for mate, read in enumerate(samples.fastq_pair(buckets / "bucket", seed=seed), start=1):
            read.path.rename(buckets / "bucket" / f"{name}_R{mate}.fastq.gz")
    with RunningEmulator("--ingest-delay=0", "--quotas=off", f"--s3-root={buckets}") as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, service: RunningEmulator) -> Iterator[Lab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    _files(folder)
    store_id = str(omics_client(service).create_sequence_store(name=tmp_path.name)["id"])
    env = {
        **service.env(),
        "HOME": str(folder),
        "TURBOUPLOAD_STATE_DIR": str(folder / "state"),
        "TURBOUPLOAD_STORE": store_id,
        "TURBOUPLOAD_QUOTA": "CreateMultipartReadSetUpload=99 CompleteMultipartReadSetUpload=99",
        "TURBOUPLOAD_BENCH_SECONDS": "1s",
        "ROLE_ARN": "arn:aws:iam::000000000000:role/omics-import",
    }
    known = {**KNOWN, "/shared/lab": f"{folder}/lab", "/fsx": f"{folder}/fsx"}
    with Bash(folder, env, {"ssh": SSH.format(folder=folder)}) as bash:
        yield Lab(folder, store_id, bash, known)


def _rows(lab: Lab) -> list[str]:
    """The names of the store's read sets."""
    told = lab.bash.run("turboupload readsets list --json --status ACTIVE").splitlines()
    return sorted(each["name"] for each in map(json.loads, told) if "name" in each)


EACH = [f"row{row}" for row in range(ROWS)]


@pytest.mark.parametrize("page", sorted({script.page for script in PLAIN}))
def test_the_commands_of_a_page_run(page: str, lab: Lab, service: RunningEmulator) -> None:
    if page == HELP:
        omics_client(service).create_multipart_read_set_upload(
            sequenceStoreId=lab.store_id, sourceFileType="FASTQ", name="open", sampleId="s",
            subjectId="s",
        )  # fmt: skip
    missing = []
    for script in PLAIN:
        if script.page != page:
            continue
        if "samtools" in script.text and shutil.which("samtools") is None:
            missing.append(script.text)
            continue
        out = lab.run(script.text)
        if re.search(r"turboupload upload ", script.text):
            assert "is ACTIVE" in out
    if missing:
        pytest.skip(f"samtools isn't installed, so all of {page} ran but {missing}")


# --- what needs more than a shell ---------------------------------------------------------------


def test_an_array_job_of_slurm(lab: Lab) -> None:
    (script,) = found("#SBATCH", MACHINES)
    job = lab.folder / "job.sh"
    job.write_text(lab.here(script))
    with slurm() as cluster:
        lab.bash.run(f"sbatch --wait {job}", {"SLURM_CONF": cluster.env["SLURM_CONF"]})
    assert _rows(lab) == EACH
    assert len(list((lab.folder / "lab").glob("run42.results.*-of-10.csv"))) == 10


def test_the_tasks_of_one_job_of_slurm(lab: Lab) -> None:
    (script,) = found("srun ", MACHINES)
    with slurm() as cluster:
        lab.bash.run(lab.here(script), {"SLURM_CONF": cluster.env["SLURM_CONF"]})
    assert _rows(lab) == EACH
    assert len(list((lab.folder / "lab" / "state").iterdir())) == 10


def test_gnu_parallel_over_ssh(lab: Lab) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("not installed (Debian: parallel)")
    (script,) = found("parallel ")
    share = {"TURBOUPLOAD_QUOTA_SHARE": f"{lab.folder}/lab/quota.share"}
    # It asks each host for the shell there, and hands over no variable but those of --env.
    lab.bash.run(lab.here(script), share | {"SHELL": "/bin/bash"})
    assert _rows(lab) == EACH
    (lines,) = found("awk ", MACHINES)
    for path in (lab.folder / "lab").glob("run42.results.*-of-10.csv"):
        path.rename(lab.folder / path.name.replace("run42.results", "run"))
    lab.bash.run(lines)
    rows = (lab.folder / "run.csv").read_text().splitlines()
    assert [rows[0][:4], len(rows)] == ["row,", 1 + ROWS]
    assert set((lab.folder / "hosts-asked").read_text().split()) <= set(
        (lab.folder / "hosts.txt").read_text().split()
    )


def test_a_loop_over_ssh(lab: Lab) -> None:
    (script,) = found("ssh ", MACHINES)
    lab.bash.run(lab.here(script))
    assert _rows(lab) == EACH
    assert sorted((lab.folder / "hosts-asked").read_text().split()) == sorted(
        (lab.folder / "hosts.txt").read_text().split()
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_an_array_job_of_aws_batch(lab: Lab) -> None:
    """Its containers: the variables that AWS Batch sets, and a Redis with TLS."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("not installed (Debian: redis-server)")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(lab.folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        lab.folder / "key.pem"
    )
    port = _free_port()
    process = subprocess.Popen(
        [server, "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--tls-cert-file", "key.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem",
         "--tls-auth-clients", "no"],
        cwd=lab.folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: _listens(port))
        (script,) = found("rediss://")
        text = lab.here(script).replace("CACHE:6379", f"localhost:{port}")
        for index in range(3):
            batch = {
                "AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ARRAY_SIZE": "3",
                "SSL_CERT_FILE": str(lab.folder / "ca.pem"),
            }  # fmt: skip
            with lab.bash.start(text, batch) as process_of_one:
                _, err = process_of_one.communicate(timeout=PATIENCE_S)
            assert process_of_one.returncode == 0, err
            assert "quota" not in err, "it was shared"
    finally:
        process.kill()
        process.wait()
    assert _rows(lab) == EACH


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


def test_the_workers_of_a_dask_cluster(lab: Lab) -> None:
    cluster = DaskCluster(lab.folder, lab.bash.env)
    try:
        cluster.start_scheduler()
        cluster.start_worker("one")
        (script,) = found("--dask tcp://", "docs/guide/dask.md")
        lab.bash.run(lab.here(script).replace("tcp://scheduler:8786", cluster.address))
    finally:
        cluster.stop()
    assert _rows(lab) == EACH


def test_a_watcher(lab: Lab) -> None:
    rules = re.findall(r"```toml\n(.*?)```", (ROOT / WATCH).read_text(), re.DOTALL)[0]
    lab.known.update({"/data": f"{lab.folder}/data", "/etc/turboupload/": ""})
    (lab.folder / "watch.toml").write_text(rules)
    run = lab.folder / "data" / "runs" / "run43"
    shutil.copytree(lab.folder / "runs" / "run43", run)
    (run / "CopyComplete.txt").touch()
    quick = {"TURBOUPLOAD_SETTLE": "0s", "TURBOUPLOAD_EVERY": "1s"}
    texts = found("turboupload watch /data/runs")
    assert [WATCH in each.page for each in SCRIPTS if each.text in texts].count(True) == 3
    for number, text in enumerate(texts):
        (command,) = re.findall(r"turboupload watch .*", text)
        env = quick | {"TURBOUPLOAD_STATE_DIR": f"{lab.folder}/state{number}"}
        if "--once" in command:
            lab.bash.run(lab.here(command), env)
            continue
        # It goes on until it is told to end, as a service is.
        with lab.bash.start("exec " + lab.here(command), env) as process:
            status = "turboupload watch --status --json " + lab.here(command).split(" watch ")[1]
            try:
                _until(lambda: '"done"' in lab.bash.run(f"{status} || true", env))  # noqa: B023
            finally:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
    assert len(_rows(lab)) == 1


def test_a_job(lab: Lab) -> None:
    """What is said to one that runs: a stream that doesn't end."""
    os.mkfifo(lab.folder / "stream")
    upload = "exec turboupload upload - --name slow --sample s --subject s --type FASTQ <stream"
    with lab.bash.start(upload) as process, (lab.folder / "stream").open("wb") as stream:
        stream.write((lab.folder / "HG002_R1.fastq.gz").read_bytes()[:500])
        stream.flush()
        try:
            _until(lambda: lab.bash.run("turboupload jobs --quiet"))
            job = lab.bash.run("turboupload jobs --quiet").split()[0]
            for text in (each.text for each in SCRIPTS if re.search(r" jobs \w+ 7", each.text)):
                lab.bash.run(re.sub(r"(?<= )7(?= |$)", job, text))
            assert " slow" in lab.bash.run(f"turboupload jobs show {job}")
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


def test_a_collector_of_opentelemetry(lab: Lab) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (script,) = found("http://collector:4318")
        where = f"http://127.0.0.1:{server.server_port}"
        lab.run(script.replace("http://collector:4318", where))
        server.shutdown()
    assert _rows(lab) == EACH
    assert {"/v1/traces", "/v1/metrics"} <= set(Collector.asked)


def test_the_commands_that_check_a_receipt(lab: Lab) -> None:
    for program in ("jq", "ssh-keygen"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} isn't installed")
    for lane in (1, 2):
        shutil.copy(
            lab.folder / f"HG002_S1_L00{lane}_R1_001.fastq.gz",
            lab.folder / f"L00{lane}_R1.fastq.gz",
        )
    shutil.copy(lab.folder / "HG002_R1.fastq.gz", lab.folder / "reads.fastq.gz")
    receipts = {}
    for name, files in (("receipt", "reads.fastq.gz"), ("merged", "--merge L00?_R1.fastq.gz")):
        lab.bash.run(
            f"turboupload upload {files} --name {name} --sample s --subject s --prove "
            f"--receipt {name}.json"
        )
        receipts[name] = json.loads((lab.folder / f"{name}.json").read_text())
    lab.bash.run(
        "mkdir .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; "
        'echo "lab $(cat .ssh/id_ed25519.pub)" >signers'
    )
    for text in [each.text for each in SCRIPTS if each.page == "docs/receipts.md"]:
        command, _, tells = text.partition("  # ")
        out = lab.bash.run(command)
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
