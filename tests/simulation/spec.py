"""What a world is made of, drawn from its seed: hosts, files, the service's habits, and faults.

Everything that goes wrong is an entry of a list, so that it can be switched off, one by one, while
the world still fails.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any

__all__ = ["Ask", "Fault", "Host", "Janitor", "Rules", "Spec", "draw"]

PART_BYTES = 8
"""Size of a part where a host's link isn't special, in bytes."""

CUTS = (4, 12, 16)
"""Sizes of parts on links that are slower or faster, in bytes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A read set that somebody wants.

    Attributes:
        name: Its name.
        file_type: As the service calls it.
        sizes: Of its files, in bytes.
        tagged: Whether it has tags.
        made: Whether somebody made that very read set long before.
    """

    name: str
    file_type: str
    sizes: tuple[int, ...]
    tagged: bool = False
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Somebody who gives a command again and again until it is done.

    Attributes:
        machine: On which computer: two hosts may share one.
        asks: What is asked for; more than one is a batch.
        start: When, in seconds.
        resume, force, prove, wait: As in `UploadConfig`.
        use_upload_id: Whether later runs name the upload that is open.
        single: Whether it has the first file of a pair alone.
        twist: From which byte on its files differ from the others', if at all.
        leaves: Whether nobody gives the command again before the faults are over.
        again: How the command is given once more after it ended well, if it is: `plain` or `force`.
        part_bytes: How it cuts files: by the rate of its link, or as the user said.
    """

    machine: int
    asks: tuple[int, ...]
    start: float
    resume: bool = True
    force: bool = False
    prove: bool = False
    wait: bool = True
    use_upload_id: bool = False
    single: bool = False
    twist: int | None = None
    leaves: bool = False
    again: str = ""
    part_bytes: int = PART_BYTES


