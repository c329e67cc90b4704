"""One upload: its state, the facts that it takes in, and what it asks for."""
