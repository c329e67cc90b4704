"""Simulated worlds: the real engine on a virtual clock, against a service and disks that fail."""
