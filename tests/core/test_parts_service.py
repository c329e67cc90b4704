"""The ledger against services that lag, cut short, damage, and compute what they like."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.values import checksum, content, digest, plan
from turboupload.core.model import Part
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import PartSeen
from turboupload.core.upload.parts.facts import Verdict
from turboupload.core.upload.parts.ledger import MAX_SENDS, PartLedger
from turboupload.core.upload.parts.work import CheckPart, ListAgain, SendPart
from turboupload.core.upload.plan import Plan
from turboupload.errors import IntegrityError, Stopped

Form = Literal["base64", "hex", "mixed", "opaque", "another", "another-mixed"]
Fault = Literal["cut", "damaged"]

PLAN = plan(10, 6, part_size=4)
PARTS = list(PLAN.parts())


@dataclass
class Service:
    """Takes parts as told, and lists what it had some listings ago.

    Attributes:
        form: What its checksums are.
        faults: What happens to the first sends of each part; `cut` keeps all but the last byte.
        lag: How many listings pass before one shows what was sent.
        with_checksums: Whether its listings have them.
        with_times: Whether they say when a part was sent.
        stored: The bytes that it has of each part, and their size.
    """

    form: Form = "base64"
    faults: dict[Part, list[Fault | None]] = field(default_factory=dict)
    lag: int = 0
    with_checksums: bool = True
    with_times: bool = True
    stored: dict[Part, tuple[bytes, int]] = field(default_factory=dict)
    times: dict[Part, datetime] = field(default_factory=dict)
    sends: Counter[Part] = field(default_factory=Counter)
    shown: list[tuple[UploadPart, ...]] = field(default_factory=list)

    def text(self, data: bytes, *, in_listing: bool) -> str:
        if self.form == "opaque":
            return f"part-{hashlib.md5(data, usedforsecurity=False).hexdigest()[:20]}"
        salt = b"another" if self.form.startswith("another") else b""
        value = hashlib.sha256(salt + data).digest()
        as_hex = self.form == "hex" or (self.form.endswith("mixed") and not in_listing)
        return value.hex() if as_hex else base64.b64encode(value).decode()

    def send(self, part: Part) -> str:
        due = self.faults.get(part, [])
        fault = due.pop(0) if due else None
        self.sends[part] += 1
        data, size = content(part), part.size
        if fault == "cut":
            data, size = data[:-1], size - 1
        if fault == "damaged":
            data = b"damaged" + data
        self.stored[part] = data, size
        self.times[part] = datetime.fromtimestamp(sum(self.sends.values()), UTC)
        return self.text(data, in_listing=False)

    def list(self) -> tuple[UploadPart, ...]:
        rows = (
            UploadPart(
                part.source,
                part.number,
                size,
                self.text(data, in_listing=True) if self.with_checksums else None,
                updated_at=self.times[part] if self.with_times else None,
            )
            for part, (data, size) in self.stored.items()
        )
        self.shown.append(tuple(rows))
        return self.shown[max(0, len(self.shown) - 1 - self.lag)] if self.lag else self.shown[-1]

    @property
    def whole(self) -> bool:
        """Whether it has every byte of every part."""
        return all(self.stored[part] == (content(part), part.size) for part in self.sends)


@dataclass
class Run:
    """One process on its way through an upload: its ledger, and what its journal keeps.

    Attributes:
        journal: The rows that it leaves behind.
        waited_s: How long it waited for listings, in seconds.
    """

    service: Service
    made: Plan = PLAN
    journal: list[PartSeen] = field(default_factory=list)
    sha256: bool = True
    waited_s: float = 0.0
    lists: int = 0
    ledger: PartLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = PartLedger(self.made)
        for row in self.journal:
            self.ledger.seen(row)
        if self.service.stored:
            self.ledger.listed(self.service.list())

    def see(self, event: PartSeen) -> None:
        self.journal.append(
            PartSeen(
                part=event.part, digest=event.digest, checksum=event.checksum, origin="journal"
            )
        )
        self.ledger.seen(event)

    def go(self, *, side_by_side: int = 1, steps: int = 10_000) -> bool:
        """Does what the ledger says until it is ready, so many parts at a time."""
        out: list[SendPart | CheckPart] = []
        for _ in range(steps):
            if self.ledger.ready:
                return True
            work = self.ledger.take() if len(out) < side_by_side else None
            if isinstance(work, ListAgain):
                assert not out
                self.waited_s += work.after_s
                self.lists += 1
                self.ledger.listed(self.service.list())
            elif work is not None:
                out.append(work)
            else:
                assert out, "nothing to do, nothing under way, and not ready"
                self.bring_back(out.pop(0))
        return False

    def bring_back(self, work: SendPart | CheckPart) -> None:
        part, ours = work.part, digest(work.part, sha256=self.sha256)
        if isinstance(work, SendPart):
            text: str | None = self.service.send(part)
            self.see(PartSeen(part=part, digest=ours, checksum=text, origin="sent"))
        else:
            ours = digest(part)
            text = self.ledger.confirmed(part, ours)
            self.see(PartSeen(part=part, digest=ours, checksum=text, origin="checked"))


FAULTS = st.lists(st.sampled_from([None, "cut"]), max_size=MAX_SENDS - 1)
FORMS = st.sampled_from(["base64", "hex", "mixed", "opaque", "another", "another-mixed"])


@given(
    form=FORMS,
    faults=st.fixed_dictionaries(dict.fromkeys(PARTS, FAULTS)),
    lag=st.integers(0, 3),
    with_checksums=st.booleans(),
    with_times=st.booleans(),
    sha256=st.booleans(),
    cuts=st.lists(st.integers(1, 30), max_size=4),
    keep_journal=st.lists(st.booleans(), min_size=4, max_size=4),
    side_by_side=st.integers(1, 4),
)
@settings(max_examples=500)
def test_whatever_is_cut_short_or_lags_it_ends_with_every_byte_there(
    form: Form,
    faults: dict[Part, list[Fault | None]],
    lag: int,
    with_checksums: bool,
    with_times: bool,
    sha256: bool,
    cuts: list[int],
    keep_journal: list[bool],
    side_by_side: int,
) -> None:
    # What a listing shows may be what a run had sent before another one, and both journals are
    # lost: nothing tells then that a part came after it, and was cut short.
    assume(lag == 0 or all(keep_journal))
    service = Service(form, faults, lag, with_checksums, with_times)
    journal: list[PartSeen] = []
    for cut, keep in [*zip(cuts, keep_journal, strict=False), (10_000, True)]:
        run = Run(service, journal=list(journal), sha256=sha256)
        ready = run.go(side_by_side=side_by_side, steps=cut)
        journal = run.journal if keep else []
    assert ready
    assert set(service.stored) == set(PARTS)
    assert service.whole


@pytest.mark.parametrize("with_times", [True, False])
@pytest.mark.parametrize("sha256", [True, False])
def test_a_part_cut_short_is_not_taken_for_the_one_that_an_earlier_run_had_sent(
    *, sha256: bool, with_times: bool
) -> None:
    """The earlier run's journal is lost, and no listing showed its part before this run sent it."""
    made = plan(4, part_size=4)
    (part,) = made.parts()
    service = Service(lag=1, with_times=with_times)
    service.list()
    service.send(part)
    service.faults[part] = ["cut"]
    assert Run(service, made, sha256=sha256).go()
    assert service.stored[part] == (content(part), part.size)


