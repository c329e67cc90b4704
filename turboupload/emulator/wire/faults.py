"""Fault injection: makes requests fail on demand.

A rule is a JSON object:

```json
{"operation": "UploadReadSetPart", "partNumber": 3, "partSource": "SOURCE1",
 "after": 0, "times": 1, "probability": 1.0, "seed": 0,
 "action": {"type": "error", "code": "ThrottlingException"}}
```

| member | meaning | default |
|---|---|---|
| operation | the operation to match | any |
| partNumber, partSource | the part to match | any |
| after | let this many matching requests pass first | 0 |
| times | the most times to fire; null for no limit | 1 |
| probability | fire on this share of the matching requests, decided by `seed` | 1 |
| action | one of those below | required |

For each request the first rule that fires wins; matching rules before it count the request.

| action | members | what happens |
|---|---|---|
| error | code, status?, message?, afterBytes? | the service's error |
| error | status, body?, contentType?, truncateTo?, afterBytes? | this raw reply instead |
| drop | afterBytes?, reset? | the connection ends; nothing is applied |
| stall | seconds, afterBytes? | nothing is read for that long, then the request continues |
| delay | seconds | the reply comes that much later |
| lose_reply | reset? | applied, and the connection ends instead of a reply |
| corrupt | | a part is stored with one bit flipped, under the checksum of the stored bytes |
| cut | bytes, claim? | only the first `bytes` of a part are stored |

The checksum of a `cut` part is, by `claim`, that of what was `stored` (default) or `sent`.

Raw bytes may have any status from 200 on: a proxy's page comes with 200, too.

An action with `afterBytes` (default 0: at once) happens after that many bytes of the request's
body, or before the reply if the body is shorter. With `truncateTo` the connection ends after that
many bytes of the announced body. `reset` (default true) ends it by RST, else by FIN.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turboupload.emulator.errors import STATUS_OF
from turboupload.emulator.operations.service import OPERATIONS
from turboupload.emulator.storage.blobs import Tampering
from turboupload.emulator.wire.stats import PartPlace

__all__ = ["Action", "BadRule", "Faults"]

_RULE_MEMBERS = {
    "operation", "partNumber", "partSource", "after", "times", "probability", "seed", "action",
}  # fmt: skip
_ACTION_MEMBERS: Mapping[str, frozenset[str]] = {
    "error": frozenset(
        {"code", "status", "message", "body", "contentType", "truncateTo", "afterBytes"}
    ),
    "drop": frozenset({"afterBytes", "reset"}),
    "stall": frozenset({"seconds", "afterBytes"}),
    "delay": frozenset({"seconds"}),
    "lose_reply": frozenset({"reset"}),
    "corrupt": frozenset(),
    "cut": frozenset({"bytes", "claim"}),
}


class BadRule(ValueError):
    """An invalid fault rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """A fault's action; see the module's table.

    Attributes:
        type: The action's name.
        code: The error's name, or None for a raw reply.
        status: The HTTP status of an error.
        message: The error's sentence.
        body: The raw reply's body.
        content_type: The raw reply's Content-Type.
        truncate_to: How many bytes of the raw reply are sent; None for all.
        after_bytes: How many bytes of the request's body are read before it happens.
        seconds: How long a stall or delay lasts.
        reset: Whether a connection ends by RST.
        tampering: How a part's bytes are changed; None if they are stored unchanged.
    """

    type: str
    code: str | None = None
    status: int = 500
    message: str = "injected fault"
    body: str = ""
    content_type: str = "text/html"
    truncate_to: int | None = None
    after_bytes: int = 0
    seconds: float = 0.0
    reset: bool = True
    tampering: Tampering | None = None


@dataclass(slots=True)
class _Rule:
    source: Mapping[str, Any]
    action: Action
    operation: str | None
    part_number: int | None
    part_source: str | None
    after: int
    times: int | None
    probability: float
    dice: random.Random
    matched: int = 0
    fired: int = 0

    def matches(self, operation: str, part: PartPlace | None) -> bool:
        if self.operation is not None and self.operation != operation:
            return False
        if self.part_number is not None and (part is None or part[2] != self.part_number):
            return False
        return self.part_source is None or (part is not None and part[1] == self.part_source)

    def fires(self) -> bool:
        if self.times is not None and self.fired >= self.times:
            return False
        self.matched += 1
        if self.matched <= self.after or self.dice.random() >= self.probability:
            return False
        self.fired += 1
        return True


