"""A world: hosts that run the real engine until all they asked for has come to its end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any, TypeVar

import anyio

from tests.simulation.disk import FileSystem, Machine, SimulatedJournal
from tests.simulation.janitor import clean
from tests.simulation.judging import judge
from tests.simulation.loop import PROCESS, Deadlock, Endless, VirtualLoop
from tests.simulation.patches import Stage, forget_tasks
from tests.simulation.process import (
    Died,
    Outcome,
    Process,
    draws_from,
    forget_frames,
    threaded,
    turn,
)
from tests.simulation.service import EPOCH, Service, StoredReadSet, StoredUpload
from tests.simulation.spec import Ask, Fault, Host, Janitor, Spec
from tests.simulation.wire import Wire
from turboupload.batch.ready import checked
from turboupload.cli.ui.errors import INTERRUPTED, exit_code_for, exit_code_of
from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.model import FileType, Part, PartSource, ReadSet, flat
from turboupload.core.records import UploadPart
from turboupload.engine import Engine
from turboupload.errors import TurbouploadError, UploadBusy
from turboupload.omics.quotas import Quotas

__all__ = ["STORE", "Verdict", "World", "play"]

T = TypeVar("T")

STORE = "1234567890"
MOST_STEPS = 400_000
MOST_CALLS = 12_000
MOST_RUNS = 4
"""Runs of a command while things go wrong."""

MOST_FINAL_RUNS = 10
"""Runs of a command when nothing goes wrong any more: by then it must have come to its end, also
where the service processes for an hour."""

SPARED = 0.8
"""How often one whose command ended well, with nothing changed since, needn't give it again.

