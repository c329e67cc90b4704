"""`turboupload emulator`: the local HealthOmics service, which brings its own command along."""

from turboupload.emulator.command import emulator

__all__ = ["emulator"]
