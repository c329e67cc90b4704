"""Proof of an upload: hashing beside the sending, manifests, the stored ETag, and the receipt."""
