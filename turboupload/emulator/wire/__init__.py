"""HTTP: connections, signatures, routes, replies, quotas and injected faults."""
