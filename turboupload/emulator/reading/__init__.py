"""Reads sequencing files as the service's ingest does: whole or damaged, counts, ETags."""
