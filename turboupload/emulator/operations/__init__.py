"""The service's operations, by resource, on checked input."""
