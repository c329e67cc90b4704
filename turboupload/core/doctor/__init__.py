"""What `turboupload doctor` makes of what was found: facts in, lines out."""
