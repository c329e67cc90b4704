"""A Redis server in which hosts share an account's quota (extra `redis`).

One key for each operation of each account and endpoint, gone a day after its last use. The clock is
the server's. A change is made only if no other process changed it meanwhile (WATCH), else again.
"""

from __future__ import annotations

import json
from typing import Any, Final

from turboupload.core.characters import without_passwords
from turboupload.core.rate.share import ShareFailed, Step, share_key
from turboupload.core.rate.turns import Turns
from turboupload.errors import ConfigError

__all__ = ["QuotaRedis"]

PREFIX: Final = "turboupload:quota:1:"
KEPT_S: Final = 86_400
TIMEOUT_S: Final = 2.0
"""For a connection and for each answer, in seconds."""


class QuotaRedis:
    """Turns in a Redis server; see `QuotaShare`. May be used from any thread.

    Args:
        url: `redis://…`, `rediss://…` (TLS) or `unix://…`, as redis-py takes it.
        account: What stands for the account.
        where: The endpoint, or the Region.

    Raises:
        ConfigError: The package is missing, or that is not the URL of a Redis server.
    """

    def __init__(self, url: str, account: str, where: str) -> None:
        try:
            import redis
        except ImportError:
            raise ConfigError(
                "sharing the quota in Redis needs the package redis, which is not installed",
                hint="pip install 'turboupload[redis]'",
            ) from None
        self._shown = without_passwords(url)
        self._account = account
        self._where = where
        # It takes names of hosts and options as they come: what is wrong with one is found late.
        self._errors = (redis.RedisError, OSError, ValueError, TypeError)
        try:
            # Its types don't know of `value_from_callable`.
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
            )
        except (ValueError, TypeError):
            # Its message may have the URL, and so the password.
            raise ConfigError(
                f"the quota share {self._shown} is not the URL of a Redis server",
                hint="it looks like redis://HOST:6379/0",
            ) from None

    def __str__(self) -> str:
        return self._shown

    def take(self, operation: str, step: Step) -> float:
        """See `QuotaShare`.

        Raises:
            ShareFailed: The server can't be used now.
        """
        key = PREFIX + share_key(self._account, self._where, operation).hex()

        def change(pipe: Any) -> float:
            kept = pipe.get(key)  # at once: after WATCH, and before MULTI
            seconds, microseconds = pipe.time()
            left, wait = step(_read(kept), seconds + microseconds / 1e6)
            pipe.multi()
            pipe.set(key, _written(left), ex=KEPT_S)
            return wait

        try:
            wait: float = self._client.transaction(change, key, value_from_callable=True)
        except self._errors as error:
            why = without_passwords(str(error))
            raise ShareFailed(
                f"{self._shown}: {why.rstrip('.') or type(error).__name__}"
            ) from error
        return wait

    def close(self) -> None:
        """See `QuotaShare`."""
        self._client.close()


def _read(kept: bytes | None) -> Turns | None:
    """The turns; None where there are none, or something that isn't ours."""
    try:
        at, ahead, share, cut_at = map(float, json.loads(kept or b"null"))
        return Turns(at=at, ahead_s=ahead, share=share, cut_at=cut_at)
    except (ValueError, TypeError, OverflowError):
        return None


def _written(turns: Turns) -> str:
    return json.dumps([turns.at, turns.ahead_s, turns.share, turns.cut_at])
