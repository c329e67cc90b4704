"""Sample sheets: text to rows of read sets, and back."""
