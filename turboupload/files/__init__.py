"""The user's files: read in parts, hashed, waited for, found in folders, listed in sheets."""