@given(form=FORMS, lag=st.integers(0, 5), side_by_side=st.integers(1, 16), sha256=st.booleans())
def test_a_service_that_keeps_what_it_gets_is_sent_each_part_once(
    form: Form, lag: int, side_by_side: int, sha256: bool
) -> None:
    service = Service(form, lag=lag)
    assert Run(service, sha256=sha256).go(side_by_side=side_by_side)
    # One is sent again to find out that the checksums are of another algorithm.
    again = form.startswith("another") and sha256
    assert sorted(service.sends.values()) == [1] * (len(PARTS) - again) + [2] * again


@given(
    form=st.sampled_from(["base64", "hex", "mixed"]),
    damaged=st.dictionaries(
        st.sampled_from(PARTS),
        st.lists(st.sampled_from([None, "cut", "damaged"]), max_size=MAX_SENDS - 1),
    ),
    lag=st.integers(0, 3),
    side_by_side=st.integers(1, 4),
)
@settings(max_examples=300)
def test_damage_is_found_while_any_part_shows_that_the_algorithm_is_ours(
    form: Form, damaged: dict[Part, list[Fault | None]], lag: int, side_by_side: int
) -> None:
    damaged.pop(PARTS[-1], None)
    service = Service(form, {part: list(each) for part, each in damaged.items()}, lag)
    run = Run(service)
    assert run.go(side_by_side=side_by_side)
    assert service.whole
    assert run.ledger.verified == "sha256"


@given(
    form=FORMS,
    fault=st.sampled_from(["cut", "damaged"]),
    lag=st.integers(0, 8),
    side_by_side=st.integers(1, 4),
)
def test_what_never_arrives_whole_ends_in_an_error_with_true_words(
    form: Form, fault: Fault, lag: int, side_by_side: int
) -> None:
    service = Service(form, {PARTS[1]: [fault] * 100}, lag)
    run = Run(service)
    if fault == "damaged" and form in ("opaque", "another", "another-mixed"):
        assert run.go(side_by_side=side_by_side)  # nobody can tell from outside
        assert run.ledger.verified == "opaque"
        return
    with pytest.raises(IntegrityError) as caught:
        run.go(side_by_side=side_by_side)
    assert service.sends[PARTS[1]] == MAX_SENDS
    assert f"part {PARTS[1].number} was sent {MAX_SENDS} times" in caught.value.message
    by_size = form in ("opaque", "another", "another-mixed")
    assert (f"with {PARTS[1].size - 1} of its {PARTS[1].size} bytes" in caught.value.message) == (
        by_size
    )
    blames_here = any(word in str(caught.value.hint) for word in ("memory", "disk", "proxy"))
    assert blames_here != by_size


