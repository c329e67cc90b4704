"""One attempt at a call over a live client, with foreign exceptions mapped to the boundary's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from turboupload.errors import LinkFailed, TurbouploadError
from turboupload.omics.attempt import ATTEMPT, Attempt
from turboupload.omics.error_mapping import failure_of
from turboupload.omics.replies import text_or_none
from turboupload.omics.service_time import ServiceTime

if TYPE_CHECKING:
    from turboupload.omics.catalogue import Paging

__all__ = ["Calls", "present", "required"]


class Calls:
    """Carries calls out.

    Args:
        client: aiobotocore's client.
        timeout_s: How long a call may take in all, whatever it hangs in, in seconds. A part's may
            take as long as its bytes move: the part transport sees to that.

    Attributes:
        time: The service's clock, as the replies tell it.
    """

    def __init__(self, client: Any, *, timeout_s: float) -> None:
        self.client = client
        self.time = ServiceTime()
        self._timeout_s = timeout_s

    async def page(
        self,
        operation: str,
        method: Callable[..., Any],
        member: str,
        page: Paging,
        **arguments: Any,
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """One page of a listing: its rows as parsed, and the next page's token.

        Args:
            operation: The API's name for it.
            method: The client's method.
            member: Where in the reply the rows are.
            page: Which page.
            arguments: Of the call.

        Raises:
            CallFailed: The service answered with an error.
            LinkFailed: No usable answer came.
        """
        token, rows_at_most = page
        if token:
            arguments["nextToken"] = token
        reply = await self.call(operation, method, maxResults=rows_at_most, **arguments)
        if not isinstance(reply.get(member, ""), list | None):
            # A proxy's page with status 200 must not pass for an empty listing.
            raise LinkFailed(operation, fault="bad_reply", message=f"the reply has no {member}")
        rows = [row for row in reply.get(member) or [] if isinstance(row, Mapping)]
        return rows, text_or_none(reply.get("nextToken"))

    async def call(
        self,
        operation: str,
        method: Callable[..., Any],
        *,
        attempt: Attempt | None = None,
        **arguments: Any,
    ) -> Mapping[str, Any]:
        """Makes one attempt, and maps what foreign code raises.

        Args:
            operation: The API's name for it.
            method: The client's method.
            attempt: A part's, with its body.
            arguments: Of the call.

        Raises:
            CallFailed: The service answered with an error.
            LinkFailed: No usable answer came.
        """
        attempt = attempt or Attempt()
        limit_s = None if attempt.payload else self._timeout_s
        began = ATTEMPT.set(attempt)
        try:
            async with asyncio.timeout(limit_s) as limit:
                reply: Mapping[str, Any] = await method(**arguments)
        except TurbouploadError:
            raise
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                message = f"the call was not over within {limit_s:g} s"
                raise LinkFailed(operation, fault="stalled", message=message) from error
            raise failure_of(operation, error, attempt) from error
        finally:
            ATTEMPT.reset(began)
        self.time.hear(reply)
        return reply


def present(**arguments: Any) -> dict[str, Any]:
    """The arguments that are not None: botocore sends no others."""
    return {name: value for name, value in arguments.items() if value is not None}


def required(operation: str, reply: Mapping[str, Any], member: str) -> str:
    """A text of a reply.

    Raises:
        LinkFailed: There is none, so it can't be the service's reply.
    """
    value = text_or_none(reply.get(member))
    if value is None:
        raise LinkFailed(operation, fault="bad_reply", message=f"the reply has no {member}")
    return value
