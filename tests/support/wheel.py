"""What a wheel of ours must have: `python -m tests.support.wheel FILE` tells what is missing."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]


def faults_of(path: Path) -> list[str]:
    """What is wrong with it, in words."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        found = [name for name in names if ".dist-info/sboms/" in name]
        boms = [wheel.read(name).decode() for name in found]
        times = {each.date_time for each in wheel.infolist()}
    faults = []
    if len(times) != 1:
        faults.append(f"its files have {len(times)} times")
    for wanted in ("turboupload/py.typed", ".dist-info/licenses/LICENSE", "man1/turboupload.1"):
        if not any(name.endswith(wanted) for name in names):
            faults.append(f"{wanted} is missing")
    if strange := [name for name in names if not re.match(r"turboupload[/-]", name)]:
        faults.append(f"it has what is not ours: {strange[:3]}")
    if len(boms) != 1:
        return [*faults, f"it has {len(boms)} SBOMs, not one"]
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(boms[0])
    if wrong is not None:
        faults.append(f"its SBOM is not valid: {wrong}")
    return [*faults, *_faults_of_bom(json.loads(boms[0]), project)]


def _faults_of_bom(bom: dict[str, Any], project: dict[str, Any]) -> list[str]:
    about = bom["metadata"]["component"]
    faults = []
    if (about["name"], about["version"]) != (project["name"], project["version"]):
        faults.append("its SBOM is of another package")
    required = {each["name"] for each in bom["components"] if each["scope"] == "required"}
    wanted = {re.split(r"[^\w-]", each)[0] for each in project["dependencies"]}
    if required != wanted:
        faults.append(f"its SBOM names other packages: {sorted(required ^ wanted)}")
    return faults


if __name__ == "__main__":
    told = [f"{path}: {fault}" for path in sys.argv[1:] for fault in faults_of(Path(path))]
    sys.exit("\n".join(told) or 0)
