"""Options: their values, where each came from, and the configuration made of them."""