# --- cut short ----------------------------------------------------------------------------------


def seen(part: Part, text: str, *, origin: str = "sent") -> PartSeen:
    return PartSeen(
        part=part,
        digest=digest(part),
        checksum=text,
        origin=origin,  # type: ignore[arg-type] # the test's own literals
    )


@pytest.mark.parametrize("form", ["base64", "opaque", "another"])
def test_a_listing_that_shows_another_size_has_the_part_sent_again_at_once(form: Form) -> None:
    made = plan(4, part_size=4)
    part = next(made.parts())
    ledger, service = PartLedger(made), Service(form)
    for _ in range(2 if form == "another" else 1):
        assert ledger.take() == SendPart(part)
        ledger.seen(seen(part, service.send(part)))
    assert ledger.verdict(part) is (Verdict.PROVEN if form == "base64" else Verdict.LIST)
    assert ledger.must_list
    assert ledger.take() == ListAgain()
    (row,) = service.list()
    ledger.listed((UploadPart(row.source, row.number, 3, row.checksum),))
    assert list(ledger.cut_short()) == [(part, 3)]
    assert ledger.take() == SendPart(part)
    ledger.seen(seen(part, service.send(part)))
    assert ledger.take() == ListAgain()
    ledger.listed(service.list())
    assert ledger.ready
    assert not list(ledger.cut_short())


@pytest.mark.parametrize(
    ("parts", "form", "lists"),
    [(300, "base64", 1), (301, "base64", 0), (301, "opaque", 1), (301, "another", 1)],
)
def test_a_listing_before_complete_is_made_where_it_is_cheap_or_needed(
    parts: int, form: Form, lists: int
) -> None:
    run = Run(Service(form), made=plan(parts, part_size=1))
    assert run.go(side_by_side=16)
    assert run.lists == lists


def test_what_was_proven_by_a_listing_is_not_listed_again() -> None:
    service = Service()
    first = Run(service)
    assert first.go()
    second = Run(service, journal=first.journal)
    assert second.ledger.ready
    assert second.ledger.take() is None


@pytest.mark.parametrize("form", ["opaque", "another"])
def test_a_listing_that_lags_is_waited_for_as_long_as_there_is_patience(form: Form) -> None:
    service = Service(form, lag=9)
    run = Run(service)
    run.service.shown = [()]
    assert run.go()
    assert run.waited_s == 75
    assert sum(service.sends.values()) == len(PARTS) + (form == "another")


def test_a_listing_that_never_shows_what_was_taken_is_given_up() -> None:
    service = Service("opaque")
    run = Run(service)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "list", lambda _: ())
        with pytest.raises(Stopped, match="still does not list it"):
            run.go()
    assert max(service.sends.values()) == MAX_SENDS
    assert run.waited_s == MAX_SENDS * 75


def test_a_reply_that_proves_a_part_needs_no_listing_that_shows_it() -> None:
    service = Service()
    run = Run(service)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "list", lambda _: ())
        assert run.go()
    assert (run.waited_s, run.lists) == (0, 1)


def test_a_listing_that_is_as_before_the_part_was_sent_is_waited_out() -> None:
    part = PARTS[0]
    ledger = PartLedger(PLAN)
    short = UploadPart(part.source, part.number, 3, "opaque-short")
    others = tuple(
        UploadPart(each.source, each.number, each.size, checksum(each)) for each in PARTS[1:]
    )
    for each in PARTS[1:]:
        ledger.seen(seen(each, checksum(each), origin="journal"))
    ledger.listed((short, *others))
    assert ledger.take() == SendPart(part)
    ledger.seen(seen(part, "opaque-whole"))
    pauses = []
    for _ in range(4):
        work = ledger.take()
        assert isinstance(work, ListAgain)
        pauses.append(work.after_s)
        ledger.listed((short, *others))
    assert pauses == [0.0, 0.5, 1.0, 2.0]
    ledger.take()
    ledger.listed((UploadPart(part.source, part.number, 4, "opaque-whole"), *others))
    assert ledger.ready


# --- another algorithm --------------------------------------------------------------------------


