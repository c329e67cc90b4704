"""Proof afterwards: audits of files, signed chains of receipts, comparison with the store."""
