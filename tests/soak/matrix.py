"""The crash matrix: a deed on every edge of an upload's life, and the same command again.

The edges are those that a clean run was seen to pass, so a new one is covered by itself. Parts move
one at a time, so that every run passes the same edges.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.site import Site, Subject, Traffic
from tests.support.launcher import Ending, Launched, in_time_s
from tests.support.samples import fastq

__all__ = ["Matrix", "Outcome"]

PART_SIZE = 10_000
READS = 190
"""Two parts, each read in two or three pieces."""


@dataclass
class Outcome:
    """What came of a column of the matrix.

    Attributes:
        trials: How many edges were tried.
        failures: The edges where something was lost or done twice, and what.
        sent_twice: The most bytes that any trial sent beyond the file's, in bytes.
        slowest_s: The longest that an interrupted run took to end, in seconds.
    """

    trials: int = 0
    failures: list[str] = field(default_factory=list)
    sent_twice: int = 0
    slowest_s: float = 0.0

    def add(self, edge: str, subject: Subject, traffic: Traffic, *, deeds: int) -> None:
        """Takes the traffic of a trial in: at most the part in flight is sent twice a deed."""
        self.trials += 1
        more = traffic.body_bytes - subject.size
        self.sent_twice = max(self.sent_twice, more)
        if more > deeds * PART_SIZE or traffic.stored_again > deeds:
            self.failures.append(f"{edge}: {more} bytes too many, {traffic}")


class Matrix:
    """Trials on one site.

    Args:
        site: Where.
        workers: How many trials run side by side.
    """

    def __init__(self, site: Site, *, workers: int = 2) -> None:
        self._site = site
        self._workers = workers
        self._numbers = itertools.count(1)
        self._file = fastq(site.folder / "reads.fastq.gz", reads=READS).path

    # --- the columns ------------------------------------------------------------------------

    def client_killed(self, edges: Iterable[str], *, keep_journal: bool) -> Outcome:
        """SIGKILL on each of these edges of a first run."""

        def trial(edge: str, outcome: Outcome) -> None:
            subject = self._subject()
            self._kill(subject, edge)
            self._lose(subject, keep_journal)
            self._finish(edge, subject, outcome, deeds=1)

        return self._each(edges, trial)

    def client_killed_again(self, base: str, *, keep_journal: bool) -> Outcome:
        """SIGKILL on an edge, then on each edge of the run that goes on."""
        subject = self._subject()
        self._kill(subject, base)
        self._lose(subject, keep_journal)
        run = self._start(subject)
        self._site.verify(subject, run.wait())

        def trial(edge: str, outcome: Outcome) -> None:
            subject = self._subject()
            self._kill(subject, base)
            self._lose(subject, keep_journal)
            self._kill(subject, edge)
            self._lose(subject, keep_journal)
            self._finish(edge, subject, outcome, deeds=2)

        return self._each(_certain(run.edges), trial)

    def interrupted(self, edges: Iterable[str], *, deed: str) -> Outcome:
        """Ctrl-C or SIGTERM on each of these edges of a first run."""

        def trial(edge: str, outcome: Outcome) -> None:
            subject = self._subject()
            run = self._start(subject, edge=edge, deed=deed)
            ending = run.wait()
            assert run.deed_at is not None, "the edge was not reached"
            outcome.slowest_s = max(outcome.slowest_s, ending.at - run.deed_at)
            check_interrupted(run, ending)
            self._finish(edge, subject, outcome, deeds=1)

        return self._each(edges, trial)

    def service_killed(self, edges: Iterable[str], *, client_too: bool) -> Outcome:
        """The emulator killed on each of these edges and started again; one at a time."""

        def trial(edge: str, outcome: Outcome) -> None:
            subject = self._subject()
            run = self._start(subject, edge=edge, deed="stop")
            stopped = run.wait()
            assert stopped.code is None, "the edge was not reached"
            before = self._traffic(run.events)
            self._site.emulator.kill()
            self._site.emulator.restart()
            if client_too:
                assert run.kill().killed
                ending = self._start(subject).wait()
            else:
                run.go_on()
                ending = run.wait()
            self._site.verify(subject, ending)
            after = self._traffic(ending.events)
            both = before.body_bytes + after.body_bytes
            outcome.add(edge, subject, Traffic(both, after.stored_again), deeds=1)

        return self._each(edges, trial, workers=1)

    # --- one trial --------------------------------------------------------------------------

    def edges(self) -> list[str]:
        """The edges that a clean run passes, in its order."""
        subject = self._subject()
        run = self._start(subject)
        self._site.verify(subject, run.wait())
        return _certain(run.edges)

    def _subject(self) -> Subject:
        number = next(self._numbers)
        folder = self._site.folder / f"trial{number}"
        folder.mkdir()
        path = shutil.copy2(self._file, folder / "reads.fastq.gz")
        return Subject(f"trial {number}", (Path(path),), PART_SIZE, 1, folder / "state")

    def _start(self, subject: Subject, *, edge: str | None = None, deed: str = "kill") -> Launched:
        arguments = subject.arguments(self._site.emulator.store_id)
        return self._site.launcher.start(*arguments, state=subject.state, edge=edge, deed=deed)

    def _kill(self, subject: Subject, edge: str) -> None:
        ending = self._start(subject, edge=edge).wait()
        assert ending.killed, f"the edge was not reached: exit {ending.code} {ending.err[-400:]}"

    @staticmethod
    def _lose(subject: Subject, keep_journal: bool) -> None:
        if not keep_journal:
            subject.forget()

    def _finish(self, edge: str, subject: Subject, outcome: Outcome, *, deeds: int) -> None:
        ending = self._start(subject).wait()
        self._site.verify(subject, ending)
        outcome.add(edge, subject, self._traffic(ending.events), deeds=deeds)

    def _traffic(self, events: Sequence[dict[str, object]]) -> Traffic:
        ids = {str(event["upload_id"]) for event in events if event.get("upload_id")}
        return self._site.traffic(sorted(ids))

    def _each(
        self,
        edges: Iterable[str],
        trial: Callable[[str, Outcome], None],
        *,
        workers: int | None = None,
    ) -> Outcome:
        outcome = Outcome()

        def guarded(edge: str) -> None:
            try:
                trial(edge, outcome)
            except (AssertionError, TimeoutError) as error:
                outcome.failures.append(f"{edge}: {error}")

        with ThreadPoolExecutor(workers or self._workers) as pool:
            list(pool.map(guarded, edges))
        return outcome


def _certain(edges: list[str]) -> list[str]:
    """The edges up to a second look at the read set: at the first, ingest may be done."""
    return list(itertools.takewhile(lambda edge: "GetReadSet (2)" not in edge, edges))


def check_interrupted(run: Launched, ending: Ending) -> None:
    """Checks that an interrupted run ended in time, with its journal whole and a word of advice.

    Raises:
        AssertionError: It did not.
    """
    assert run.deed_at is not None
    took = ending.at - run.deed_at
    assert took < in_time_s(), f"it took {took:.2f} s to end"
    assert "Traceback" not in ending.err, ending.err
    if ending.code == 0:
        # Nothing was left to interrupt.
        assert ending.last["outcome"] == "active", ending.last
        return
    assert ending.code == 130, f"exit {ending.code}: {ending.err}"
    assert ending.last["outcome"] == "interrupted", ending.last
    assert "to go on, run the same command again:\n  " in ending.err, ending.err
    begun = {
        edge.removeprefix("before ") for edge in run.edges if edge.startswith("before the row")
    }
    ended = {edge.removeprefix("after ") for edge in run.edges if edge.startswith("after the row")}
    assert begun == ended, f"rows that were not written: {begun - ended}"
