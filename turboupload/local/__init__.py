"""The disk boundary: reading sources, keeping the journal, knowing file formats."""
