"""Where it was measured, without names or paths."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS_PYTHON

__all__ = ["machine"]

OURS = ("turboupload", "aiobotocore", "aiohttp", "botocore", "uvloop", "xxhash", "h11")
PEERS = ("aws-healthomics-tools", "s3transfer", "boto3", "botocore", "awscrt")

_ASK = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def machine() -> dict[str, Any]:
    """The processor, the memory, the kernel, and the version of everything that took part."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": sys.version.split()[0],
        "openssl": ssl.OPENSSL_VERSION,
        "nginx": _said("nginx", "-v", r"nginx/([\d.]+)"),
        "curl": _said("curl", "--version", r"curl ([\d.]+)"),
        "packages": _ours(),
        "peers": _theirs(),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    found = re.search(r"model name\s*: (.*)", text)
    flags = [flag for flag in ("aes", "vaes", "sha_ni", "avx512f") if f" {flag}" in text]
    return f"{found[1] if found else platform.processor()} ({', '.join(flags)})"


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _said(program: str, option: str, pattern: str) -> str | None:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        return None
    out = subprocess.run([path, option], capture_output=True, text=True, check=False)
    found = re.search(pattern, out.stdout + out.stderr)
    return found[1] if found else None


def _ours() -> dict[str, str]:
    versions = {}
    for package in OURS:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _theirs() -> dict[str, str]:
    if not PEERS_PYTHON.exists():
        return {}
    command = [str(PEERS_PYTHON), "-c", _ASK, *PEERS]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(out.stdout)
    return found
