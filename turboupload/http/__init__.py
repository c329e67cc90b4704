"""The part transport: sends parts over HTTP/1.1 and TLS."""
