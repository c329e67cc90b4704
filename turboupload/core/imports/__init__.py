"""Import jobs: the service reads files from S3 itself."""
