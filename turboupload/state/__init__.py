"""What is kept on the disk between runs: the journal, locks, receipts and results."""
