"""Client tokens, which make a repeated request idempotent."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from turboupload.emulator.errors import ServiceError, conflict
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = ["forget_token", "made_before", "take_token"]


def take_token(state: State, params: Params) -> str | None:
    """Takes the client token out of a request; None if it has none, or the service ignores it."""
    token: str | None = params.pop("clientToken", None)
    return None if state.world.client_tokens == "ignored" else token


def made_before(
    state: State,
    rows: sqlite3.Connection,
    table: str,
    token: str | None,
    is_same: Callable[[sqlite3.Row], bool],
) -> sqlite3.Row | None:
    """The row that an earlier request with this token made, if the token is still valid.

    Arguments:
        state: The data.
        rows: The transaction.
        table: The table of such rows.
        token: As from `take_token`.
        is_same: Whether a row was made with the parameters of this request.

    Raises:
        ServiceError: The token was used with other parameters, or was used and any repetition is a
            conflict.
    """
    world = state.world
    row: sqlite3.Row | None = rows.execute(
        f"SELECT * FROM {table} WHERE client_token = ?",  # noqa: S608 - our own table names
        (token,),
    ).fetchone()
    if row is None:
        return None
    lives = world.client_tokens_live_s
    if lives is not None and row["created"] + lives <= state.clock():
        forget_token(rows, table, row)
        return None
    if world.client_tokens == "conflict":
        raise conflict("The clientToken was used before")
    if not is_same(row):
        raise ServiceError(
            "ValidationException", "The clientToken was used before with other parameters"
        )
    return row


def forget_token(rows: sqlite3.Connection, table: str, row: sqlite3.Row) -> None:
    """Free the token of a row for another use."""
    rows.execute(f"UPDATE {table} SET client_token = NULL WHERE id = ?", (row["id"],))  # noqa: S608 - our own table names
