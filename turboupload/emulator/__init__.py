"""A local AWS HealthOmics storage service over HTTP and HTTPS.

It is independent of the uploader and shares nothing with the engine, not even a constant, so a
mistake in the engine can't hide behind the same mistake here.

botocore's model of `omics` decides what the service accepts; the specification of Signature Version
4 decides how a request must be signed. `turboupload emulator --help` and `python -m
turboupload.emulator --help` list the options.
"""