@dataclass(slots=True)
class Faults:
    """The rules in force. Only the event loop's thread uses them."""

    _rules: list[_Rule] = field(default_factory=list)

    def add(self, rules: Sequence[Mapping[str, Any]], *, replace: bool = False) -> None:
        """Append rules to the present ones, or replace these.

        Raises:
            BadRule: A rule is invalid; then nothing has changed.
        """
        parsed = [_parse(rule) for rule in rules]
        self._rules = parsed if replace else [*self._rules, *parsed]

    def clear(self) -> None:
        """Drop all rules."""
        self._rules = []

    def draw(self, operation: str, part: PartPlace | None) -> Action | None:
        """The action for this request; None if no rule fires."""
        for rule in self._rules:
            if rule.matches(operation, part) and rule.fires():
                return rule.action
        return None

    def as_json(self) -> dict[str, Any]:
        """The rules, each with how often it matched, fired, and may still fire (null: for ever)."""
        return {
            "rules": [
                {
                    **rule.source,
                    "matched": rule.matched,
                    "fired": rule.fired,
                    "remaining": None if rule.times is None else rule.times - rule.fired,
                }
                for rule in self._rules
            ]
        }


def _parse(rule: Mapping[str, Any]) -> _Rule:
    if not isinstance(rule, Mapping):
        raise BadRule(f"a fault rule is a JSON object, not {rule!r}")
    _refuse_unknown(rule, _RULE_MEMBERS, "a fault rule")
    operation = rule.get("operation")
    if operation is not None and operation not in OPERATIONS:
        raise BadRule(f"no such operation: {operation!r}")
    if rule.get("partSource") not in (None, "SOURCE1", "SOURCE2"):
        raise BadRule(f"partSource is SOURCE1 or SOURCE2, not {rule['partSource']!r}")
    probability = _number(rule, "probability", 1.0)
    if probability > 1:
        raise BadRule("probability is at most 1")
    return _Rule(
        source=dict(rule),
        action=_parse_action(rule.get("action")),
        operation=operation,
        part_number=_whole(rule, "partNumber", None),
        part_source=rule.get("partSource"),
        after=_whole(rule, "after", 0) or 0,
        times=_whole(rule, "times", 1),
        probability=probability,
        dice=random.Random(rule.get("seed", 0)),  # noqa: S311 - a repeatable storm, not a secret
    )


def _parse_action(action: object) -> Action:
    if not isinstance(action, Mapping) or action.get("type") not in _ACTION_MEMBERS:
        raise BadRule(f"action.type is one of {', '.join(sorted(_ACTION_MEMBERS))}")
    kind = action["type"]
    _refuse_unknown(action, _ACTION_MEMBERS[kind] | {"type"}, f"action {kind}")
    code = action.get("code")
    if kind == "error" and code is None and "status" not in action:
        raise BadRule("action error needs a code or a status")
    if code is not None and not isinstance(code, str):
        raise BadRule(f"code is a string, not {code!r}")
    if kind in ("stall", "delay") and "seconds" not in action:
        raise BadRule(f"action {kind} needs seconds")
    status = _whole(action, "status", STATUS_OF.get(code or "", 500))
    lowest = 200 if code is None and "body" in action else 400
    if status is None or not lowest <= status <= 599:
        raise BadRule("status is 400 to 599, or from 200 on with a body and no code")
    return Action(
        type=kind,
        code=code,
        status=status,
        message=_text(action, "message", "injected fault"),
        body=_text(action, "body", ""),
        content_type=_text(action, "contentType", "text/html"),
        truncate_to=_whole(action, "truncateTo", None),
        after_bytes=_whole(action, "afterBytes", 0) or 0,
        seconds=_number(action, "seconds", 0.0),
        reset=action.get("reset", True) is True,
        tampering=_tampering(action),
    )


def _tampering(action: Mapping[str, Any]) -> Tampering | None:
    if action["type"] == "corrupt":
        return Tampering(flip_first_bit=True)
    if action["type"] != "cut":
        return None
    kept = _whole(action, "bytes", None)
    if not kept:
        raise BadRule("action cut needs bytes, of which at least 1 is kept")
    if action.get("claim") not in (None, "stored", "sent"):
        raise BadRule(f"claim is stored or sent, not {action['claim']!r}")
    return Tampering(keep_bytes=kept, claim_whole=action.get("claim") == "sent")


def _refuse_unknown(value: Mapping[str, Any], known: frozenset[str] | set[str], where: str) -> None:
    unknown = sorted(set(value) - known)
    if unknown:
        raise BadRule(f"{where} has no {', '.join(unknown)}")


def _whole(value: Mapping[str, Any], name: str, default: int | None) -> int | None:
    number = value.get(name, default)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise BadRule(f"{name} is a whole number, not {number!r}")
    return number


def _number(value: Mapping[str, Any], name: str, default: float) -> float:
    number = value.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e9:
        raise BadRule(f"{name} is a number of at least 0, not {number!r}")
    return float(number)


def _text(value: Mapping[str, Any], name: str, default: str) -> str:
    text = value.get(name, default)
    if not isinstance(text, str):
        raise BadRule(f"{name} is a string, not {text!r}")
    return text
