"""One upload under way, as the engine has it in hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from turboupload.core.model import Part, Phase
from turboupload.core.notices import Notice, Remark
from turboupload.core.rate.meter import Limiter, Meter
from turboupload.core.upload.state import Upload
from turboupload.engine.survey import Surveyor
from turboupload.omics.base import ReadSetService, UploadRef
from turboupload.state.lock import UploadLock

if TYPE_CHECKING:
    from turboupload.engine.background_hash import Follower
    from turboupload.engine.receipts import Receipts

__all__ = ["OnNotice", "Run"]

OnNotice = Callable[[Notice], None]
"""Told of everything that happens, on the event loop; what it raises stops the upload."""


@dataclass(slots=True)
class Run:
    """One upload under way: its state, and what the engine has in hand for it."""

    upload: Upload
    key: str
    service: ReadSetService = field(init=False)
    notify: OnNotice
    began: float
    meter: Meter = field(default_factory=Meter)
    sent_bytes: int = 0
    retries: int = 0
    in_flight: int = 0
    partial: dict[Part, int] = field(default_factory=dict)
    changed: anyio.Event = field(default_factory=anyio.Event)
    failure: Exception | None = None
    said: set[str] = field(default_factory=set)
    resumed: bool = False
    completed_at: float | None = None
    follows: bool = True
    surveyor: Surveyor | None = None
    surveyed: bool = False
    looks: int = 0
    last_status: str | None = None
    unshown_since: float | None = None
    create_failing_since: float | None = None
    complete_failures: int = 0
    complete_failing_since: float | None = None
    complete_refusals: int = 0
    deadline: float | None = None
    gone: bool = False
    limited: Counter[Limiter] = field(default_factory=Counter)
    locks: ExitStack = field(default_factory=ExitStack)
    held: dict[str, UploadLock] = field(default_factory=dict)
    tail: str | None = None
    follower: Follower | None = None
    receipts: Receipts | None = None

    @property
    def ref(self) -> UploadRef:
        """Where the upload is, once it is open."""
        assert self.upload.upload_id is not None
        return UploadRef(self.upload.store_id, self.upload.upload_id)

    @property
    def at_work(self) -> bool:
        """Whether the read set exists, as far as is known, and the service is working on it."""
        return self.upload.phase is Phase.PROCESSING

    def count_retry(self) -> None:
        """Takes in that a call failed and will be made again."""
        self.retries += 1

    def wake(self) -> None:
        """Whoever waits for a change looks again."""
        self.changed.set()
        self.changed = anyio.Event()

    def remark(self, code: str, text: str) -> None:
        """Says something once."""
        if code not in self.said:
            self.said.add(code)
            self.notify(Remark(code, text))
