"""What each command tells people and programs while it runs, and how it ended."""
