"""A local AWS HealthOmics storage service over HTTP and HTTPS.

It is a witness of the protocol, not part of the uploader: nothing here is shared with the engine,
not even a constant, so that a mistake there cannot hide in the same mistake here. What the service
accepts comes from botocore's own model of `omics`; how a request must be signed comes from the
specification of Signature Version 4.

`python -m turboupload.emulator --help` and `turboupload emulator --help` say how to run it.
"""
