"""Method and raw path -> operation, from the URI templates of the model.

The host is ignored: the prefixes of the real hosts (`storage-`, `control-storage-`, `tags-`) add
nothing to the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from turboupload.emulator.errors import ServiceError
from turboupload.emulator.model import operation_model
from turboupload.emulator.operations.service import OPERATIONS

__all__ = ["Route", "find_route"]


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a request.

    Attributes:
        operation: The operation's name.
        labels: The members in the path, percent-decoded but unchecked.
    """

    operation: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Template:
    operation: str
    method: str
    pattern: re.Pattern[str]


@cache
def _templates() -> tuple[_Template, ...]:
    templates = []
    for name in OPERATIONS:
        http = operation_model(name).http
        path = http["requestUri"].partition("?")[0]
        pieces = re.split(r"\{(\w+)\}", path)
        # Odd pieces are labels. A label is one raw segment, which may hold an encoded slash.
        pattern = "".join(
            f"(?P<{piece}>[^/]*)" if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )
        templates.append(_Template(name, http["method"], re.compile(pattern)))
    # Most literal first, so that `readset/batch/delete` doesn't match as a label.
    return tuple(sorted(templates, key=lambda each: each.pattern.groups))


def find_route(method: str, raw_path: str) -> Route:
    """The operation of `method` and the raw path of the request line.

    Raises:
        ServiceError: UnknownOperationException if there is none.
    """
    for template in _templates():
        if template.method != method:
            continue
        match = template.pattern.fullmatch(raw_path)
        if match is not None:
            labels = {name: unquote(value) for name, value in match.groupdict().items()}
            return Route(template.operation, labels)
    raise ServiceError("UnknownOperationException", f"no operation at {method} {raw_path[:200]}")
