"""The ledger of an upload's parts: what was sent, what the service has, and what is left to do."""
