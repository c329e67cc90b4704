"""Simulated worlds in the suite: fresh ones, the same ones again, and slips that they find."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.explore import Limits, explore
from tests.simulation.many import many, read, story
from tests.simulation.mutants import hunt, mutated
from tests.simulation.patches import simulated
from tests.simulation.shrink import shrink
from tests.simulation.spec import Ask, Fault, Host, Janitor, Rules, Spec, draw
from tests.simulation.world import play

WORLDS = 6000
WITHIN_S = 60.0

REPLAYED = (3, 14, 118, 261, 4711, 99_999)

FROM = 100_000
QUICK = {
    "no-last-look": FROM,
    "complete-again-at-once": FROM,
    "sizes-refute": FROM,
    "flapping-is-deleted": FROM,
    "gone-is-nothing": FROM,
    "no-patience": FROM,
    "token-again": FROM,
    "complete-retried": FROM,
    "both-go-on": 200,
    "unchecked-files": FROM,
}
"""Mutants, and a seed from which each is found within seconds; the others take up to a minute, and
are hunted by `scripts/simulate --mutants`."""


@pytest.fixture(autouse=True)
def stage() -> Iterator[None]:
    with simulated():
        yield


@pytest.mark.timeout(300)
def test_fresh_worlds_go_well() -> None:
    seed = random.SystemRandom().randrange(10**9)
    tally = many(seed, WORLDS, within_s=WITHIN_S)
    print(f"seed {seed}: {tally.describe()}")  # noqa: T201 - a failing seed must be known
    assert not tally.failed, "\n".join(story(each.seed) for each in tally.failed[:2])
    # Something must have gone wrong in them, or they show nothing; on a machine with much else
    # to do there may be few of them.
    for what in ("killed", "exit 0", "exit 5") if tally.worlds > 50 else ():
        assert tally.happened[what], what


def test_an_upload_that_two_hosts_cut_differently_is_waited_for() -> None:
    """A third host finds no cut that explains its parts: it may be somebody else's, or ours."""
    world = Spec(
        seed=895_004_683,
        asks=(Ask("s0", "FASTQ", (3, 13), tagged=True),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0, part_bytes=16),
            Host(machine=1, asks=(0,), start=1.5, leaves=True, again="plain", part_bytes=4),
            Host(machine=2, asks=(0,), start=9.8, part_bytes=16),
            Host(machine=1, asks=(0,), start=2.3),
        ),
        rules=Rules(
            lag_read_sets=30.2, unknown_s=0.5, lingers=True, token_s=5.0, checksum="hex", grows=60,
            processing_s=300.0, page_rows=2, latency_s=1.0,
        ),
        faults=(Fault(kind="reply", op="Complete", how="lost"),),
    )  # fmt: skip
    assert play(world).faults == []


def test_an_upload_that_was_left_for_its_cut_and_is_whole_now_goes_first() -> None:
    """The host that left it made one of its own, and the other one was killed and goes on later.

    Were it only looked at for as long as a listing may lag, both would call Complete together.
    """
    world = Spec(
        seed=2_000_013_589,
        asks=(Ask("s0", "FASTQ", (13,)),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0, part_bytes=4),
            Host(machine=1, asks=(0,), start=0.1),
        ),
        rules=Rules(lag_read_sets=4.7, lingers=True, latency_s=0.2),
        faults=(
            Fault(kind="reply", op="SendPart", nth=2, how="cut"),
            Fault(kind="die", op="FindReadSets", nth=2, host=1, how="done"),
        ),
    )
    assert play(world).faults == []


def test_nor_does_it_matter_whether_it_has_as_many_parts_as_when_it_was_left() -> None:
    """Hosts of three cuts replace each other's parts, and the fourth comes while they do."""
    world = Spec(
        seed=4_000_144_502,
        asks=(Ask("s0", "FASTQ", (8, 21)),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0, leaves=True),
            Host(machine=1, asks=(0,), start=10.9),
            Host(machine=2, asks=(0,), start=0.6, part_bytes=16),
            Host(machine=3, asks=(0,), start=0.8, part_bytes=12),
        ),
        rules=Rules(lag_read_sets=2.7, lingers=True, token_s=5.0, processing_s=20.0, latency_s=1.0),
        faults=(Fault(kind="die", op="ListParts", host=0, how="reply"),),
        janitors=(Janitor(machine=2, at=109.2, older_than=3600.0),),
        shuffled=False,
    )
    assert play(world).faults == []


