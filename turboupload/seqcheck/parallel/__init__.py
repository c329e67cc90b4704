"""A file's records checked by several processes."""
