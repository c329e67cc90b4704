"""What `turboupload bench` does: the way to a store, measured with made-up parts."""