def test_two_hosts_that_wait_for_an_abandoned_upload_make_one_read_set() -> None:
    """Both give it up at the same moment, and the first Complete takes minutes."""
    world = Spec(
        seed=6_100_002_128,
        asks=(Ask("s0", "FASTQ", (8,)),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0),
            Host(machine=1, asks=(0,), start=0.9),
            Host(machine=2, asks=(0,), start=0.5),
        ),
        rules=Rules(latency_s=1.0),
        faults=(
            Fault(kind="reply", op="SendPart", how="cut"),
            Fault(kind="file", op="SendPart", host=1, how="touched"),
            Fault(kind="reply", op="Complete", how="slow", arg=143.6),
        ),
        shuffled=False,
    )
    assert play(world).faults == []


def test_whoever_goes_first_waits_for_the_slow_complete_of_an_upload_that_is_whole() -> None:
    """It was called while the first upload had a part of another length, and wasn't the same."""
    world = Spec(
        seed=9_000_051_463,
        asks=(Ask("s0", "FASTQ", (30,)),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0),
            Host(machine=1, asks=(0,), start=2.5),
        ),
        rules=Rules(),
        faults=(
            Fault(kind="reply", op="SendPart", nth=3, how="cut"),
            Fault(kind="die", op="row part", nth=2, host=0, how="after"),
            Fault(kind="reply", op="Complete", how="slow", arg=150.2),
        ),
    )
    assert play(world).faults == []


@pytest.mark.parametrize("resume", [True, False])
def test_a_complete_that_outlives_its_process_is_waited_for(resume: bool) -> None:
    """The journal tells of it, but not how long it takes."""
    world = Spec(
        seed=8_130_055_262,
        asks=tuple(Ask(f"s{row}", "FASTQ", (size,)) for row, size in enumerate((30, 8, 16))),
        hosts=(Host(machine=0, asks=(0, 1, 2), start=30.2, resume=resume),),
        rules=Rules(latency_s=0.2),
        faults=(
            Fault(kind="reply", op="Complete", nth=2, how="slow", arg=195.5),
            Fault(kind="die", op="row completed", nth=2, host=0, how="after"),
        ),
        shuffled=False,
    )
    assert play(world).faults == []


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(lag_uploads=30.0, lag_parts=30.0), Rules(token="ignored")]
)
def test_a_complete_that_outlives_its_process_and_its_journal_is_waited_for(rules: Rules) -> None:
    """Its upload is whole, and passed over, since the user wants a new one."""
    for seed in range(6):
        world = Spec(
            seed=seed,
            asks=(Ask("s0", "FASTQ", (8,)), Ask("s1", "BAM", (8,))),
            hosts=(Host(machine=0, asks=(0, 1), start=0.0, resume=False),),
            rules=rules,
            faults=(
                Fault(kind="reply", op="Complete", how="slow", arg=178.4),
                Fault(kind="die", op="Complete", nth=2, host=0, how="call"),
                Fault(kind="disk", host=0, run=1, how="lost"),
            ),
            shuffled=False,
        )
        assert play(world).faults == []


@pytest.mark.parametrize("token", ["conflict", "ever"])
def test_an_upload_that_another_host_has_just_opened_is_not_taken_for_the_token_s(
    token: str,
) -> None:
    """It is of other files, and no listing shows yet its parts, nor what the token really made."""
    for seed in range(8):
        world = Spec(
            seed=seed,
            asks=(Ask("s0", "FASTQ", (16,)),),
            hosts=(
                Host(machine=0, asks=(0,), start=0.0),
                Host(machine=1, asks=(0,), start=2.7, twist=9),
                Host(machine=2, asks=(0,), start=0.4),
            ),
            rules=Rules(lag_read_sets=37.1, lag_parts=12.9, token=token),
            faults=(Fault(kind="die", op="Complete", host=1, how="call"),),
            shuffled=seed > 0,
        )
        assert play(world).faults == []


def test_a_host_is_not_blamed_for_what_its_lost_journal_had_told() -> None:
    """The token was used, for the upload that it then completed; nothing shows that any more."""
    world = Spec(
        seed=960_267_723,
        asks=(Ask("s0", "FASTQ", (16,)),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0),
            Host(machine=0, asks=(0,), start=0.8, again="plain"),
        ),
        rules=Rules(lag_read_sets=40.1, token="conflict", token_s=60.0, latency_s=1.0),
        faults=(
            Fault(kind="step", host=0, run=0, arg=15.0),
            Fault(kind="disk", how="lost", host=1, run=2, arg=1.0),
        ),
    )
    assert play(world).faults == []


