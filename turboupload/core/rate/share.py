"""The turns of an account's operations, kept where several processes find them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from turboupload.core.rate.turns import Turns

__all__ = ["NothingShared", "QuotaShare", "ShareFailed", "Step", "account_of", "share_key"]

Step = Callable[[Turns | None, float], tuple[Turns, float]]
"""Turns as they were left and the time, to turns as they are left now and a wait in seconds."""

KEY_BYTES: Final = 16


class ShareFailed(Exception):
    """The place that the quota is shared in can't be used; the text says why, without secrets."""


class NothingShared(Exception):
    """No other process shares yet, which is no failure."""


class QuotaShare(Protocol):
    """A place where the turns of operations are kept.

    Each step is atomic. All processes read the place's own clock, since those of several
    machines differ. Nothing has to be given back: a process that is killed
    has taken one turn at the most. As text it says where it is, without a password.
    """

    def take(self, operation: str, step: Step) -> float:
        """Takes a step with an operation's turns; blocking, for a few seconds at the most.

        Args:
            operation: As the API names it.
            step: Returns the turns as they are left, and what is returned here. It may be called
                again, where another was quicker.

        Raises:
            NothingShared: Turns are to be kept elsewhere, for now.
            ShareFailed: The place can't be used now.
        """
        ...

    def close(self) -> None:
        """Gives its descriptors back."""
        ...


def account_of(access_key_id: str) -> str:
    """What stands for the account that an access key belongs to.

    An id of 20 characters has its account's number in it, so the keys of one account, such as
    those that each process gets for an hour, stand for the same one. Source:
    https://medium.com/@TalBeerySec/a-short-note-on-aws-key-id-f88cc4317489 (read 2026-11); AWS
    answers the same question with sts:GetAccessKeyInfo. Of any other id only a hash is used, and
    should AWS change their form, keys of one account only cease to share.
    """
    if len(access_key_id) == 20 and access_key_id[:4] in ("AKIA", "ASIA"):
        try:
            decoded = base64.b32decode(access_key_id[4:])[:6]
        except binascii.Error:
            return access_key_id
        return f"{(int.from_bytes(decoded) & 0x7FFFFFFFFF80) >> 7:012d}"
    return access_key_id


def share_key(account: str, where: str, operation: str) -> bytes:
    """The key of an operation's turns; it doesn't reveal the account.

    Args:
        account: What stands for the account.
        where: The endpoint, or the Region.
        operation: As the API names it.

    Returns:
        16 bytes.
    """
    text = "\0".join((account, where, operation))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=KEY_BYTES).digest()