It was a fifth of all that went on; some do so all the same, and `Host.again` has others do it."""

FINAL = frozenset({0, 3, 4, 6, 7})
"""Exit codes after which nobody would give the same command again as it is."""

SOME_FAILED = 8
"""Of a batch, whose other rows may be done; what is wrong with a row may pass or not."""


@dataclass(slots=True)
class Verdict:
    """What became of a world.

    Attributes:
        faults: What was wrong with it; nothing in a good world.
        steps, calls, seconds: How much went on.
        happened: What went wrong on the way, and how often.
        trace: What happened, where that was wanted.
    """

    seed: int
    faults: list[str]
    steps: int
    calls: int
    seconds: float
    happened: Counter[str]
    trace: list[str]

    @property
    def kind(self) -> str:
        """What was wrong, without the details: shrinking keeps it."""
        return self.faults[0].partition(":")[0] if self.faults else ""


class World:
    """Plays a world.

    Args:
        spec: What it is made of.
        tracing: Whether to keep a trace.
    """

    most_steps = MOST_STEPS
    most_calls = MOST_CALLS

    def __init__(self, spec: Spec, *, tracing: bool = False) -> None:
        self.spec = spec
        self.trace: list[str] = []
        self._tracing = tracing
        order = random.Random(f"order {spec.seed}")
        self._chance = random.Random(f"chance {spec.seed}")
        self.loop = VirtualLoop(order.random if spec.shuffled else None, most_steps=self.most_steps)
        self.context: Context = copy_context()
        lags = random.Random(f"lag {spec.seed}")
        self.service = Service(spec.rules, self.loop.time, lambda most: lags.uniform(0.0, most))
        self.files = FileSystem()
        self.machines: dict[int, Machine] = {}
        self.quiet = False
        self.calls: Counter[str] = Counter()
        self.calls_count = 0
        self.deaths: Counter[tuple[int, str]] = Counter()
        self.replies = {(each.op, each.nth): each for each in spec.faults if each.kind == "reply"}
        self.dying = {
            (each.host, each.op, each.nth): each for each in spec.faults if each.kind == "die"
        }
        self.changing = {
            (each.host, each.op, each.nth): each
            for each in spec.faults
            if each.kind == "file" and each.op
        }
        # Whom something befalls at an operation; of the others nobody has to count them.
        self._unsafe = {host for host, _, _ in (*self.dying, *self.changing)}
        self.versions: dict[str, list[tuple[bytes, ...]]] = {}
        self.allowed: dict[tuple[str, tuple[bytes, ...]], int] = {}
        self.arrivals: Counter[tuple[str | None, str, int, bytes]] = Counter()
        self.parts_excused = 0
        # What each machine was shown of the service, as long as it has its journal.
        self.shown: defaultdict[int, set[str]] = defaultdict(set)
        self.wrong: list[str] = []
        self.happened: Counter[str] = Counter()
        # When a host's files were last changed.
        self.changed: dict[int, float] = {}
        self.earlier: set[str] = set()
        # Whether somebody did as a hint said, and left an open upload for a new one.
        self.told_anew = False
        self.last: dict[int, Outcome] = {}
        self._processes: list[Process] = []
        self._engines: list[Engine] = []
        self._read_sets: dict[tuple[Host, Ask], ReadSet] = {}
        for each in spec.faults:
            match each.kind:
                case "expire":
                    self.service.expiring[each.nth] = each.arg
                case "reject":
                    self.service.rejected.add(each.nth)
                case "delete":
                    self.service.deleting[each.nth] = each.arg

    # --- telling ----------------------------------------------------------------------------

    @property
    def tracing(self) -> bool:
        """Whether anybody wants to read what happens."""
        return self._tracing

    def tell(self, who: object, what: str) -> None:
        """A line of the trace."""
        if self._tracing:
            self.trace.append(f"{self.loop.time():10.3f}  {who!s:<10}  {what}")

    def blame(self, what: str) -> None:
        """Something is as it must not be."""
        self.wrong.append(what)
        self.tell("WRONG", what)

    # --- what goes wrong --------------------------------------------------------------------

    def count_call(self, op: str) -> Fault | None:
        """A call is made; what happens to it."""
        self.calls[op] += 1
        self.calls_count += 1
        if self.calls_count > self.most_calls:
            self.loop.broken = Endless(f"more than {self.most_calls:,} calls")
        return None if self.quiet else self.replies.get((op, self.calls[op]))

    def death_at(self, process: Process, op: str) -> Fault | None:
        """Whether the process is to die at this operation."""
        if self.quiet or process.host not in self._unsafe:
            return None
        self.deaths[process.host, op] += 1
        if (
            change := self.changing.get((process.host, op, self.deaths[process.host, op]))
        ) is not None:
            self._change_files(change)
        return self.dying.get((process.host, op, self.deaths[process.host, op]))

    def latency(self) -> float:
        """How long a message is on its way, in seconds."""
        return self.spec.rules.latency_s * (0.1 + 2.0 * self._chance.random() ** 3)

    def chance(self) -> float:
        """A number from 0 up to, but not including, 1."""
        return self._chance.random()

    def _on_death(self, process: Process, what: str) -> None:
        self.tell(process, what)
        self.happened["interrupted" if "interrupted" in what else "killed"] += 1
        self.excuse_parts(process)

    def note_part(self, process: Process, upload: StoredUpload, part: Part) -> None:
        """A part came: the upload may hold no others than parts of the same files.

        What came after the process began, or so shortly before that no listing showed it, it can't
        have known; nor what nobody can compare.
        """
        rules = self.spec.rules
        if rules.checksum not in ("base64", "hex") or not rules.checksums_listed:
            return
        host = self.spec.hosts[process.host]
        ask = next(each for each in self.asks_of(host) if each.name == upload.about.name)
        if self.changed.get(process.host, -1.0) >= process.started:
            # Its files are others than those that it began with.
            return
        contents = dict(zip(PartSource, self.content(host, ask), strict=False))
        known_by = process.started - rules.lag_parts
        if process.machine.number in upload.makers:
            # Its own, even where another host took it for its own and sent parts of other files:
            # Complete is refused for these.
            return
        # An upload that was adopted may be cut otherwise than we would, by several hosts or by
        # nobody here.
        cuts = {each.part_bytes for each in self.spec.hosts} | {
            len(each.data)
            for (_, number), versions in upload.parts.items()
            for each in versions
            if number == 1
        }
        for (source, number), versions in upload.parts.items():
            data = contents.get(source, b"")
            theirs = [each.data for each in versions if each.at < known_by]
            if theirs and not any(
                data[(number - 1) * cut :].startswith(theirs[-1]) for cut in cuts
            ):
                self.blame(
                    f"mixed: {process} sends {part.source}/{part.number} into {upload.upload_id}, "
                    f"whose {source}/{number} was not of these files"
                )

    def note_shown(self, process: Process, *ids: str) -> None:
        """An answer told a machine of these uploads or read sets."""
        self.shown[process.machine.number].update(ids)

    def excuse_parts(self, process: Process) -> None:
        """What was in flight, or not yet in the journal, may be sent again."""
        # Rows are of parts that were read again and compared, too.
        self.parts_excused += max(0, process.parts_sent - process.part_rows)
        process.parts_sent = process.part_rows = 0

    def _about_rows(self, when: str, kinds: list[str]) -> None:
        process = PROCESS.get()
        assert isinstance(process, Process)
        if when == "after":
            process.part_rows += kinds.count("part")
        for kind in dict.fromkeys(kinds):
            # Rows are counted before they are written, so that both moments are of the same row.
            if when == "before":
                fault = self.death_at(process, f"row {kind}")
            else:
                count = self.deaths[process.host, f"row {kind}"]
                fault = self.dying.get((process.host, f"row {kind}", count))
            if fault is not None and fault.how == when and not self.quiet:
                process.kill(f"{when} row {kind} is written")
                raise Died

    # --- one command ------------------------------------------------------------------------

    def _process(self, host: int, run: int, machine: Machine) -> Process:
        process = Process(host, run, machine, self._on_death)
        self._processes.append(process)
        return process

    async def _run(self, process: Process, command: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Runs a command in a process of its own."""
        outcome: list[Outcome] = []

        async def main() -> None:
            with anyio.CancelScope() as scope:
                process.scope = scope
                outcome.append(await command())
            if not outcome:
                outcome.append(Outcome(INTERRUPTED))

        context = copy_context()
        context.run(PROCESS.set, process)
        task = self.loop.create_task(main(), context=context)
        await asyncio.wait({task})
        process.machine.disk.free(process)
        if process.dead:
            while not process.ended:
                await turn()
            for each in process.tasks:
                if not each.cancelled():
                    forget_frames(each.exception())
            return Outcome(None)
        if not process.ended:
            self.blame(f"a task outlives its command: {process}")
        if task.cancelled():
            self.blame(f"bug: {process} ended with CancelledError")
            return Outcome(1)
        error = task.exception()
        if error is None:
            return outcome[0]
        forget_frames(error)
        if isinstance(error, TurbouploadError):
            return Outcome(exit_code_for(error), error, advice=error.hint or "")
        self.blame(f"bug: {process} ended with {error!r}")
        return Outcome(1, error)

    def wire(self, process: Process) -> Wire:
        """The process's way to the service."""
        return Wire(self, process)

    def quotas(self, process: Process) -> Quotas | None:
        """The quotas that a process keeps to; None gives it some of its own."""
        del process
        return None

    async def _upload(self, process: Process, host: Host, config: UploadConfig) -> Outcome:
        journal = SimulatedJournal(process.machine)
        clock = Clock(self.loop.time, asyncio.sleep, lambda: self._wall(process.machine))
        engine = Engine(
            self.wire(process),
            journal,  # type: ignore[arg-type]
            config,
            where="here",
            clock=clock,
            quotas=self.quotas(process),
        )
        self._engines.append(engine)
        read_sets = [self._read_set(host, self.spec.asks[each]) for each in host.asks]
        if len(read_sets) == 1:
            result = await engine.upload(read_sets[0], STORE, _nobody)
            proven = result.comparison is not None and result.comparison.proves_equal
            return Outcome(0, results={host.asks[0]: result.read_set_id}, proven=proven)
        async with checked(engine, read_sets, STORE) as ready:
            ended = await ready.batch(max_failures=None, tell=_nobody, results=None).run()
        done = {
            ask: row.read_set_id
            for ask, row in zip(host.asks, ended.rows, strict=True)
            if row.read_set_id is not None and row.status in ("active", "exists")
        }
        words = "; ".join(
            f"{row.name}: {row.status} {row.message}" for row in ended.rows if row.message
        )
        advice = "; ".join(row.what_to_do for row in ended.rows)
        code = exit_code_of(ended.outcome, ended.stopped_by)
        return Outcome(code, ended.stopped_by, done, words=words, advice=advice)

    def _wall(self, machine: Machine) -> float:
        # Each machine's clock is off by some seconds of its own.
        return EPOCH + self.loop.time() + (machine.number * 7919 % 13) - 6.0

    def _read_set(self, host: Host, ask: Ask) -> ReadSet:
        if (host, ask) not in self._read_sets:
            self._read_sets[host, ask] = self._new_read_set(host, ask)
        return self._read_sets[host, ask]

    def _new_read_set(self, host: Host, ask: Ask) -> ReadSet:
        return ReadSet(
            sources=self._sources(host, ask),
            name=ask.name,
            sample_id=f"sample {ask.name}",
            subject_id="subject",
            file_type=FileType(ask.file_type),
            reference_arn="arn:aws:omics:reference/1" if ask.file_type in ("BAM", "CRAM") else None,
            tags={"run": "42"} if ask.tagged else {},
        )

    @staticmethod
    def _sources(host: Host, ask: Ask) -> list[tuple[str, ...]]:
        """The files of each source: on some machines a FASTQ is in several, which are merged."""
        sizes = ask.sizes[:1] if host.single else ask.sizes
        twist = "" if host.twist is None else f"-{host.twist}"
        lanes = 1 + host.machine % 3 if ask.file_type == "FASTQ" else 1
        return [
            tuple(
                f"/m{host.machine}/{ask.name}{twist}_L{lane}_R{each}"
                for lane in range(min(lanes, *ask.sizes, lanes))
            )
            for each in range(1, len(sizes) + 1)
        ]

    def content(self, host: Host, ask: Ask) -> tuple[bytes, ...]:
        """What the host's files of an ask hold now."""
        return tuple(map(self.files.content, self._sources(host, ask)))

    # --- hosts ------------------------------------------------------------------------------

    def _machine(self, number: int) -> Machine:
        if number not in self.machines:
            machine = Machine(number, PROCESS.get, self.loop.time)
            if self._tracing:
                machine.tell = lambda line: self.tell(PROCESS.get(), line)
            machine.about_rows = self._about_rows  # type: ignore[assignment]
            machine.about_forgotten = lambda: self.blame("rows: they are not taken in again")
            self.machines[number] = machine
        return self.machines[number]

    def _write_files(self) -> None:
        for host in self.spec.hosts:
            for number in host.asks:
                ask = self.spec.asks[number]
                for each, (paths, size) in enumerate(
                    zip(self._sources(host, ask), ask.sizes, strict=False)
                ):
                    if paths[0] in self.files.files:
                        continue
                    drawn = random.Random(f"file {self.spec.seed} {ask.name} {each}")
                    data = drawn.randbytes(size)
                    if host.twist is not None:
                        data = data[: host.twist] + bytes(b ^ 1 for b in data[host.twist :])
                    grain = len(data) // len(paths)
                    for lane, path in enumerate(paths, start=1):
                        last = lane == len(paths)
                        lane_data = data[(lane - 1) * grain : None if last else lane * grain]
                        self.files.write(path, lane_data, now=0.0)
                self._note_version(host, ask)

    def _note_version(self, host: Host, ask: Ask) -> None:
        versions = self.versions.setdefault(ask.name, [])
        if (content := self.content(host, ask)) not in versions:
            versions.append(content)

    def _make_earlier(self) -> None:
        """Read sets that somebody made long before."""
        for number, ask in enumerate(self.spec.asks):
            host = next((each for each in self.spec.hosts if number in each.asks), None)
            if not ask.made or host is None:
                continue
            read_set = self._read_set(host, ask)
            service = self.service
            upload_id = service.create(read_set, FileType(ask.file_type), f"earlier {number}")
            upload = service.uploads[upload_id]
            upload.created, upload.expires = -1000.0, inf
            parts = []
            for source, data in zip(PartSource, self.content(host, ask), strict=False):
                service.send(upload_id, source, 1, data)
                checksum = service.wanted(upload_id, source, 1)
                parts.append(UploadPart(source, 1, len(data), checksum))
            made = service.read_sets[service.complete(upload_id, parts)]
            made.created = made.done = upload.unlisted = -1000.0
            self.earlier.add(made.read_set_id)

    def _change_files(self, fault: Fault) -> None:
        if self.quiet:
            return
        host = self.spec.hosts[fault.host]
        self.tell("disk", f"files of host {fault.host} are {fault.how}")
        self.happened["file"] += 1
        now = self.loop.time()
        for number, other in enumerate(self.spec.hosts):
            if (other.machine, other.twist) == (host.machine, host.twist):
                self.changed[number] = now
        sharing = [self.spec.hosts[each] for each, when in self.changed.items() if when == now]
        for number in host.asks:
            ask = self.spec.asks[number]
            sources = self._sources(host, ask)
            merged = len(sources[0]) > 1
            # Of merged files one changes, so that each of them has to be looked at.
            for path in (sources[0][-1],) if merged else flat(sources):
                data = self.files.files[path].content
                if fault.how in ("rewritten", "backdated"):
                    data = bytes(byte ^ 2 for byte in data)
                elif fault.how == "longer":
                    data += b"more"
                self.files.write(
                    path,
                    data,
                    now=now,
                    replace=fault.how == "copied",
                    backdated=fault.how == "backdated",
                )
            for each in sharing:
                if number in each.asks:
                    self._note_version(each, ask)

    def _befall_disk(self, number: int, run: int, machine: Machine) -> None:
        for fault in self.spec.faults:
            if (fault.kind, fault.host, fault.run) != ("disk", number, run):
                continue
            # What damages or takes away a journal ends every process that has it open, too.
            in_use = any(each.machine is machine and not each.ended for each in self._processes)
            if in_use and fault.how != "full":
                continue
            self.tell("disk", f"machine {machine.number}: {fault}")
            self.happened[f"disk {fault.how}"] += 1
            if fault.how != "full":
                self.shown[machine.number].clear()
            match fault.how:
                case "lost":
                    machine.disk.lose_journal()
                case "torn":
                    machine.disk.torn = True
                case "older":
                    machine.disk.lose_last(int(fault.arg))
                case "full":
                    machine.disk.full_after = fault.nth
                    machine.disk.full_for = int(fault.arg)

    def _config(
        self, host: Host, *, run: int, final: bool, force: bool, anew: bool
    ) -> UploadConfig:
        upload_id = None
        if host.use_upload_id and run and not (final or force):
            name = self.spec.asks[host.asks[0]].name
            open_ones = [
                each.upload_id
                for each in self.service.uploads.values()
                if each.about.name == name and each.state == "open"
            ]
            upload_id = open_ones[-1] if open_ones else None
        special = not final and upload_id is None
        return _config(
            part_size_bytes=host.part_bytes,
            resume=(host.resume or not special) and not anew,
            force=force or (host.force and special),
            upload_id=upload_id,
            prove=host.prove,
            wait=host.wait or host.prove,
        )

    async def _invoke(
        self,
        number: int,
        run: int,
        *,
        final: bool = False,
        force: bool = False,
        anew: bool = False,
    ) -> Outcome:
        host = self.spec.hosts[number]
        machine = self._machine(host.machine)
        process = self._process(number, run, machine)
        config = self._config(host, run=run, final=final, force=force, anew=anew)
        if not self.quiet:
            self._befall_disk(number, run, machine)
            for fault in self.spec.faults:
                if (fault.host, fault.run) == (number, run):
                    if fault.kind == "step":
                        process.die_at = int(fault.arg)
                    elif fault.kind == "interrupt":
                        process.interrupt_at = int(fault.arg)
        if config.force:
            for each in host.asks:
                ask = self.spec.asks[each]
                key = (ask.name, self.content(host, ask))
                self.allowed[key] = max(self.allowed.get(key, 1), len(self.live(*key)) + 1)
        if self._tracing:
            said = [
                name
                for name, on in (
                    ("--force", config.force), ("--no-resume", not config.resume),
                    ("--prove", config.prove), ("--no-wait", not config.wait),
                    (f"--upload-id {config.upload_id}", config.upload_id is not None),
                )
                if on
            ]  # fmt: skip
            self.tell(process, f"begins{' with ' if said else ''}{' '.join(said)}")
        outcome = await self._run(process, lambda: self._upload(process, host, config))
        self.happened[f"exit {outcome.code}" if outcome.code is not None else "no exit"] += 1
        if outcome.code is not None and outcome.code != 0:
            self.excuse_parts(process)
        if self._tracing:
            self.tell(process, str(outcome))
        for ask_number, read_set_id in outcome.results.items():
            self._check_result(process, host, self.spec.asks[ask_number], read_set_id, outcome)
        return outcome

    def _check_result(
        self, process: Process, host: Host, ask: Ask, read_set_id: str, outcome: Outcome
    ) -> None:
        found = self.service.read_sets.get(read_set_id)
        if found is None or found.upload.about.name != ask.name:
            self.blame(f"result: {process} was told of read set {read_set_id}, which isn't its own")
            return
        if host.force and process.run == 0 and read_set_id in self.earlier:
            self.blame(f"force: {process} was given {read_set_id}, which was there before")
        # Its files may have been changed since they were sent.
        versions = self.versions.get(ask.name, [])
        if outcome.proven and tuple(found.content.values()) not in versions:
            self.blame(f"proof: {process} was told that {read_set_id} was proven, and it is not")

    async def _life(self, number: int) -> None:
        host = self.spec.hosts[number]
        await anyio.sleep(host.start)
        for run in range(MOST_RUNS):
            if run:
                if host.leaves:
                    return
                pauses = (0.1, 2.0, 20.0, 61.0, 300.0)
                await anyio.sleep(pauses[int(self.chance() * len(pauses))])
            outcome = await self._invoke(number, run)
            self.last[number] = outcome
            if outcome.code in FINAL:
                break
        if outcome.code == 0 and host.again:
            await anyio.sleep((0.1, 5.0, 61.0, 1000.0)[int(self.chance() * 4)])
            if not self.quiet:
                force = host.again == "force"
                self.last[number] = again = await self._invoke(number, run + 1, force=force)
                self._compare(number, outcome, again, force=force)

    def _compare(self, number: int, first: Outcome, again: Outcome, *, force: bool) -> None:
        """A command that ended well was given again: where it is forced, it makes another.

        Without the journal nobody knows of the first one while listings lag.
        """
        if any(each.kind == "disk" and each.how != "full" for each in self.spec.faults):
            return
        for ask, read_set_id in again.results.items():
            same = first.results.get(ask) == read_set_id
            if force and same:
                self.blame(f"force: host {number} was given {read_set_id}, which it had made")

    async def _end(self, number: int) -> None:
        """The same command again, now that nothing goes wrong, until it has come to its end."""
        host = self.spec.hosts[number]
        await anyio.sleep(self.chance() * (0.0 if self.chance() < 0.3 else 100.0))
        if self._is_settled(number) and self.chance() < SPARED:
            return
        force = anew = False
        outcome = Outcome(None)
        for run in range(MOST_FINAL_RUNS):
            outcome = await self._invoke(number, 100 + run, final=True, force=force, anew=anew)
            force, told_anew = False, anew
            # The user does what the hint says.
            anew = "--no-resume begins a new one" in outcome.advice
            self.told_anew |= anew
            while isinstance(outcome.error, UploadBusy):
                # Another process of this machine is at it, and comes to its own end.
                await anyio.sleep(300.0)
                outcome = await self._invoke(number, 100 + run, final=True, anew=told_anew)
            if outcome.code in FINAL and not anew:
                break
            later = "run the same command again" in outcome.advice
            if outcome.code == SOME_FAILED and run > 3 and not (later or anew):
                break
            if "add --force" in outcome.advice and outcome.code != SOME_FAILED and run > 2:
                # The user looks first.
                force = not any(self.live(ask.name, None) for ask in self.asks_of(host))
            await anyio.sleep(30.0 * 1.7**run)
        self.last[number] = outcome

    def _is_settled(self, number: int) -> bool:
        """Whether its command ended well, and nothing that it stands on has changed since."""
        return (
            self.last[number].code == 0
            and self.spec.hosts[number].wait
            and not any(each.kind in ("file", "disk", "delete") for each in self.spec.faults)
        )

    def asks_of(self, host: Host) -> list[Ask]:
        """What a host asks for."""
        return [self.spec.asks[each] for each in host.asks]

    async def _clean(self, janitor: Janitor) -> None:
        await anyio.sleep(janitor.at)
        process = self._process(-1, 0, self._machine(janitor.machine))
        self.happened["janitor"] += 1
        self.tell(process, f"begins: {janitor}")
        outcome = await self._run(process, lambda: clean(self, process, janitor.older_than))
        self.tell(process, str(outcome))

    async def _main(self) -> None:
        lives = [self._life(number) for number in range(len(self.spec.hosts))]
        lives += [self._clean(janitor) for janitor in self.spec.janitors]
        for fault in self.spec.faults:
            if fault.kind == "file" and not fault.op:
                self.loop.call_later(fault.arg, self._change_files, fault)
        async with asyncio.TaskGroup() as group:
            for life in lives:
                group.create_task(life)
        self.quiet = True
        for machine in self.machines.values():
            machine.disk.full_for = 0
        self.tell("world", "nothing goes wrong any more")
        async with asyncio.TaskGroup() as group:
            for number in range(len(self.spec.hosts)):
                group.create_task(self._end(number))
        # What is under way at the service comes to its end.
        await anyio.sleep(self.spec.rules.processing_s + 300.0)

    # --- the end ----------------------------------------------------------------------------

    @property
    def refused_uploads(self) -> list[StoredUpload]:
        """Uploads of which the service makes no read set."""
        return [self.service.uploads[each] for each in self.service.refused]

    @property
    def sent_again(self) -> int:
        """Parts that came whose very bytes had come before."""
        return sum(count - 1 for count in self.arrivals.values())

    def made(self, name: str) -> bool:
        """Whether there ever was a read set of this name."""
        return any(each.upload.about.name == name for each in self.service.read_sets.values())

    def live(self, name: str, content: tuple[bytes, ...] | None) -> list[StoredReadSet]:
        """The read sets of a name that there are, with this content or with any."""
        return [
            each
            for each in self.service.read_sets.values()
            if each.live
            and each.upload.about.name == name
            and content in (None, tuple(each.content.values()))
        ]

    def play(self) -> Verdict:
        """Plays it to its end."""
        draws_from(self._chance.random)
        Stage.set(self.files, self.loop, threaded)
        random.seed(self.spec.seed)
        self._write_files()
        self._make_earlier()
        # A task that is left behind when a world breaks has nothing to say.
        self.loop.set_exception_handler(lambda *_: None)
        main = self.loop.create_task(self._main())
        try:
            self.loop.run_until_complete(main)
        except Deadlock:
            self.blame("deadlock: everybody waits, and nothing will happen")
        except Endless as error:
            self.blame(f"endless: {error}")
        else:
            for what in judge(self):
                self.blame(what)
            self._let_go()
        finally:
            if not main.done():
                self._break_off(main)
            self.loop.close()
            forget_tasks()
        return Verdict(
            self.spec.seed,
            self.wrong,
            self.loop.steps,
            self.calls_count,
            self.loop.time(),
            self.happened,
            self.trace,
        )

    def _let_go(self) -> None:
        """Leaves as little as can be to the collector of garbage."""
        for process in self._processes:
            process.tasks.clear()
            del process.on_death, process.scope
        self._processes.clear()
        for engine in self._engines:
            vars(engine).clear()
        self._engines.clear()
        for machine in self.machines.values():
            del machine.about_rows, machine.about_forgotten, machine.tell

    def _break_off(self, main: asyncio.Task[Any]) -> None:
        """Ends what is under way, so that nothing is left to be complained about."""
        self._tracing = False
        for process in self._processes:
            process.dead = True
            process.reap()
        main.cancel()
        self.loop.allow(self.most_steps)
        with suppress(BaseException):
            self.loop.run_until_complete(main)


@lru_cache(maxsize=256)
def _config(**of_the_command: Any) -> UploadConfig:
    """The settings of a command; most are those of many others, and they are checked once."""
    return UploadConfig(
        concurrency=3,
        preflight=False,
        poll_interval_s=300.0,
        give_up_after_s=300.0,
        state_dir="/simulated",
        **of_the_command,
    )


def _nobody(_: object) -> None:
    """Nobody listens."""


def play(spec: Spec, *, tracing: bool = False) -> Verdict:
    """Plays a world to its end; within `simulated()`."""
    return World(spec, tracing=tracing).play()