@pytest.mark.parametrize("token", ["conflict", "ever"])
def test_an_upload_that_others_sent_into_may_still_be_completed_by_who_opened_it(
    token: str,
) -> None:
    """Its parts are put right while another host begins anew, since they are of other files."""
    for seed in range(8):
        world = Spec(
            seed=seed,
            asks=(Ask("s0", "FASTQ", (30, 13)),),
            hosts=(
                Host(machine=0, asks=(0,), start=0.0),
                Host(machine=1, asks=(0,), start=2.7, twist=9, leaves=True),
                Host(machine=2, asks=(0,), start=4.2),
                Host(machine=3, asks=(0,), start=0.4),
            ),
            rules=Rules(lag_read_sets=37.1, lag_parts=12.9, token=token, etags=False),
            faults=(
                Fault(kind="reply", op="Complete", how="503"),
                Fault(kind="die", op="row part", nth=3, host=1, how="after"),
            ),
            shuffled=seed > 0,
        )
        assert play(world).faults == []


def test_hosts_that_wait_for_each_other_s_whole_upload_do_not_stop_at_the_same_moment() -> None:
    """The token is refused for one, and forgotten for the next, so that there are two uploads."""
    for seed in range(12):
        world = Spec(
            seed=seed,
            asks=(Ask("s0", "FASTQ", (16, 16)),),
            hosts=tuple(
                Host(machine=number, asks=(0,), start=start)
                for number, start in enumerate((0.0, 2.8, 1.7))
            ),
            rules=Rules(
                lag_read_sets=50.5,
                lingers=True,
                token="conflict",
                token_s=5.0,
                processing_s=75.0,
                latency_s=1.0,
            ),
            shuffled=seed > 0,
        )
        assert play(world).faults == []


def test_an_upload_that_two_cuts_have_spoilt_may_be_put_right_by_one_of_its_hosts() -> None:
    """A third host, to which the token gave it, leaves it, and begins anew."""
    world = Spec(
        seed=960_764_835,
        asks=(Ask("s0", "FASTQ", (21,)),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0),
            Host(machine=1, asks=(0,), start=54.7),
            Host(machine=2, asks=(0,), start=0.6, part_bytes=16),
        ),
        rules=Rules(lag_uploads=54.9, latency_s=0.2),
        faults=(Fault(kind="reply", op="Complete", nth=2, how="slow", arg=132.2),),
    )
    assert play(world).faults == []


def test_a_complete_is_not_given_up_for_what_befell_the_one_of_the_upload_before() -> None:
    """The first read set was deleted after seven minutes, and each Complete took over a minute."""
    world = Spec(
        seed=8_830_033_063,
        asks=(Ask("s0", "FASTQ", (8,)),),
        hosts=(Host(machine=0, asks=(0,), start=0.0),),
        rules=Rules(processing_s=75.0),
        faults=(
            Fault(kind="reply", op="Complete", how="slow", arg=116.2),
            Fault(kind="delete", arg=2.3),
            Fault(kind="reply", op="Complete", nth=2, how="slow", arg=164.3),
        ),
    )
    played = play(world, tracing=True)
    assert played.faults == []
    assert not any("exit 5" in line for line in played.trace)


@pytest.mark.parametrize("again", ["404", "400", "409"])
def test_a_second_refusal_of_complete_may_mean_that_another_host_has_completed_just_now(
    again: str,
) -> None:
    """The first one was for a part which that host had replaced meanwhile; it cuts otherwise."""
    world = Spec(
        seed=1_010_200_583,
        asks=(Ask("s0", "FASTQ", (21,), made=True),),
        hosts=(
            Host(machine=0, asks=(0,), start=0.0, part_bytes=12),
            Host(machine=1, asks=(0,), start=0.5, part_bytes=16),
        ),
        rules=Rules(lag_read_sets=4.7, lag_uploads=4.6, lag_parts=2.0, again=again, latency_s=1.0),
        faults=(Fault(kind="delete", arg=7.8),),
        janitors=(Janitor(machine=0, at=8.9, older_than=30.0),),
    )
    assert play(world).faults == []


def test_a_forced_run_that_finds_the_upload_of_the_read_set_before_makes_another() -> None:
    """Its reply was lost, so the journal doesn't know that the upload has become a read set."""
    world = Spec(
        seed=2_000_005_887,
        asks=(Ask("s0", "FASTQ", (16,)),),
        hosts=(Host(machine=0, asks=(0,), start=0.0, wait=False, again="force"),),
        rules=Rules(lingers=True, again="same", processing_s=75.0),
        faults=(
            Fault(kind="die", op="Complete", host=0, how="call"),
            Fault(kind="reply", op="Complete", nth=2, how="slow", arg=130.5),
        ),
    )
    assert play(world).faults == []


