"""The programs of docs/examples do what they say, against the emulator."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.recipes.conftest import EXAMPLES, active, run
from turboupload.testing import Emulator


def names_of(files: list[Path]) -> list[str]:
    return [path.name.removesuffix(".fastq.gz") for path in files]


def test_the_script_uploads_a_folder_and_may_be_run_again(
    emulator: Emulator, environment: dict[str, str], files: list[Path]
) -> None:
    command = [sys.executable, EXAMPLES / "script.py", files[0].parent, emulator.store_id]
    first = run(command, environment).stdout
    assert [line.split("\t")[0] for line in first.splitlines()] == [path.name for path in files]
    assert first.count("\tACTIVE\n") == 2
    assert run(command, environment).stdout == first, "the same read sets, and no others"


def test_asyncio_uploads_many_at_once(
    emulator: Emulator, environment: dict[str, str], files: list[Path]
) -> None:
    command = [sys.executable, EXAMPLES / "asyncio_uploads.py", emulator.store_id, *files]
    assert len(run(command, environment).stdout.split()) == 2
    assert all(active(emulator, name) for name in names_of(files))


def test_a_web_service_uploads_in_the_background(
    emulator: Emulator, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi")
    testclient: Any = pytest.importorskip("fastapi.testclient")
    for name, value in emulator.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TURBOUPLOAD_STORE", emulator.store_id)
    monkeypatch.setenv("DATA", str(files[0].parent))
    spec = importlib.util.spec_from_file_location("web_service", EXAMPLES / "web_service.py")
    assert spec is not None
    assert spec.loader is not None
    service: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "web_service", service)
    spec.loader.exec_module(service)
    (name, _) = names_of(files)
    with testclient.TestClient(service.app) as client:
        outside = client.post("/uploads", json={"files": ["/etc/passwd"], "name": "x"})
        assert outside.status_code == 403
        assert client.get("/uploads/unknown").status_code == 404
        wanted = {"files": [files[0].name], "name": name}
        assert client.post("/uploads", json=wanted).status_code == 202
        end = time.monotonic() + 60
        while (state := client.get(f"/uploads/{name}").json())["read_set_id"] is None:
            assert state["error"] is None
            assert time.monotonic() < end
            time.sleep(0.05)
        assert client.post("/uploads", json=wanted).json() == state
    assert state["status"] == "active"
    assert state["done_bytes"] == state["total_bytes"] == files[0].stat().st_size


def test_the_notebook_runs(
    environment: dict[str, str], files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient: Any = pytest.importorskip("nbclient")
    nbformat: Any = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    for name, value in {**environment, "FASTQ": str(files[0])}.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3")
    client.execute()
    told = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert told.startswith("True\n")
    assert told.endswith(" ACTIVE\n")


def test_prefect_runs_the_flow(
    emulator: Emulator, environment: dict[str, str], files: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("prefect")
    env = {
        **environment,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    }
    command = [sys.executable, EXAMPLES / "prefect_flow.py", emulator.store_id, *files]
    run(command, env)
    assert all(active(emulator, name) for name in names_of(files))


def test_snakemake_makes_the_receipts(
    emulator: Emulator, environment: dict[str, str], files: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("snakemake")
    shutil.copytree(EXAMPLES / "snakemake", tmp_path, dirs_exist_ok=True)
    command = [
        sys.executable, "-m", "snakemake", "--profile", "profile",
        "--config", f"store={emulator.store_id}",
    ]  # fmt: skip
    run(command, {**environment, "HOME": str(tmp_path)}, cwd=tmp_path)
    for name in names_of(files):
        receipt = tmp_path / "receipts" / f"{name}.json"
        assert turboupload.verify_receipt(receipt, tmp_path / f"{name}.fastq.gz").proven
    again = run([*command, "--dry-run"], {**environment, "HOME": str(tmp_path)}, cwd=tmp_path)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_tasks_of_a_slurm_array_share_a_sheet(
    emulator: Emulator, environment: dict[str, str], files: list[Path], tmp_path: Path
) -> None:
    names = names_of(files)
    rows = [f"{name},{name},{name},{path}" for name, path in zip(names, files, strict=True)]
    (tmp_path / "sheet.csv").write_text("\n".join(["name,sample,subject,source1", *rows, ""]))
    script = EXAMPLES / "slurm" / "upload-array.sh"
    array = {"MIN": "1", "MAX": "2", "STEP": "1", "COUNT": "2"}
    told = ""
    for task in ("1", "2"):
        env = {f"SLURM_ARRAY_TASK_{key}": value for key, value in {**array, "ID": task}.items()}
        command = ["bash", script, "sheet.csv", emulator.store_id]
        told += run(command, {**environment, **env}, tmp_path).stdout
    assert all(told.count(f"\t{name}\t") == 1 for name in names), "each row is one task's"
    assert all(active(emulator, name) for name in names)
