"""A certificate authority of the emulator's own, made once for each root."""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path

__all__ = ["CA_BUNDLE", "server_context"]

CA_BUNDLE = "ca.pem"


def server_context(folder: Path, host: str) -> ssl.SSLContext:
    """A TLS context for this host, localhost and the loopback addresses.

    Arguments:
        folder: The folder of the certificates, so that a client's CA bundle stays valid after a
            restart.
        host: The address that the server listens on.
    """
    marker = folder / f"{_file_name(host)}.pem"
    if not marker.exists():
        _make_certificates(folder, host, marker)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(marker)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _file_name(host: str) -> str:
    return "server-" + "".join(char if char.isalnum() else "-" for char in host)


def _make_certificates(folder: Path, host: str, marker: Path) -> None:
    import trustme

    folder.mkdir(mode=0o700, exist_ok=True)
    # The authority's key isn't kept, so certificates of an earlier authority are useless.
    for outdated in folder.glob("server-*.pem"):
        outdated.unlink()
    authority = trustme.CA(organization_name="turboupload emulator")
    names = ["localhost", "127.0.0.1", "::1"]
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        unspecified = False
    if host not in names and not unspecified:
        names.append(host)
    issued = authority.issue_cert(*names)
    authority.cert_pem.write_to_path(folder / CA_BUNDLE)
    # Key and chain go into one file, which is written atomically.
    staged = folder / "server.staged"
    staged.unlink(missing_ok=True)
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(issued.private_key_and_cert_chain_pem.bytes())
    staged.rename(marker)
