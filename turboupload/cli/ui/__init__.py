"""What commands share: the session that runs them, and how they speak to people and programs."""
