"""Sequencing file formats: what a file is, and whether it is whole."""
