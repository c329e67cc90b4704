"""Makes the pictures of docs/pictures: python -m tests.pictures [FOLDER]."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from tests.pictures.sessions import FOLDER, REPORT, lab, terminals
from tests.pictures.terminal import picture
from tests.support.chromium import opened


def main() -> None:
    """Makes them all."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs/pictures"
    place.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir(mode=0o700)
    try:
        with lab(FOLDER) as at:
            for shot in terminals(at):
                svg = picture(shot.text, shot.name, columns=shot.columns)
                (place / f"{shot.name}.svg").write_text(svg, encoding="utf-8")
            asyncio.run(_report(FOLDER / REPORT, place))
    finally:
        shutil.rmtree(FOLDER)


async def _report(page: Path, place: Path) -> None:
    """Pictures of a report, as a reader sees it in the light and in the dark."""
    async with opened(page, FOLDER / "profile") as tab:
        await tab.call("Emulation.setScrollbarsHidden", hidden=True)
        for scheme in ("light", "dark"):
            await tab.look(width=1100, height=1450, scheme=scheme)
            (place / f"report-{scheme}.png").write_bytes(await tab.screenshot())


main()
