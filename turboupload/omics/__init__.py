"""The HealthOmics boundary: one narrow Protocol, and its implementation."""
