"""What `turboupload doctor` does: gathers facts side by side, each within its time."""
