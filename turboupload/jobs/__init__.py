"""Jobs: what runs on this machine listens on a socket of its own, and is listed while and after."""
