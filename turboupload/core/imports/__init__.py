"""Import jobs: read sets that the service reads from S3 itself."""
