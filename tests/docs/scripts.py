"""What a reader would type: the blocks of shell in the documents, and the examples of the help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.commands import COMMAND_NAMES, command

__all__ = ["HELP", "SCRIPTS", "Script", "found", "matches"]

ROOT = Path(__file__).parents[2]
HELP = "the examples of --help"
NO_COMMANDS = ("argv, env, file", "PLANNED ─>", "sample,subject,")
"""How blocks without a language begin that are a diagram or a file."""


@dataclass(frozen=True)
class Script:
    """Some lines of shell.

    Attributes:
        page: The document, from the project's folder; or `HELP`.
        text: As it stands there. Only a block that says that it is a script (`sh`) has several
            commands; of a session (`$ `) it is what was typed, without what was printed.
    """

    page: str
    text: str


def _of(page: Path) -> list[Script]:
    name = page.relative_to(ROOT).as_posix()
    found: list[Script] = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.S | re.M):
        if language == "console":
            joined = re.sub(r"\\\n *", "", block)
            typed = re.findall(r"^\$ (.*)$", joined, re.MULTILINE)
            found += [Script(name, each) for each in typed]
        elif language in ("sh", "bash", "ini", "r"):
            found.append(Script(name, block))
        elif language == "" and not block.startswith(NO_COMMANDS):
            joined = re.sub(r"\\\n *|(?<=\|)\n *", "", block)
            found += [Script(name, each) for each in joined.splitlines()]
    return found


SCRIPTS = [
    *(
        script
        for page in (
            ROOT / "README.md",
            ROOT / "CONTRIBUTING.md",
            *sorted((ROOT / "docs").rglob("*.md")),
        )
        for script in _of(page)
    ),
    *(
        Script(HELP, f"turboupload {example}")
        for name in COMMAND_NAMES
        for example in getattr(command(name), "examples", ())
    ),
]
"""Of README.md, CONTRIBUTING.md, docs/ and the help, page by page, in their order."""


def matches(script: Script, key: str) -> bool:
    """Whether a script is of a page (`docs/…`), or has these words."""
    return script.page == key if key.startswith("docs/") else key in f"{script.text} "


def found(key: str, page: str = "") -> list[str]:
    """The scripts that match, of one page or of all."""
    return [each.text for each in SCRIPTS if matches(each, key) and page in each.page]
