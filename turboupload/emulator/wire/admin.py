"""`/_emulator/…`: controls world, faults and counts for tests; unsigned, from this machine only."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from turboupload.emulator.errors import ServiceError
from turboupload.emulator.wire.connection import Body
from turboupload.emulator.wire.faults import BadRule, Faults
from turboupload.emulator.wire.stats import Exchange, Stats
from turboupload.emulator.world import BadWorld, Worlds

__all__ = ["PREFIX", "Admin"]

PREFIX = "/_emulator/"
MAX_BODY_BYTES = 1024 * 1024


class Admin:
    """The control routes.

    | route | does |
    |---|---|
    | GET /_emulator/stats | what was received since the start or the last reset |
    | POST /_emulator/stats/reset | count from zero |
    | GET /_emulator/faults | the rules, with how often each fired and may still fire |
    | POST /_emulator/faults | replace the rules |
    | DELETE /_emulator/faults | drop all rules |
    | GET /_emulator/world | how the service behaves: every member of `World` |
    | POST /_emulator/world | change the named members, at once |
    | DELETE /_emulator/world | back to the world at the start |

    The body of POST /_emulator/faults is one rule, a list of them, or {"rules": [...]}. With
    {"rules": [...], "mode": "append"} they are appended to the present ones.

    Arguments:
        faults: The rules in force.
        stats: The counts.
        worlds: The world in force.
        on_world: Called when the world has changed.
    """

    def __init__(
        self, faults: Faults, stats: Stats, worlds: Worlds, on_world: Callable[[], None]
    ) -> None:
        self._faults = faults
        self._stats = stats
        self._worlds = worlds
        self._on_world = on_world

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one control request."""
        try:
            _require_loopback(request)
            body = await Body(request, Exchange("admin")).whole(MAX_BODY_BYTES)
            route = (request.method, request.raw_path.removeprefix(PREFIX))
            answer = self._routes().get(route)
            if answer is None:
                return _json({"message": f"no such control route: {route[0]} {route[1]}"}, 404)
            await self._stats.drained()
            return _json(answer(body), 200)
        except (BadRule, ValueError) as error:
            return _json({"message": str(error)}, 400)
        except ServiceError as error:
            return _json({"message": error.message}, error.status)

    def _routes(self) -> dict[tuple[str, str], Callable[[bytes], dict[str, Any]]]:
        return {
            ("GET", "stats"): lambda _: self._stats.as_json(),
            ("POST", "stats/reset"): self._reset,
            ("GET", "faults"): lambda _: self._faults.as_json(),
            ("POST", "faults"): self._set_faults,
            ("DELETE", "faults"): self._clear,
            ("GET", "world"): lambda _: self._worlds.current.as_json(),
            ("POST", "world"): self._change_world,
            ("DELETE", "world"): self._reset_world,
        }

    def _change_world(self, body: bytes) -> dict[str, Any]:
        members = json.loads(body)
        if not isinstance(members, dict):
            raise BadWorld(f"a world is a JSON object, not {members!r}")
        self._worlds.change(members)
        self._on_world()
        return self._worlds.current.as_json()

    def _reset_world(self, _: bytes) -> dict[str, Any]:
        self._worlds.reset()
        self._on_world()
        return self._worlds.current.as_json()

    def _reset(self, _: bytes) -> dict[str, Any]:
        self._stats.reset()
        return {}

    def _clear(self, _: bytes) -> dict[str, Any]:
        self._faults.clear()
        return self._faults.as_json()

    def _set_faults(self, body: bytes) -> dict[str, Any]:
        given = json.loads(body)
        mode = "replace"
        if isinstance(given, dict) and "rules" in given:
            mode = given.get("mode", mode)
            given = given["rules"]
        rules = given if isinstance(given, list) else [given]
        if mode not in ("replace", "append"):
            raise BadRule(f"mode is replace or append, not {mode!r}")
        self._faults.add(rules, replace=mode == "replace")
        return self._faults.as_json()


def _require_loopback(request: web.BaseRequest) -> None:
    peer = request.remote or ""
    try:
        loopback = ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ServiceError("AccessDeniedException", "control routes are for this machine only")


def _json(value: object, status: int) -> web.Response:
    return web.Response(
        body=json.dumps(value).encode(), status=status, content_type="application/json"
    )
