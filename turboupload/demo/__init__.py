"""`turboupload demo`: uploads to a local service, with a kill half-way."""
