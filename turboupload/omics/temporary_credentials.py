"""Credentials that end by themselves, for whoever is to sign in this process's place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from turboupload.omics.error_mapping import credentials_failed
from turboupload.omics.surroundings import credential_program

__all__ = ["TemporaryCredentials", "temporary_credentials"]


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """Credentials with a session token.

    Attributes:
        access_key: Names them.
        secret_key: Signs.
        token: Of the session that they are of.
        expires_at: When they end; None where that isn't known.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime | None

    def told(self) -> dict[str, Any]:
        """In the form that `UploadConfig.session` takes."""
        return {
            "AccessKeyId": self.access_key,
            "SecretAccessKey": self.secret_key,
            "SessionToken": self.token,
            "Expiration": self.expires_at,
        }


async def temporary_credentials(session: Any) -> TemporaryCredentials | None:
    """What a session signs with now, renewed where it is about to end; None if it never ends.

    Args:
        session: aiobotocore's.

    Raises:
        LinkFailed: There are none, or they can't be had.
    """
    try:
        found = await session.get_credentials()
        if found is None:
            raise LookupError("none are configured")
        frozen = await found.get_frozen_credentials()
    except Exception as error:  # providers raise all sorts of things
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        program = credential_program(session)
        raise credentials_failed("credentials", cause, program=program) from error
    if not frozen.token:
        return None
    expires = getattr(found, "_expiry_time", None)  # of botocore's RefreshableCredentials
    return TemporaryCredentials(
        str(frozen.access_key),
        str(frozen.secret_key),
        str(frozen.token),
        expires if isinstance(expires, datetime) else None,
    )
