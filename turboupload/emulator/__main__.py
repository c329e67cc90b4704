"""`python -m turboupload.emulator`."""

from turboupload.emulator.command import emulator

if __name__ == "__main__":
    emulator(prog_name="python -m turboupload.emulator", auto_envvar_prefix=None)
