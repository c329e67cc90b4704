"""Options: their values, where each came from, and what the library is told of them."""