def test_while_one_part_finds_out_the_others_wait() -> None:
    ledger, service = PartLedger(PLAN), Service("another")
    for _ in PARTS:
        assert isinstance(ledger.take(), SendPart)
    for part in PARTS:
        ledger.seen(seen(part, service.send(part)))
    assert ledger.take() == SendPart(PARTS[0])
    assert ledger.take() is None
    ledger.seen(seen(PARTS[0], service.send(PARTS[0])))
    assert ledger.algorithm == "another"
    assert ledger.take() == ListAgain()
    ledger.listed(service.list())
    assert ledger.ready
    assert ledger.verified == "opaque"


def test_what_one_upload_finds_out_saves_the_next_one_the_trial() -> None:
    first = Run(Service("another"))
    assert first.go()
    service = Service("another")
    second = Run(service)
    second.ledger.assume(first.ledger.algorithm)
    assert second.go(side_by_side=4)
    assert set(service.sends.values()) == {1}


def test_the_journal_knows_it_again() -> None:
    service = Service("another")
    first = Run(service)
    assert not first.go(steps=8)
    assert first.ledger.algorithm == "another"
    before = service.sends.copy()
    second = Run(service, journal=first.journal)
    assert second.ledger.algorithm == "another"
    assert second.ledger.counts.proven_parts == len(before)
    assert second.go()
    assert all(service.sends[part] == count for part, count in before.items())


@pytest.mark.parametrize("keep_journal", [True, False])
def test_a_new_process_tries_one_part_and_keeps_what_is_as_recorded(keep_journal: bool) -> None:
    """The upload's own journal has no part twice, since another upload had found out."""
    service = Service("another")
    first = Run(service)
    first.ledger.assume("another")
    assert first.go()
    second = Run(service, journal=first.journal if keep_journal else [])
    assert second.go(side_by_side=4)
    # Without the journal nothing says that the listed strings are of these bytes.
    assert sorted(service.sends.values()) == (
        [1] * (len(PARTS) - 1) + [2] if keep_journal else [2] * len(PARTS)
    )


def test_a_string_that_changes_each_time_is_damage() -> None:
    made = plan(4, part_size=4)
    part = next(made.parts())
    ledger = PartLedger(made)
    for each in (b"1", b"2"):
        assert ledger.take() == SendPart(part)
        ledger.seen(seen(part, hashlib.sha256(each).hexdigest()))
    assert ledger.take() == SendPart(part)
    with pytest.raises(IntegrityError, match="not that of the bytes") as caught:
        ledger.seen(seen(part, hashlib.sha256(b"3").hexdigest()))
    assert "not always in the same way" in str(caught.value.hint)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_same_wrong_string_is_damage_where_others_are_our_sha256(when: str) -> None:
    wrong = hashlib.sha256(b"filtered").hexdigest()
    ledger = PartLedger(PLAN)
    ledger.take()
    ledger.take()
    if when == "before":
        ledger.seen(seen(PARTS[1], checksum(PARTS[1])))
    ledger.seen(seen(PARTS[0], wrong))
    assert ledger.take() == SendPart(PARTS[0])
    ledger.seen(seen(PARTS[0], wrong))
    assert ledger.algorithm == ("ours" if when == "before" else "another")
    if when == "after":
        assert ledger.verdict(PARTS[0]) is Verdict.LIST
        ledger.seen(seen(PARTS[1], checksum(PARTS[1])))
    assert ledger.algorithm == "ours"
    assert ledger.take() == SendPart(PARTS[0])
    with pytest.raises(IntegrityError, match="sent 3 times") as caught:
        ledger.seen(seen(PARTS[0], wrong))
    assert "in the same way each time" in str(caught.value.hint)


def test_what_another_upload_showed_of_the_algorithm_counts_for_a_lone_part() -> None:
    made = plan(4, part_size=4)
    part = next(made.parts())
    ledger = PartLedger(made)
    ledger.assume("ours")
    wrong = hashlib.sha256(b"filtered").hexdigest()
    for _ in range(2):
        assert ledger.take() == SendPart(part)
        ledger.seen(seen(part, wrong))
    assert ledger.take() == SendPart(part)
    with pytest.raises(IntegrityError, match="sent 3 times"):
        ledger.seen(seen(part, wrong))


def test_a_completed_upload_of_another_algorithm_stays_proven() -> None:
    service = Service("another")
    first = Run(service)
    first.ledger.assume("another")
    assert first.go()
    again = PartLedger(PLAN)
    for row in first.journal:
        again.seen(row)
    again.completed()
    assert again.all_proven
    assert again.verified == "opaque"


def test_complete_gets_the_string_of_the_reply_also_where_the_listing_writes_it_otherwise() -> None:
    service = Service("mixed")
    run = Run(service)
    assert run.go()
    assert [row.checksum for row in run.ledger.for_complete()] == [
        digest(part)["sha256"].hex() for part in PARTS
    ]
