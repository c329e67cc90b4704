"""The part transport: how a part's bytes leave the machine, over HTTP/1.1 and TLS."""
