"""What commands share: the session that runs them, and how they report to people and programs."""
