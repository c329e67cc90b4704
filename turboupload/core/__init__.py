"""Pure decisions: no clock, loop, file, socket, log or randomness; these come in as arguments."""
