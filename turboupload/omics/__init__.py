"""The HealthOmics boundary: one narrow Protocol, and what stands behind it."""
