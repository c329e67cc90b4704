"""What proves that the service has what was sent: checksums, ETags, receipts."""
