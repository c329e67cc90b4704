"""`python -m turboupload.emulator` as a process: options, the ready line, signals, exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.emulator.omics import omics_client, wait_for
from tests.emulator.wire import Wire
from tests.support import quickstart
from tests.support.emulator import PROJECT, RunningEmulator

TIMEOUT_S = 30


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    with start(*arguments, env=env) as process:
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(*arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return quickstart.start(
        "turboupload.emulator",
        arguments,
        cwd=PROJECT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    watchdog = threading.Timer(TIMEOUT_S, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    found: dict[str, Any] = json.loads(line)
    return found


def end(process: subprocess.Popen[str], signum: int) -> tuple[int, str, str]:
    process.send_signal(signum)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_one_line_when_ready_and_a_clean_end(tmp_path: Path, signum: int) -> None:
    process = start("--root", str(tmp_path / "new" / "root"))
    line = ready(process)
    assert line["event"] == "emulator.ready"
    assert line["endpoint_url"].startswith("http://127.0.0.1:")
    assert line["ca_bundle"] is None
    assert len(line["store_id"]) == 10
    assert end(process, signum) == (0, "", "")


def test_without_a_root_nothing_is_left(tmp_path: Path) -> None:
    process = start(env={"TMPDIR": str(tmp_path)})
    ready(process)
    (root,) = tmp_path.iterdir()
    assert (root / "emulator.sqlite3").exists()
    assert end(process, signal.SIGTERM)[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_stall_does_not_hold_up_the_end(tmp_path: Path) -> None:
    stall = {"action": {"type": "stall", "seconds": 3600}, "times": None}
    with RunningEmulator("--fault", json.dumps(stall), root=tmp_path / "root") as emulator:
        wire = Wire(emulator)
        ended: list[BaseException] = []

        def call() -> None:
            try:
                wire.create(emulator.store_id)
            except (OSError, urllib3.exceptions.HTTPError) as error:
                ended.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        wait_for(lambda: emulator.faults()[0]["fired"], "the stall")
        assert emulator.terminate() == 0
        caller.join(timeout=TIMEOUT_S)
        assert len(ended) == 1
        wire.close()


def test_every_option_is_an_environment_variable(tmp_path: Path) -> None:
    environment = {
        "TURBOUPLOAD_EMULATOR_ROOT": str(tmp_path / "root"),
        "TURBOUPLOAD_EMULATOR_TLS": "1",
        "TURBOUPLOAD_EMULATOR_QUOTAS": "off",
        "TURBOUPLOAD_EMULATOR_QUOTA": "UploadReadSetPart=3",
        "TURBOUPLOAD_EMULATOR_REGION": "eu-west-2",
        "TURBOUPLOAD_EMULATOR_ACCOUNT": "123456789012",
    }
    process = start(env=environment)
    line = ready(process)
    assert line["endpoint_url"].startswith("https://127.0.0.1:")
    assert line["ca_bundle"] == str(tmp_path / "root" / "tls" / "ca.pem")
    assert end(process, signal.SIGTERM)[0] == 0
    helped = run("--help").stdout
    names = "ROOT HOST PORT CHECKSUM INGEST_DELAY S3_ROOT FAULT PAGE_SIZE LISTING_ORDER DURABILITY"
    for name in [*names.split(), "ACCESS_KEY", "SECRET_KEY", "REFERENCE"]:
        assert f"TURBOUPLOAD_EMULATOR_{name}" in "".join(helped.split())


def test_several_faults_in_one_variable_are_lines(tmp_path: Path) -> None:
    rules = '{"action": {"type": "drop"}}\n{"action": {"type": "delay", "seconds": 1}}'
    process = start("--root", str(tmp_path), env={"TURBOUPLOAD_EMULATOR_FAULT": rules})
    url = ready(process)["endpoint_url"]
    reply = urllib3.request("GET", f"{url}/_emulator/faults", timeout=TIMEOUT_S)
    assert [rule["action"]["type"] for rule in reply.json()["rules"]] == ["drop", "delay"]
    assert end(process, signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "70000"], "70000"),
        (["--quota", "Nothing=1"], "no such operation"),
        (["--quota", "GetReadSet=fast"], "Operation=TPS"),
        (["--quota", "GetReadSet=0"], "more than 0"),
        (["--fault", "{"], "fault"),
        (["--fault", '{"action": {"type": "explode"}}'], "action.type"),
        (["--checksum", "crc"], "checksum"),
        (["--page-size", "0"], "1 to 100"),
        (["--page-size", "101"], "1 to 100"),
        (["--account", "1"], "12 digits"),
        (["--region", "../x"], "Region"),
        (["--ingest-delay", "-1"], "negative"),
        (["--s3-root", "/no/such/folder"], "s3-root"),
        (["--reference", "nonsense"], "ARN=FASTA"),
        (["--reference", "arn:x=/no/such/file"], "no such reference"),
        (["--access-key", ""], "access key"),
        (["--host", "no.such.host.invalid"], "Error"),
        (["--root", "/proc/nope"], "Error"),
        (["--unknown"], "unknown"),
    ],
)
def test_bad_options_end_with_a_sentence_and_2(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    root = [] if "--root" in arguments else ["--root", str(tmp_path / "root")]
    done = run(*root, *arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--root", str(tmp_path / "root"), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_one_emulator_to_a_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with RunningEmulator(root=root) as emulator:
        done = run("--root", str(root))
        assert done.returncode == 2
        assert "another emulator uses" in done.stderr
        emulator.kill()
        # The lock of the dead one is no hindrance.
        emulator.restart()


def test_listening_for_everyone_is_warned_about() -> None:
    process = start("--host", "0.0.0.0")  # noqa: S104 - the option that is tested
    line = ready(process)
    assert line["endpoint_url"].startswith("http://127.0.0.1:")
    code, _, err = end(process, signal.SIGTERM)
    assert code == 0
    assert "warning: listening on 0.0.0.0" in err


def test_control_routes_are_for_this_machine_only() -> None:
    own = own_address()
    process = start("--host", "0.0.0.0")  # noqa: S104 - reaching it from elsewhere is the point
    port = int(ready(process)["endpoint_url"].rsplit(":", 1)[1])
    try:
        with socket.create_connection((own, port), timeout=10, source_address=(own, 0)) as peer:
            peer.sendall(b"GET /_emulator/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert peer.recv(100).startswith(b"HTTP/1.1 403")
    finally:
        assert end(process, signal.SIGTERM)[0] == 0


def own_address() -> str:
    """An address of this machine that is not loopback; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_tls_outlives_a_restart(tmp_path: Path) -> None:
    with RunningEmulator("--quotas", "off", root=tmp_path / "root", tls=True) as emulator:
        client = omics_client(emulator)
        assert emulator.ca_bundle
        before = Path(emulator.ca_bundle).read_bytes()
        client.list_sequence_stores()
        emulator.restart()
        assert Path(emulator.ca_bundle).read_bytes() == before
        client.list_sequence_stores()
        client.close()
    for path in (tmp_path / "root" / "tls").iterdir():
        if path.name != "ca.pem":
            assert path.stat().st_mode & 0o077 == 0


def test_help_loads_no_server() -> None:
    program = (
        "import sys, turboupload.cli.commands.emulator as c;"
        "print([m for m in ('aiohttp', 'botocore', 'pysam', 'trustme') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_other_credentials(tmp_path: Path) -> None:
    options = ("--access-key", "AKIDEXAMPLE", "--secret-key", "hush", "--quotas", "off")
    with RunningEmulator(*options, root=tmp_path / "root") as emulator:
        wire = Wire(emulator)
        assert wire.create(emulator.store_id).error == "UnrecognizedClientException"
        wire.close()
        assert "hush" not in emulator.stderr()
