"""What the wheel has beside the package, made when it is built: manual pages, and its SBOM."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MadeFiles(BuildHookInterface[Any]):
    """Puts a page for each command into share/man/man1, and the SBOM where PEP 770 wants it."""

    folder: Path
    boms: Path

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the files into temporary folders, and names them to the build."""
        # This project's own code, and never one that is installed already.
        sys.path.insert(0, self.root)
        try:
            from turboupload.cli.main import cli
            from turboupload.cli.options.manual import manual_pages
        finally:
            sys.path.remove(self.root)

        self.folder = Path(tempfile.mkdtemp(prefix="turboupload-man-"))
        moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
        for name, text in manual_pages(cli, "turboupload", time.strftime("%Y-%m-%d", moment)):
            (self.folder / name).write_text(text, encoding="ascii")
        build_data["shared_data"][str(self.folder)] = "share/man/man1"

        self.boms = Path(tempfile.mkdtemp(prefix="turboupload-sbom-"))
        bom = self.boms / "turboupload.cdx.json"
        about = sbom(self.metadata.core, time.strftime("%Y-%m-%dT%H:%M:%SZ", moment))
        bom.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(bom))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the temporary folders."""
        shutil.rmtree(self.folder)
        shutil.rmtree(self.boms)


def sbom(core: Any, made: str) -> dict[str, Any]:
    """What the wheel is made of, as CycloneDX: itself, and the packages that it asks for.

    It brings nothing of others. Which versions of them are used, whoever installs it decides; so
    the list has the bounds, and says of itself that it isn't complete.

    Args:
        core: The project's metadata.
        made: When it is built, as ISO 8601.
    """
    name, version = core.name, core.version
    ours = f"pkg:pypi/{name}@{version}"
    lists = {"required": core.dependencies_complex} | {
        f"extra {extra}": wanted for extra, wanted in core.optional_dependencies_complex.items()
    }
    asked: dict[str, dict[str, Any]] = {}
    for label, wanted in lists.items():
        for each in wanted.values():
            if each.name == name:
                continue  # an extra of ours
            component = asked.setdefault(
                each.name,
                {
                    "type": "library",
                    "bom-ref": f"pkg:pypi/{each.name}",
                    "name": each.name,
                    "scope": "required" if label == "required" else "optional",
                    "purl": f"pkg:pypi/{each.name}",
                    "properties": [],
                },
            )
            component["properties"].append(
                {"name": f"turboupload:{label}", "value": str(each.specifier)}
            )
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, ours + made)}",
        "version": 1,
        "metadata": {
            "timestamp": made,
            "component": {
                "type": "library",
                "bom-ref": ours,
                "name": name,
                "version": version,
                "description": core.description,
                "licenses": [{"license": {"id": core.license_expression}}],
                "purl": ours,
            },
        },
        "components": [asked[each] for each in sorted(asked)],
        "dependencies": [
            {"ref": ours, "dependsOn": [f"pkg:pypi/{each}" for each in sorted(asked)]},
            *({"ref": f"pkg:pypi/{each}"} for each in sorted(asked)),
        ],
        "compositions": [{"aggregate": "incomplete", "dependencies": [ours]}],
    }
