"""What a report shows: notices in, a small document out."""
