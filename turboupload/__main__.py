"""Where the command begins; `python -m turboupload` is the same."""

from __future__ import annotations

import contextlib
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command `turboupload`.

    An interrupt that comes while the command is still being loaded is an interrupt like any other.
    """
    try:
        from turboupload.cli.main import main as command

        command()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            os.write(2, b"interrupted\n")
        # What `turboupload.cli.ui.errors` calls INTERRUPTED, and may not be loaded yet.
        sys.exit(130)


if __name__ == "__main__":
    main()
