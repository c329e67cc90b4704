"""The coordinator's credentials on their way to the workers, and again before they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from turboupload.clock import Clock
from turboupload.cluster.connection import Connection, words
from turboupload.cluster.membership import Member
from turboupload.cluster.messages import packed
from turboupload.cluster.sealing import SealedBox
from turboupload.cluster.worker import forget, renew
from turboupload.core.notices import Notice, Remark
from turboupload.errors import ConfigError, LinkFailed
from turboupload.omics.base import Access
from turboupload.omics.temporary_credentials import TemporaryCredentials
from turboupload.telemetry import log_notice

__all__ = ["Handover"]

LOOK_S: Final = 5.0
"""The pause between two looks whether there are other credentials now, in seconds."""

RENEW_S: Final = 5.0
"""How long a worker may take to hear of them, in seconds."""


class Handover:
    """Hands credentials over to the workers that a batch uses.

    They are sealed for each worker (`sealing`), and are in no task. Only those that end by
    themselves are handed over: a worker that is lost keeps what it has.

    Args:
        access: Gives them.
        connection: To the workers.
        topic: Of the batch.
        clock: The time.
        tell: Hears where they can't be renewed.
    """

    def __init__(
        self,
        access: Access,
        connection: Connection,
        topic: str,
        clock: Clock,
        tell: Callable[[Notice], None],
    ) -> None:
        self._access = access
        self._connection = connection
        self._topic = topic
        self._clock = clock
        self._tell = tell
        self._told_trouble = False
        self._looked_at = clock.now()

    async def now(self) -> TemporaryCredentials:
        """What a worker gets now.

        Raises:
            ConfigError: There is nothing that may be handed over.
        """
        try:
            found = await self._access.temporary_credentials()
        except LinkFailed as failure:
            raise ConfigError(failure.message, hint=failure.hint) from failure
        if found is None:
            raise ConfigError(
                "the credentials here don't end by themselves, and such are not handed over",
                hint="use a role, `aws sso login` or `aws sts get-session-token` on this machine, "
                "or give the workers credentials of their own",
            )
        return found

    async def keep_current(self, members: Iterable[Member]) -> None:
        """Hands over what is new since a worker was told; called every now and then."""
        if self._clock.now() - self._looked_at < LOOK_S:
            return
        self._looked_at = self._clock.now()
        try:
            found = await self.now()
        except ConfigError as error:
            if not self._told_trouble:
                self._told_trouble = True
                text = f"the workers' credentials can't be renewed: {error}"
                self._tell(Remark("credentials-unrenewed", text))
            return
        self._told_trouble = False
        for member in members:
            if member.credentials != found:
                box = SealedBox.of(packed(found), member.key)
                try:
                    async with asyncio.timeout(RENEW_S):
                        await self._connection.run(member.worker.address, renew, self._topic, box)
                    member.credentials = found
                except Exception as error:  # it is told again, or found gone
                    text = f"{member.worker.name}: {words(error)}"
                    log_notice(Remark("worker-unrenewed", text))

    async def end(self, members: Iterable[Member]) -> None:
        """Has the workers forget them, as far as they can be reached."""
        for member in members:
            with suppress(Exception):  # it is gone, or they end by themselves
                await self._connection.run(member.worker.address, forget, self._topic)