@dataclass(frozen=True, slots=True)
class Janitor:
    """Somebody who cleans up.

    Attributes:
        machine: On which computer.
        at: When, in seconds.
        older_than: `uploads clean --older-than`, in seconds; None is `uploads abort` of all.
    """

    machine: int
    at: float
    older_than: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the service does where its documents don't say.

    Attributes:
        lag_read_sets, lag_uploads, lag_parts: Each listing shows the state as of up to so many
            seconds ago.
        lag_metadata: A read set that was just made is unknown for so many seconds.
        unknown_s: An upload that was just made is unknown for so many seconds.
        lingers: A completed upload is listed, with its parts, until its read set is done.
        token: What a known client token brings: the upload for ever (`ever`), while it is open
            (`open`), never (`ignored`), or 409 (`conflict`).
        token_s: How long a token is known, in seconds.
        again: What a second Complete brings.
        gone: The status of what is answered about an upload that isn't open any more.
        haunts: Whether an upload that has expired is listed for ever.
        checksum: Of a part: SHA-256 in `base64` or `hex`, `opaque`, or `foreign` (of its form, but
            of another algorithm).
        spelling: Where a listing writes them otherwise than a reply, in hexadecimal or base64: in
            whose way Complete takes them, that of the `replies` or of the `listing`.
        wants_all: Whether Complete wants to have every file named of which there are parts.
        checksums_listed: Whether a listing of parts has them.
        sizes: Which sizes a read set shows while it is PROCESSING_UPLOAD.
        grows: By how much a stored BAM, CRAM or UBAM is larger, in bytes.
        processing_s: How long that takes, in seconds.
        own_tags: Whether the service adds tags of its own.
        page_rows: Rows of a page.
        latency_s: Usual time of a call, in seconds.
        etags: Whether a read set has an ETag.
    """

    lag_read_sets: float = 0.0
    lag_uploads: float = 0.0
    lag_parts: float = 0.0
    lag_metadata: float = 0.0
    unknown_s: float = 0.0
    lingers: bool = False
    token: str = "ever"
    token_s: float = inf
    again: str = "404"
    gone: int = 404
    haunts: bool = False
    checksum: str = "base64"
    spelling: str = ""
    wants_all: bool = False
    checksums_listed: bool = True
    sizes: str = "sent"
    grows: int = 0
    processing_s: float = 2.0
    own_tags: bool = False
    page_rows: int = 100
    latency_s: float = 0.05
    etags: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, once.

    Attributes:
        kind: What.
        op: At which operation, or row of the journal.
        nth: At the how-many-eth of them, from 1.
        host: Whose.
        run: In the how-many-eth run of that host's command, from 0; -1 is any.
        how: In which way.
        arg: How much, how long or when.
    """

    kind: str
    op: str = ""
    nth: int = 1
    host: int = -1
    run: int = -1
    how: str = ""
    arg: float = 0.0

    def __str__(self) -> str:
        said = [self.kind, *([self.how] if self.how else []), *([self.op] if self.op else [])]
        said += [f"#{self.nth}"] if self.op or self.kind in ("expire", "reject", "delete") else []
        said += [f"host {self.host}"] if self.host >= 0 else []
        said += [f"run {self.run}"] if self.run >= 0 else []
        said += [f"({self.arg:.6g})"] if self.arg else []
        return " ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A world before it begins.

    Attributes:
        seed: What it was drawn from, and its order and times are.
        shuffled: Whether the order of what is ready is drawn.
    """

    seed: int
    asks: tuple[Ask, ...]
    hosts: tuple[Host, ...]
    rules: Rules
    faults: tuple[Fault, ...] = ()
    janitors: tuple[Janitor, ...] = ()
    shuffled: bool = True

    def describe(self) -> list[str]:
        """What differs from a world in which nothing is special, one thing a line."""
        lines = [f"ask {number}: {ask}" for number, ask in enumerate(self.asks)]
        lines += [
            f"host {number}: machine {host.machine}, asks {list(host.asks)}, from "
            f"{host.start:.1f} s{_said(host, Host(machine=0, asks=(), start=0.0))}"
            for number, host in enumerate(self.hosts)
        ]
        lines += [f"janitor: {each}" for each in self.janitors]
        lines.append(f"service:{_said(self.rules, Rules()) or ' as documented'}")
        lines += [f"fault: {each}" for each in self.faults]
        return lines


def _said(value: Any, usual: Any) -> str:
    passed_over = ("machine", "asks", "start")
    return "".join(
        f" {each.name}={getattr(value, each.name)}"
        for each in fields(value)
        if each.name not in passed_over and getattr(value, each.name) != getattr(usual, each.name)
    )


# --- drawing ------------------------------------------------------------------------------------

CALLS = {
    "Create": 3,
    "SendPart": 6,
    "ListParts": 2,
    "ListUploads": 2,
    "Complete": 8,
    "GetReadSet": 3,
    "FindReadSets": 3,
}
"""Calls at which something goes wrong, by how often."""

ROWS = {"opening": 3, "opened": 3, "part": 2, "completing": 4, "completed": 4, "status": 1}


class _Draw(random.Random):
    def maybe(self, chance: float) -> bool:
        return self.random() < chance

    def weighed(self, weights: dict[str, int]) -> str:
        return self.choices(list(weights), list(weights.values()))[0]

    def one(self, *values: Any) -> Any:
        return values[int(self.random() * len(values))]


def draw(seed: int) -> Spec:
    """The world of a seed."""
    rng = _Draw(f"world {seed}")
    hosts_count = rng.one(1, 1, 1, 2, 2, 2, 3, 4)
    ended = _Draw(f"ended {seed}")
    rules = replace(
        _rules(rng, alone=hosts_count == 1),
        gone=ended.one(404, 404, 404, 400, 409, 410),
        haunts=ended.maybe(0.3),
        wants_all=ended.maybe(0.3),
    )
    # Nobody can know a way of writing that no answer has shown.
    if rules.checksums_listed and ended.maybe(0.15):
        rules = replace(rules, spelling=ended.one("replies", "listing"))
    asks, hosts = _hosts(rng, hosts_count)
    faults = _faults(rng, hosts)
    if rules.again == "new":
        # Nothing that a client can do excludes a second read set where a second Complete of the
        # same upload makes one and the first is still under way when all patience is over.
        faults = [each for each in faults if each.how != "slow"]
    janitors = tuple(
        Janitor(
            rng.one(*{host.machine: 0 for host in hosts}),
            round(rng.uniform(1, 120), 1),
            rng.one(None, 1.0, 30.0, 3600.0),
        )
        for _ in range(rng.one(0, 0, 0, 0, 0, 1))
    )
    return Spec(
        seed=seed,
        asks=asks,
        hosts=tuple(_once_more(seed, _alone(seed, _cut_otherwise(seed, hosts)))),
        rules=rules,
        faults=tuple(_set_back(seed, faults)),
        janitors=janitors,
        shuffled=rng.maybe(0.9),
    )


def _cut_otherwise(seed: int, hosts: Sequence[Host]) -> Iterator[Host]:
    """Some of several hosts on unlike links; drawn apart, so that old seeds stay as they were."""
    rng = _Draw(f"cuts {seed}")
    several = len(hosts) > 1 and rng.maybe(0.4)
    for host in hosts:
        yield replace(host, part_bytes=rng.one(*CUTS)) if several and rng.maybe(0.6) else host


def _alone(seed: int, hosts: Iterable[Host]) -> Iterator[Host]:
    """Some of several hosts have R1 alone where the others have a pair; drawn apart."""
    rng = _Draw(f"alone {seed}")
    there = tuple(hosts)
    several = len(there) > 1 and rng.maybe(0.15)
    for host in there:
        yield replace(host, single=several and rng.maybe(0.5))


def _set_back(seed: int, faults: Iterable[Fault]) -> Iterator[Fault]:
    """Some who write to a file set its time back; drawn apart."""
    rng = _Draw(f"time {seed}")
    for each in faults:
        back = each.kind == "file" and each.how in ("rewritten", "touched") and rng.maybe(0.4)
        yield replace(each, how="backdated") if back else each


def _once_more(seed: int, hosts: Iterable[Host]) -> Iterator[Host]:
    """Some give a command again that ended well; drawn apart, too."""
    rng = _Draw(f"again {seed}")
    there = tuple(hosts)
    for host in there:
        ways = ("plain", "force", "force") if len(there) == 1 else ("plain",)
        yield replace(host, again=rng.one(*ways)) if rng.maybe(0.2 if host.wait else 0.7) else host


def _rules(rng: _Draw, *, alone: bool) -> Rules:
    def lag(chance: float = 0.35, most: float = 60.0) -> float:
        seconds: float = rng.one(rng.uniform(0.5, 5), rng.uniform(5, most))
        return round(seconds, 1) if rng.maybe(chance) else 0.0

    again = rng.one("404", "404", "409", "400", "same", "new" if alone else "404")
    return Rules(
        lag_read_sets=lag(),
        lag_uploads=lag(),
        lag_parts=lag(0.15),
        lag_metadata=lag(0.2, 40.0),
        unknown_s=rng.one(0, 0, 0, 0, 0, 0, 0, 0.5, 3.0),
        lingers=rng.maybe(0.5),
        token=rng.one("ever", "ever", "open", "open", "ignored", "conflict"),
        token_s=rng.one(inf, inf, 60.0, 5.0),
        again=again,
        checksum=rng.one("base64", "base64", "base64", "hex", "opaque", "foreign"),
        checksums_listed=rng.maybe(0.85),
        sizes=rng.one("sent", "stored", "none"),
        grows=rng.one(0, 60),
        processing_s=rng.one(0.0, 1.0, 1.0, 5.0, 5.0, 20.0, 75.0, rng.one(300.0, 600.0, 3600.0)),
        own_tags=rng.maybe(0.2),
        page_rows=rng.one(100, 100, 1, 2),
        latency_s=rng.one(0.02, 0.02, 0.2, 1.0),
        etags=rng.maybe(0.9),
    )


def _hosts(rng: _Draw, count: int) -> tuple[tuple[Ask, ...], list[Host]]:
    batch = rng.maybe(0.12)
    asks = tuple(_ask(rng, f"s{number}") for number in range(rng.one(2, 3, 4) if batch else 1))
    everything = tuple(range(len(asks)))
    hosts: list[Host] = []
    for number in range(count):
        machine = number if number == 0 or rng.maybe(0.7) else rng.one(*range(number))
        wanted = everything
        if batch and number and rng.maybe(0.5):
            wanted = (rng.one(*everything),)
        single = len(wanted) == 1
        command = rng.weighed({"plain": 12, "force": 1, "anew": 1, "prove": 2, "id": 1, "go": 2})
        hosts.append(
            Host(
                machine=machine,
                asks=wanted,
                start=0.0
                if not number
                else round(rng.one(rng.uniform(0, 3), rng.uniform(0, 90)), 1),
                # Two who force at a time want two read sets; one is enough to be looked at.
                force=command == "force" and count == 1,
                resume=command != "anew",
                prove=command == "prove",
                wait=command != "go",
                use_upload_id=command == "id" and single,
                twist=rng.one(0, 9) if number and rng.maybe(0.06) else None,
                leaves=bool(number < count - 1 and rng.maybe(0.25)),
            )
        )
    return asks, hosts


def _ask(rng: _Draw, name: str) -> Ask:
    file_type = rng.one("FASTQ", "FASTQ", "FASTQ", "BAM", "CRAM", "UBAM")
    sizes = tuple(
        rng.one(3, PART_BYTES, 13, 2 * PART_BYTES, 21, 30)
        for _ in range(rng.one(1, 2) if file_type == "FASTQ" else 1)
    )
    return Ask(name, file_type, sizes, tagged=rng.maybe(0.15), made=rng.maybe(0.06))


def _faults(rng: _Draw, hosts: Sequence[Host]) -> list[Fault]:
    faults: list[Fault] = []
    for _ in range(rng.one(0, 1, 1, 2, 2, 3, 4, 5)):
        kind = rng.weighed(
            {"reply": 8, "die": 7, "step": 3, "interrupt": 1, "disk": 3, "file": 2, "fate": 2}
        )
        host = rng.one(*range(len(hosts)))
        match kind:
            case "reply":
                faults.append(_reply(rng))
            case "die":
                row = rng.maybe(0.45)
                faults.append(
                    Fault(
                        kind="die",
                        op=f"row {rng.weighed(ROWS)}" if row else rng.weighed(CALLS),
                        nth=rng.one(1, 1, 1, 2, 3),
                        host=host,
                        how=rng.one("before", "after") if row else rng.one("call", "done", "reply"),
                    )
                )
            case "step" | "interrupt":
                steps = rng.one(rng.uniform(1, 60), rng.uniform(1, 600))
                faults.append(
                    Fault(kind=kind, host=host, run=rng.one(0, 0, 1), arg=float(int(steps)))
                )
            case "disk":
                how = rng.one("lost", "lost", "torn", "older", "full", "full")
                faults.append(
                    Fault(
                        kind="disk",
                        host=host,
                        run=rng.one(0, 0, 1) if how == "full" else rng.one(1, 1, 2),
                        how=how,
                        nth=rng.one(1, 2, 3, 4, 6),
                        arg=rng.one(1.0, 2.0, 3.0, 5.0),
                    )
                )
            case "file":
                faults.append(
                    Fault(
                        kind="file",
                        # At a moment, or when something is under way.
                        op=(op := rng.one("", "SendPart", "SendPart", "ListUploads", "Complete")),
                        nth=rng.one(1, 1, 2, 3),
                        host=host,
                        how=rng.one("touched", "copied", "rewritten", "longer"),
                        arg=0.0 if op else round(rng.uniform(0, 60), 2),
                    )
                )
            case "fate":
                faults.append(
                    Fault(
                        kind=rng.one("expire", "reject", "delete"),
                        nth=rng.one(1, 1, 2),
                        arg=round(rng.uniform(0.2, 30), 1),
                    )
                )
    return faults


def _reply(rng: _Draw) -> Fault:
    op = rng.weighed(CALLS)
    ways = {"lost": 3, "unsent": 2, "500": 1, "failed": 1, "503": 1, "429": 1, "slow": 1}
    if op in ("GetReadSet", "ListParts"):
        ways |= {"404": 4}
    if op == "SendPart":
        ways |= {"cut": 3, "404": 1}
    if op == "Complete":
        ways |= {"slow": 4, "lost": 4, "400": 1, "refused": 1}
    how = rng.weighed(ways)
    arg = round(rng.uniform(61, 200), 1) if how == "slow" else 0.0
    return Fault(kind="reply", op=op, nth=rng.one(1, 1, 2, 3), how=how, arg=arg)
