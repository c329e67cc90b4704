"""`python -m turboupload` is the command `turboupload`."""

from turboupload.cli.main import main

main()
