"""The pictures in docs/pictures: what real sessions with the emulator look like."""
