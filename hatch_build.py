"""The wheel's manual pages: made of the commands' help when it is built."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface[Any]):
    """Puts a page for each command into share/man/man1."""

    folder: Path

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the pages into a temporary folder, and names it to the build."""
        # This project's own code, and never one that is installed already.
        sys.path.insert(0, self.root)
        try:
            from turboupload.cli.main import cli
            from turboupload.cli.ui.manual import manual_pages
        finally:
            sys.path.remove(self.root)

        self.folder = Path(tempfile.mkdtemp(prefix="turboupload-man-"))
        moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
        for name, text in manual_pages(cli, "turboupload", time.strftime("%Y-%m-%d", moment)):
            (self.folder / name).write_text(text, encoding="ascii")
        build_data["shared_data"][str(self.folder)] = "share/man/man1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the temporary folder."""
        shutil.rmtree(self.folder)
