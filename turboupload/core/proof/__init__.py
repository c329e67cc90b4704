"""Proof that the service has the files' content: checksums, ETags, receipts."""
