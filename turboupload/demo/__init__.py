"""`turboupload demo`: the main job on this machine, with a kill half-way."""
