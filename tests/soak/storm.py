"""A random storm: uploads whose client and service die at random moments until they are done.

Everything random of a round comes from the seed and the round's number, so that a round can be
played again; the moments themselves are the machine's.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.soak.site import Site, Subject
from tests.support.launcher import Ending, Launched
from tests.support.samples import fastq, fastq_pair

__all__ = ["Report", "Round", "Storm"]

LONGEST_LIFE_S = 1.2
"""Until the next death, at most: an upload takes between a fifth of this and the triple."""

STOPPED = 5

Victim = Literal["client", "service", "both"]


@dataclass
class Round:
    """How a round went.

    Attributes:
        number: Of the round.
        deaths: Who was killed, and how often.
        journals_lost: How often the state folder was deleted.
        stops: How often the command ended with exit 5, and was run again.
        faults: Faults that fired, by kind.
        part_faults: Those that met a part.
        sent_twice: Bytes received beyond the files' own.
        most_in_flight: The bytes that may be under way at one moment.
        seconds: From begin to end.
        error: What was wrong; empty where nothing was.
    """

    number: int
    deaths: Counter[str] = field(default_factory=Counter)
    journals_lost: int = 0
    stops: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    part_faults: int = 0
    sent_twice: int = 0
    most_in_flight: int = 0
    seconds: float = 0.0
    error: str = ""

    def describe(self) -> str:
        deaths = ", ".join(f"{who} {times}" for who, times in sorted(self.deaths.items()))
        return (
            f"round {self.number}: {self.seconds:.1f} s; killed: {deaths or 'nobody'}; journal "
            f"lost {self.journals_lost}; faults {self.faults.total()}; sent twice "
            f"{self.sent_twice:,} bytes{'; FAILED: ' + self.error if self.error else ''}"
        )


@dataclass
class Report:
    """What a storm did, over all its rounds."""

    seed: str
    rounds: list[Round] = field(default_factory=list)

    @property
    def failed(self) -> list[Round]:
        return [each for each in self.rounds if each.error]

    def describe(self) -> Iterator[str]:
        """Line by line, for people."""
        deaths = sum((each.deaths for each in self.rounds), Counter[str]())
        faults = sum((each.faults for each in self.rounds), Counter[str]())
        worst = max((each.sent_twice for each in self.rounds), default=0)
        yield f"seed {self.seed}, {len(self.rounds)} rounds, {len(self.failed)} failed"
        yield f"kills survived: {deaths.total()} ({_counts(deaths)})"
        yield f"journals lost: {sum(each.journals_lost for each in self.rounds)}"
        yield f"stopped with exit 5 and resumed: {sum(each.stops for each in self.rounds)}"
        yield f"faults injected: {faults.total()} ({_counts(faults)})"
        yield f"sent twice at the worst: {worst:,} bytes in one round"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"


class Storm:
    """Rounds on a site of their own.

    Args:
        site: Where; its emulator is killed now and then.
        seed: Of everything random.
        faults: Whether the service misbehaves as well.
        most_deaths: After so many in a round the rest is left alone, so that a round has an end.
    """

    def __init__(self, site: Site, seed: str, *, faults: bool = True, most_deaths: int = 6) -> None:
        self._site = site
        self._seed = seed
        self._faults = faults
        self._most_deaths = most_deaths

    def play(self, number: int) -> Round:
        """Plays one round to its end."""
        rng = random.Random(f"{self._seed}/{number}")
        round_ = Round(number)
        began = time.monotonic()
        try:
            play = _Play(
                self._site, rng, round_, faults=self._faults, most_deaths=self._most_deaths
            )
            play.to_the_end()
        except (AssertionError, TimeoutError) as error:
            round_.error = " ".join(str(error).split())
        round_.seconds = time.monotonic() - began
        self._site.emulator.clear_faults()
        return round_


class _Play:
    def __init__(
        self,
        site: Site,
        rng: random.Random,
        round_: Round,
        *,
        faults: bool,
        most_deaths: int,
    ) -> None:
        self._site = site
        self._rng = rng
        self._round = round_
        self._faults = faults
        self._most_deaths = most_deaths
        self._subject = _subject(site.folder / f"round{round_.number}", rng, round_.number)
        self._received = 0
        self._upload_ids: set[str] = set()

    def to_the_end(self) -> None:
        subject = self._subject
        self._round.most_in_flight = subject.concurrency * subject.part_size
        self._misbehave()
        run = self._start()
        while True:
            ending = self._live(run)
            if ending is None:
                run = self._strike(run)
            elif ending.code == STOPPED and self._round.stops < self._most_deaths:
                self._round.stops += 1
                self._note(run)
                run = self._start()
            else:
                break
        self._note(run)
        self._count(dying=False)
        self._site.emulator.clear_faults()
        self._site.verify(subject, ending)
        self._judge_traffic()

    def _start(self) -> Launched:
        arguments = self._subject.arguments(self._site.emulator.store_id)
        return self._site.launcher.start(*arguments, state=self._subject.state)

    def _live(self, run: Launched) -> Ending | None:
        """Waits for the end, or for the moment of the next death; then None."""
        if self._round.deaths.total() >= self._most_deaths:
            return run.wait(patience_s=120.0)
        return run.wait_at_most(self._rng.uniform(0.02, LONGEST_LIFE_S))

    def _strike(self, run: Launched) -> Launched:
        victim: Victim = self._rng.choices(("client", "service", "both"), (76, 14, 10))[0]
        self._round.deaths[victim] += 1
        self._note(run)
        if victim != "service":
            run.kill()
        if victim != "client":
            self._count(dying=True)
            self._site.emulator.kill()
            self._site.emulator.restart()
            self._misbehave()
        if victim == "service":
            return run
        if self._rng.random() < 0.25:
            self._round.journals_lost += 1
            self._subject.forget()
        return self._start()

    def _note(self, run: Launched) -> None:
        ids = (event.get("upload_id") for event in run.events)
        self._upload_ids.update(str(each) for each in ids if each)

    # --- the service's part -----------------------------------------------------------------

    def _misbehave(self) -> None:
        self._site.emulator.reset_stats()
        if self._faults:
            self._site.emulator.set_faults(list(_faults(self._rng)))

    def _count(self, *, dying: bool) -> None:
        """Adds up what the service counted, before it dies or is done."""
        stats = self._site.emulator.stats()
        self._received += sum(row["bodyBytes"] for row in stats["parts"])
        if dying:
            self._received += sum(
                row["bodyBytes"] for row in stats["underWay"] if row["partNumber"] is not None
            )
        for rule in self._site.emulator.faults():
            self._round.faults[_kind(rule)] += rule["fired"]
            if rule["operation"] == "UploadReadSetPart":
                self._round.part_faults += rule["fired"]

    def _judge_traffic(self) -> None:
        """At most the parts in flight are sent twice a death, and one part a fault."""
        round_, subject = self._round, self._subject
        round_.sent_twice = max(0, self._received - subject.size)
        bound = (round_.deaths.total() + round_.stops) * round_.most_in_flight
        bound += round_.part_faults * subject.part_size
        assert round_.sent_twice <= bound, f"{round_.sent_twice:,} bytes twice, not {bound:,}"


def _subject(folder: Path, rng: random.Random, number: int) -> Subject:
    folder.mkdir()
    reads = rng.randint(60, 900)
    seed = rng.randrange(1 << 30)
    if rng.random() < 0.25:
        pair = fastq_pair(folder, reads=reads, seed=seed)
        paths = tuple(sample.path for sample in pair)
    else:
        paths = (fastq(folder / "reads.fastq.gz", reads=reads, seed=seed).path,)
    part_size = rng.choice((4_000, 10_000, 30_000))
    # Half of them move slowly, so that many a death comes in mid-part.
    seconds = rng.choice((0.0, 1.0))
    workers = rng.randint(1, 6)
    return Subject(f"round {number}", paths, part_size, workers, folder / "state", seconds)


_KINDS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("429", 0.5, {"type": "error", "code": "ThrottlingException"}),
    ("500", 0.5, {"type": "error", "code": "InternalServerException"}),
)
"""The storm of errors, 15 to 30 % of all calls together."""

_RARE: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("reply lost", 0.03, {"type": "lose_reply"}),
    ("reply lost by FIN", 0.02, {"type": "lose_reply", "reset": False}),
    ("reset before", 0.02, {"type": "drop"}),
    ("reset in mid-body", 0.03, {"type": "drop", "afterBytes": 3000}),
)


def _faults(rng: random.Random) -> Iterator[dict[str, Any]]:
    share = rng.uniform(0.15, 0.30)
    for operation in (
        "UploadReadSetPart", "CreateMultipartReadSetUpload", "CompleteMultipartReadSetUpload",
        "ListReadSetUploadParts", "ListMultipartReadSetUploads", "ListReadSets",
        "GetReadSetMetadata",
    ):  # fmt: skip
        kinds = [(part * share, action) for _, part, action in _KINDS]
        kinds += [(probability, action) for _, probability, action in _RARE]
        for probability, action in kinds:
            yield {
                "operation": operation,
                "probability": probability,
                "seed": rng.randrange(1 << 30),
                "times": None,
                "action": action,
            }


def _kind(rule: dict[str, Any]) -> str:
    return next(name for name, _, action in (*_KINDS, *_RARE) if action == rule["action"])
