"""Signatures with a user's SSH key, made and checked by `ssh-keygen` (OpenSSH 8.7 or later)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from turboupload.errors import ConfigError

__all__ = ["check_signature", "sign_text"]

NAMESPACE: Final = "turboupload-receipts"
"""What the signatures are for: one of another namespace isn't accepted."""

_CHECK_TIMEOUT_S: Final = 60.0


def sign_text(text: str, key: str | os.PathLike[str]) -> str:
    """Signs a text; it blocks, and may ask for the key's passphrase on the terminal.

    Args:
        text: What to sign.
        key: The private key's file, or the public key's where an agent has the private one.

    Returns:
        The signature, as PEM text.

    Raises:
        ConfigError: `ssh-keygen` is missing, or can't sign with this key.
    """
    done = _run("-Y", "sign", "-f", os.fspath(key), "-n", NAMESPACE, text=text, timeout_s=None)
    if done.returncode != 0:
        raise ConfigError(
            f"can't be signed with: {_said(done)}", path=os.fspath(key), operation="ssh-keygen"
        )
    return done.stdout


def check_signature(
    text: str, signature: str, allowed_signers: str | os.PathLike[str], at: str
) -> tuple[str | None, str]:
    """Checks a signature; it blocks.

    Args:
        text: What was signed.
        signature: As `sign_text` made it.
        allowed_signers: A file of the keys that are trusted, in the form that ssh-keygen(1)
            describes.
        at: When it was signed, as ISO 8601 text in UTC: the key must have been valid then.

    Returns:
        Who signed, by that file, or None; and why not, in words.

    Raises:
        ConfigError: `ssh-keygen` is missing, or the file can't be read.
    """
    signers = os.fspath(allowed_signers)
    try:
        Path(signers).open("rb").close()
    except OSError as error:
        raise ConfigError(
            f"can't be read: {error.strerror}", path=signers, operation="ssh-keygen"
        ) from error
    moment = f"-Overify-time={''.join(each for each in at if each.isdigit())}"
    with tempfile.NamedTemporaryFile("w", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        about = ("-s", file.name, "-f", signers, moment)
        found = _run("-Y", "find-principals", *about, text="")
        # A line may name several; they are of the same key.
        principal = found.stdout.partition("\n")[0].partition(",")[0].strip()
        if found.returncode != 0 or not principal:
            return None, f"nobody in {signers} has its key, or none that was valid then"
        done = _run("-Y", "verify", "-I", principal, "-n", NAMESPACE, *about, text=text)
    if done.returncode != 0:
        return None, f"it isn't {principal}'s signature of this: {_said(done)}"
    return principal, ""


def _run(
    *arguments: str, text: str, timeout_s: float | None = _CHECK_TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],  # noqa: S607 - the user's own, as in any shell
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            # Its times are in the local time zone.
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"ssh-keygen can't be run: {error}",
            operation="ssh-keygen",
            hint="it comes with OpenSSH, version 8.7 or later",
        ) from error


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
