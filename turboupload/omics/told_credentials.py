"""Credentials that a program gives, in whatever form it has them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp

from turboupload.omics.error_mapping import SessionFailed

__all__ = ["ToldCredentials", "profile_of", "region_of"]

LOADERS: Final = ("get_credentials", "load_credentials", "load")
"""What sessions, resolvers and providers of botocore, boto3 and aiobotocore call it."""

UNSAID_LIFETIME: Final = timedelta(minutes=20)
"""Of credentials that name no end: botocore asks anew a quarter of an hour before it."""

Told = Callable[[], Any]


class ToldCredentials:
    """What botocore calls a credential provider, made of what a program gives.

    Args:
        source: A session or a provider of botocore, boto3 or aiobotocore, or a function; see
            `UploadConfig.session`.
    """

    def __init__(self, source: object) -> None:
        self._load = _loader(source)

    async def load_credentials(self) -> Any:
        """The credentials that a client signs with.

        Raises:
            SessionFailed: There are none.
        """
        told = await _answer(self._load)
        if hasattr(told, "get_frozen_credentials"):
            return _Frozen(told)
        return AioRefreshableCredentials.create_from_metadata(
            metadata=_metadata(told), refresh_using=self._refresh, method="turboupload-session"
        )

    async def _refresh(self) -> Mapping[str, Any]:
        return _metadata(await _answer(self._load))


class _Frozen(AioCredentials):  # type: ignore[misc] # untyped
    """Credentials that renew themselves, sync or async."""

    def __init__(self, told: Any) -> None:
        super().__init__("", "", method="turboupload-session")
        self._told = told

    async def get_frozen_credentials(self) -> Any:
        """As they are at this moment."""
        return await _answer(self._told.get_frozen_credentials)


def region_of(session: object) -> str | None:
    """The Region of a session; None where it has none, or is none."""
    found = getattr(session, "region_name", None)
    if found is None and hasattr(session, "get_config_variable"):
        found = session.get_config_variable("region")
    return found if isinstance(found, str) else None


def profile_of(session: object) -> str | None:
    """The profile that a session was made with; None for the usual one."""
    found = getattr(session, "profile_name", getattr(session, "profile", None))
    return found if isinstance(found, str) and found != "default" else None


def _loader(source: object) -> Told:
    for name in LOADERS:
        if callable(method := getattr(source, name, None)):
            load: Told = method
            return load
    assert callable(source), "checked by UploadConfig"
    return source


async def _answer(ask: Told) -> Any:
    """What a function returns; one that isn't async may block, and so gets a thread.

    Raises:
        SessionFailed: It failed. What botocore raises, such as of a sign-in, speaks for itself.
    """
    try:
        if inspect.iscoroutinefunction(ask):
            return await ask()
        told = await asyncio.to_thread(ask)
        return await told if isinstance(told, Awaitable) else told
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:  # functions raise all sorts of things
        raise SessionFailed(error) from None


def _metadata(told: Any) -> dict[str, Any]:
    """Credentials of any form, in the one that botocore renews.

    Raises:
        SessionFailed: They are of none that is known.
    """
    try:
        access_key, secret_key, token, ends = _members(told)
        if not (isinstance(access_key, str) and isinstance(secret_key, str)):
            raise TypeError("the keys are no text")
        if ends is None:
            ends = datetime.now(UTC) + UNSAID_LIFETIME
        elif not isinstance(ends, datetime):
            ends = parse_timestamp(ends)
        if ends.tzinfo is None:  # botocore would compare it with one that has one
            raise ValueError(f"the expiration {ends} has no time zone")
    except (TypeError, ValueError, OverflowError) as error:
        raise SessionFailed(error) from None
    return {
        "access_key": access_key,
        "secret_key": secret_key,
        "token": token,
        "expiry_time": ends.isoformat(),
    }


def _members(told: Any) -> tuple[Any, Any, Any, Any]:
    """Access key, secret, token and expiration.

    Raises:
        TypeError: They are in no form that is known.
    """
    if isinstance(told, Mapping):
        # As `sts.assume_role()["Credentials"]` has them.
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        access_key, secret_key, token, ends = (told.get(name) for name in names)
        return access_key, secret_key, token, ends
    if isinstance(told, tuple) and len(told) > 1:  # botocore's ReadOnlyCredentials is one
        access_key, secret_key, token = (*told, None)[:3]
        return access_key, secret_key, token, None
    raise TypeError(f"{type(told).__name__} is not a form of credentials")