@pytest.mark.parametrize(
    ("seed", "sizes", "death"),
    [
        (3_000_027_343, (30,), Fault(kind="die", op="SendPart", nth=3, host=0, how="reply")),
        (3_000_027_343, (30,), Fault(kind="die", op="row part", nth=3, host=0, how="before")),
        # As long as a smaller cut would have it.
        (900_193_235, (13, 16), Fault(kind="die", op="SendPart", nth=2, host=0, how="reply")),
    ],
)
def test_a_part_that_was_cut_short_as_its_sender_died_costs_no_other_part(
    seed: int, sizes: tuple[int, ...], death: Fault
) -> None:
    world = Spec(
        seed=seed,
        asks=(Ask("s0", "FASTQ", sizes),),
        hosts=(Host(machine=0, asks=(0,), start=0.0),),
        rules=Rules(),
        faults=(death, Fault(kind="reply", op="SendPart", nth=2, how="cut")),
    )
    assert play(world).faults == []


@pytest.mark.parametrize("again", ["404", "400", "409", "same", "new"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            Fault(kind="die", op="row completed", host=0, how="before"), id="never in the journal"
        ),
        pytest.param(
            Fault(kind="disk", how="older", host=0, run=1, arg=3), id="not in an older journal"
        ),
    ],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_forced_run_beside_a_read_set_that_is_still_processed(
    rows: int, fault: Fault, again: str
) -> None:
    """The upload that it came of is listed until then, and looks like one that may go on."""
    world = Spec(
        seed=2_310_039_508,
        asks=tuple(Ask(f"s{row}", "FASTQ", (8,)) for row in range(rows)),
        hosts=(Host(machine=0, asks=tuple(range(rows)), start=0.0, wait=False, again="force"),),
        rules=Rules(lingers=True, again=again, processing_s=3600.0),
        faults=(fault,),
    )
    assert play(world).faults == []


@pytest.mark.parametrize("how", ["503", "unsent", "lost", "slow"])
@pytest.mark.parametrize(("file_type", "sizes"), [("FASTQ", (16, 16)), ("CRAM", (16,))])
@pytest.mark.parametrize("seed", [5, 10, 38])
def test_a_forced_run_isnt_given_the_read_set_of_the_files_as_they_were(
    seed: int, file_type: str, sizes: tuple[int, ...], how: str
) -> None:
    """A listing shows it only when the files' new upload is to be completed."""
    world = Spec(
        seed=seed,
        asks=(Ask("s0", file_type, sizes),),
        hosts=(Host(machine=0, asks=(0,), start=0.0, wait=False, again="force"),),
        rules=Rules(lag_read_sets=58.1, processing_s=75.0),
        faults=(
            Fault(kind="file", op="Complete", host=0, how="rewritten"),
            Fault(kind="reply", op="Complete", nth=2, how=how, arg=100.0),
        ),
    )
    assert play(world).faults == []


@pytest.mark.parametrize("seed", REPLAYED)
def test_a_world_is_the_same_every_time(seed: int) -> None:
    first = read(draw(seed))
    play(draw(seed + 1))
    assert read(draw(seed)) == first


def test_a_world_is_the_same_in_another_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.simulation", "--world", "118"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert told == {read(draw(118)) + "\n"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", QUICK)
def test_a_slip_in_the_engine_is_found(name: str) -> None:
    hunted = hunt(name, first=QUICK[name], processor_s=60.0)
    assert hunted.seed is not None, f"not in {hunted.worlds} worlds"


def test_a_failing_world_is_made_small() -> None:
    name = "complete-again-at-once"
    hunted = hunt(name, first=FROM, processor_s=60.0)
    assert hunted.seed is not None
    with mutated(name):
        small = shrink(draw(hunted.seed))
        assert play(small).kind == hunted.what.partition(":")[0]
        assert shrink(draw(hunted.seed)) == small
    assert len(small.describe()) < len(draw(hunted.seed).describe())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limits", [Limits(hosts=1, faults=3), Limits(hosts=2, faults=0)], ids=str)
def test_every_interleaving_of_the_core_makes_one_read_set(limits: Limits) -> None:
    found = explore(limits)
    print(f"{limits}: {found.states:,} states")  # noqa: T201 - a shrinking number is a warning
    assert found.wrong == []
    assert found.complete
    assert found.stuck == 0
    assert found.states > 500


def test_an_exploration_finds_what_breaks_the_rules() -> None:
    """Where tokens are ignored and listings lag, some states have two read sets in any case."""
    limits = Limits(hosts=2, faults=0, tokens=False)
    without = len(explore(limits).wrong)
    with mutated("both-go-on"):
        assert len(explore(limits).wrong) > 2 * without
