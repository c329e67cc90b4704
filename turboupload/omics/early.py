"""Imports urllib3 and aiohttp before the modules that would import them too deep.

CPython keeps Python's frames in chunks of 16 KiB, and gives a chunk back as soon as no frame is in
it (3.11 and later, `_PyThreadState_PopFrame`). While these two are imported, `re` compiles their
expressions, and calls itself a hundred thousand times. Where the edge of a chunk happens to lie
among those calls, memory is mapped and unmapped thousands of times: 30 ms of a command's start.

The edge lies there if 6 to 13 KiB of frames are in use, as below the engine and botocore. So the
modules that open the service to callers (`api`, `stores`, `batch.api`) import this one first, with
less than 5 KiB in use. Nothing depends on it but that time.
"""

import urllib3  # noqa: F401 # botocore brings it

from turboupload.omics import trust  # noqa: F401 # aiohttp
