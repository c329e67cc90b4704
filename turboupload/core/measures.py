"""What is measured of uploads and batches: every exporter has these figures, under these names.

Labels have few values, whatever a service answers, and none is taken from the user's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from turboupload.core.batch import BatchProgress
from turboupload.core.notices import Calling, Finished, Notice, Progress, Retrying
from turboupload.core.rate.meter import Limiter
from turboupload.core.rows import UNFINISHED, RowStatus
from turboupload.core.upload.events import Completed, PartSeen
from turboupload.errors import TurbouploadError

__all__ = ["MEASURES", "Kind", "Measure", "Measuring", "Sample", "Vocabulary", "outcome_of"]

Kind = Literal["upload", "batch", "calls"]
"""What is followed: one read set's upload, a batch of them, or other calls of the API."""

SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""The upper bounds of the histograms, in seconds: a call takes milliseconds, an upload may take
hours."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that is exported.

    Attributes:
        name: With dots; Prometheus has underscores there, and `turboupload_` before it, too.
        kind: `counter` only grows; `level` goes up and down, by differences; of `gauge` the last
            value holds; `histogram` counts values.
        unit: As UCUM has it: `s`, `By` for bytes, or what is counted in braces.
        help: A sentence.
        labels: Their names.
    """

    name: str
    kind: Literal["counter", "level", "gauge", "histogram"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """A value of a measure.

    Attributes:
        measure: The measure.
        value: To be added, set or counted, as its kind says.
        labels: Their values, in the order of their names.
    """

    measure: Measure
    value: float
    labels: tuple[str, ...] = ()


UNDER_WAY: Final = Measure(
    "turboupload.uploads.active", "level", "{upload}", "Uploads under way in this process."
)
ENDED: Final = Measure(
    "turboupload.uploads", "counter", "{upload}", "Uploads that ended, by how.", ("outcome",)
)
DURATION: Final = Measure(
    "turboupload.upload.duration",
    "histogram",
    "s",
    "From an upload's start to its end, by how it ended.",
    ("outcome",),
)
SENT: Final = Measure(
    "turboupload.sent",
    "counter",
    "By",
    "Bytes of files handed to the network, resends included.",
)
PARTS: Final = Measure(
    "turboupload.parts",
    "counter",
    "{part}",
    "Parts that are known to have arrived: sent by this run, known from the journal, or checked.",
    ("origin",),
)
IN_FLIGHT: Final = Measure(
    "turboupload.parts.in_flight", "level", "{part}", "Parts being sent at this moment."
)
WINDOW: Final = Measure("turboupload.window", "gauge", "{part}", "How many parts may be in flight.")
LIMITED: Final = Measure(
    "turboupload.uploads.limited",
    "level",
    "{upload}",
    "Uploads whose rate is limited by this at the moment.",
    ("limited_by",),
)
CALL: Final = Measure(
    "turboupload.call.duration",
    "histogram",
    "s",
    "How long calls took, each attempt for itself, without the wait for the quota.",
    ("operation", "outcome"),
)
RETRIES: Final = Measure(
    "turboupload.retries",
    "counter",
    "{call}",
    "Calls that failed and were made again.",
    ("operation", "reason"),
)
ROWS: Final = Measure(
    "turboupload.batch.rows", "level", "{row}", "Rows of batches under way, by status.", ("status",)
)

MEASURES: Final = (
    UNDER_WAY, ENDED, DURATION, SENT, PARTS, IN_FLIGHT, WINDOW, LIMITED, CALL, RETRIES, ROWS,
)  # fmt: skip

_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
OTHER: Final = "other"


class Vocabulary:
    """The words that the service may bring into labels: few, short and plain.

    Args:
        most: So many different ones are kept; those that come later are `other`.
    """

    def __init__(self, most: int = 40) -> None:
        self._most = most
        self._known: set[str] = set()

    def word(self, text: str) -> str:
        """The text, or `other`."""
        if text in self._known:
            return text
        if len(self._known) >= self._most or not _WORD.fullmatch(text):
            return OTHER
        self._known.add(text)
        return text


def outcome_of(error: BaseException | None) -> str:
    """The kind of an error, as one of a few words."""
    if error is None:
        return "stopped"
    if isinstance(error, TurbouploadError):
        return error.outcome
    return "error" if isinstance(error, Exception) else "interrupted"


def _outcome_of_rows(counts: Mapping[RowStatus, int]) -> str:
    if counts.get("failed") or counts.get("rejected"):
        return "some_failed"
    if any(counts.get(status) for status in UNFINISHED - {"processing"}):
        return "stopped"
    return "processing" if counts.get("processing") else "active"


class Measuring:
    """Turns the notices of one upload, batch or other user of the API into samples.

    Args:
        kind: What is followed.
        words: Shared by all that are followed in a process.
    """

    def __init__(self, kind: Kind, words: Vocabulary) -> None:
        self._kind = kind
        self._words = words
        self._outcome: str | None = None
        self._sent = 0
        self._in_flight = 0
        self._limited: Limiter | None = None
        self._rows: dict[RowStatus, int] = {}

    def began(self) -> Iterator[Sample]:
        """At its begin."""
        if self._kind == "upload":
            yield Sample(UNDER_WAY, 1)

    def hear(self, notice: Notice | BatchProgress) -> Iterator[Sample]:
        """For a notice."""
        match notice:
            case Calling():
                outcome = self._words.word(notice.outcome)
                yield Sample(CALL, notice.seconds, (notice.operation, outcome))
            case Retrying():
                reason = self._words.word(notice.reason)
                yield Sample(RETRIES, 1, (notice.operation, reason))
            case Progress():
                yield from self._progressed(notice)
            case BatchProgress():
                self._outcome = _outcome_of_rows(notice.counts)
                yield from self._counted(dict(notice.counts))
            case PartSeen():
                yield Sample(PARTS, 1, (notice.origin,))
            case Completed():
                self._outcome = "processing"
                yield from self._under_way(0, None)
            case Finished(result):
                self._outcome = result.outcome

    def ended(self, error: BaseException | None, seconds: float) -> Iterator[Sample]:
        """At its end.

        Args:
            error: What ended it.
            seconds: How long it took.
        """
        yield from self._under_way(0, None)
        yield from self._counted({})
        if self._kind == "upload":
            outcome = self.outcome(error)
            yield Sample(UNDER_WAY, -1)
            yield Sample(ENDED, 1, (outcome,))
            yield Sample(DURATION, seconds, (outcome,))

    def outcome(self, error: BaseException | None) -> str:
        """How it ended: the state of the read set or of a batch's rows, or the error's word."""
        if error is not None or self._outcome is None:
            return outcome_of(error)
        return self._outcome

    def _progressed(self, progress: Progress) -> Iterator[Sample]:
        if (more := progress.bytes_sent - self._sent) > 0:
            self._sent = progress.bytes_sent
            yield Sample(SENT, more)
        yield Sample(WINDOW, progress.window)
        yield from self._under_way(progress.in_flight, progress.limited_by)

    def _under_way(self, in_flight: int, limited: Limiter | None) -> Iterator[Sample]:
        if difference := in_flight - self._in_flight:
            self._in_flight = in_flight
            yield Sample(IN_FLIGHT, difference)
        if limited != self._limited:
            if self._limited is not None:
                yield Sample(LIMITED, -1, (self._limited,))
            if limited is not None:
                yield Sample(LIMITED, 1, (limited,))
            self._limited = limited

    def _counted(self, counts: dict[RowStatus, int]) -> Iterator[Sample]:
        if not counts and not self._rows:
            return
        for status in get_args(RowStatus):
            if difference := counts.get(status, 0) - self._rows.get(status, 0):
                yield Sample(ROWS, difference, (status,))
        self._rows = counts
