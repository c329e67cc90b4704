"""`turboupload watch` as its user has it: rules, states, signals, and two of them."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.cli.ran import Ran
from tests.support.samples import fastq

Within = Callable[..., Ran]
NOW = ("--settle", "1s", "--listing-lag", "1s")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def add_run(runs: Path, name: str, *samples: str, over: bool = True) -> None:
    place = runs / name
    place.mkdir(parents=True)
    for seed, sample in enumerate(samples, 1):
        fastq(place / f"{sample}.fastq.gz", reads=20, seed=seed)
    if over:
        (place / "CopyComplete.txt").touch()


def statuses(ran: Ran) -> dict[str, str]:
    return {each["run"]: each["status"] for each in ran.events if each["event"] == "watch.run"}


def test_rules_give_each_run_its_own(within: Within, runs: Path, tmp_path: Path) -> None:
    add_run(runs, "A_one", "watchA")
    add_run(runs, "B_two", "watchB")
    add_run(runs, "C_three", "watchC")
    rules = tmp_path / "watch.toml"
    rules.write_text(
        '[[run]]\nmatch = "A_*"\nsubject = "subject-a"\ntag = ["lab=one", "kind=x"]\nprove = true\n'
        '[[run]]\nmatch = "B_*"\nskip = true\n'
        '[[run]]\nsubject-from = "watch(.)"\nsettle = "1s"\ngenerated-from = "three"\n'
    )
    ran = within("watch", runs, "--rules", rules, "--once", "--json", *NOW)
    assert ran.code == 0, ran.err
    assert statuses(ran) == {"A_one": "done", "C_three": "done"}
    assert ran.last["counts"] == {"done": 2}
    listed = within("readsets", "list", "--json", "--sample", "watchA").events[0]
    assert listed["subject_id"] == "subject-a"
    listed = within("readsets", "list", "--json", "--sample", "watchC").events[0]
    assert (listed["subject_id"], listed["generated_from"]) == ("C", "three")
    assert within("watch", runs, "--status", "--json").last["counts"] == {"done": 2}
    jobs = within("jobs", "list", "--json", "--all").events
    assert {
        (each["kind"], each["outcome"], each["progress"]["rows"]) for each in jobs if "kind" in each
    } >= {("watch", "ok", 1)}
    # What happens in a run's batch has its name.
    assert {each["run"] for each in ran.events if each["event"] == "batch.row"} == {
        "A_one", "C_three",
    }  # fmt: skip


def test_results_and_a_page_lie_in_a_folder_of_each_run(
    within: Within, runs: Path, tmp_path: Path
) -> None:
    add_run(runs, "paged", "pagedA")
    place = tmp_path / "out"
    ran = within(
        "watch", runs, "--once", *NOW, "--output", place, "--report", "page.html", "--quiet",
        "--results-format", "healthomics-run",
    )  # fmt: skip
    assert (ran.code, ran.out) == (0, ""), ran.err
    (folder,) = place.iterdir()
    assert {each.name for each in folder.iterdir()} == {
        "notes.txt", "page.html", "results.csv", "run-settings.json", "sheet.csv",
    }  # fmt: skip
    assert ",active," in (folder / "results.csv").read_text()
    (settings,) = json.loads((folder / "run-settings.json").read_text())
    assert "pagedA" in settings["name"]


def test_the_chunks_of_a_run_become_one_read_set(
    within: Within, runs: Path, tmp_path: Path
) -> None:
    reads = runs / "20251103_1200_MN1_FAX9_abcd" / "fastq_pass" / "barcode01"
    reads.mkdir(parents=True)
    for chunk in range(3):
        fastq(reads / f"FAX9_pass_barcode01_abcd_{chunk}.fastq.gz", reads=9, seed=chunk)
    (runs / "20251103_1200_MN1_FAX9_abcd" / "final_summary_FAX9.txt").touch()
    rules = tmp_path / "watch.toml"
    rules.write_text('[[run]]\nmerge = true\nsample = "nine"\n')
    ran = within("watch", runs, "--once", *NOW, "--rules", rules, "--output", tmp_path / "out")
    assert ran.code == 0, ran.err
    (table,) = (tmp_path / "out").glob("*/results.csv")
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert (row["status"], row["sample"]) == ("active", "nine")
    assert row["source1"].count(";") == 2


def test_the_next_run_of_the_same_sample_has_another_name(
    within: Within, runs: Path, tmp_path: Path
) -> None:
    add_run(runs, "week1", "again")
    add_run(runs, "week2", "other", "again")
    ran = within("watch", runs, "--once", "--json", *NOW)
    assert statuses(ran) == {"week1": "done", "week2": "done"}
    listed = within("readsets", "list", "--json", "--sample", "again").events
    found = {(each["name"], each["generated_from"]) for each in listed if "name" in each}
    assert found == {("again_week1", "week1"), ("again_week2", "week2")}


def test_a_rehearsal_says_what_would_be_sent(within: Within, runs: Path) -> None:
    add_run(runs, "dry", "dryA", "dryB")
    add_run(runs, "later", "dryC", over=False)
    ran = within("watch", runs, "--dry-run", "--json")
    assert (ran.code, statuses(ran)) == (0, {"dry": "would send", "later": "waiting"})
    assert within("watch", runs, "--status", "--json").last["runs"] == 0


def test_a_run_that_is_rejected_has_all_that_speaks_against_it(
    within: Within, runs: Path, tmp_path: Path
) -> None:
    add_run(runs, "bad", "badA")
    for name in ("badB", "badC"):
        (runs / f"bad/{name}.fastq.gz").write_bytes(b"\x1f\x8bno gzip")
    ran = within("watch", runs, "--once", *NOW, "--output", tmp_path / "out", "--json")
    assert (ran.code, ran.last["outcome"]) == (5, "stopped")
    assert statuses(ran) == {"bad": "retrying"}
    (text,) = (each.read_text() for each in (tmp_path / "out").glob("*/rejected.txt"))
    assert "badB.fastq.gz: is a damaged gzip file" in text
    assert "badC.fastq.gz: is a damaged gzip file" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[run]\n", "is not TOML"),
        pytest.param("a = " + "[" * 5000, "is not TOML: nested too deep", id="deep"),
        ("", "has no rule"),
        ('store = "1"\n', "each a table [[run]]"),
        ("run = 1\n", "each a table [[run]]"),
        (
            '[[run]]\nsubjet = "x"\n',
            "rule 1: there is no `subjet` in a rule; did you mean `subject`",
        ),
        ("[[run]]\nonce = true\n", "there is no `once` in a rule"),
        ('[[run]]\nsettle = "5"\n', "rule 1: `settle`"),
        ("[[run]]\nmatch = 3\n", "rule 1: `match` is text"),
        ('[[run]]\nskip = "no"\n', "`skip` is true or false, not 'no'"),
        ('[[run]]\nprove = "yes"\n', "`prove` is true or false, not 'yes'"),
        ('[[run]]\nsubject = ["a", "b"]\n', "`subject` is one value"),
        ('[[run]]\npart-size = "big"\n', "rule 1: Invalid value for '--part-size'"),
        ('[[run]]\n[[run]]\nsubject-from = "("\n', "rule 2: Invalid value for '--subject-from'"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(
    within: Within, runs: Path, tmp_path: Path, text: str, told: str
) -> None:
    runs.mkdir()
    (tmp_path / "watch.toml").write_text(text)
    ran = within("watch", runs, "--rules", tmp_path / "watch.toml", "--once")
    assert ran.code == 2
    assert told in ran.err
    assert str(tmp_path / "watch.toml") in ran.err


def test_other_mistakes_are_told_with_the_way_on(
    within: Within, shell: Shell, runs: Path, tmp_path: Path
) -> None:
    runs.mkdir()
    for words, code, told in (
        (["--report", "x/y.html"], 2, "give a name only"),
        (["--again", "none"], 2, "nothing is known of a run 'none'"),
        (["--rules", tmp_path / "none.toml"], 2, "No such file"),
    ):
        ran = within("watch", runs, "--once", *words)
        assert (ran.code, told in ran.err) == (code, True), ran.err
    ran = within("watch", tmp_path / "nowhere", "--once")
    assert ran.code == 3
    del shell.env["TURBOUPLOAD_STORE"]
    assert "there is no store" in within("watch", runs, "--once").err
    (tmp_path / "w.toml").write_text('[[run]]\nstore = "1234567890"\n[[run]]\nmatch = "x"\n')
    ran = within("watch", runs, "--once", "--rules", tmp_path / "w.toml")
    assert "no store for the runs of rule 2" in ran.err


def test_a_watcher_that_is_killed_is_followed_by_another_and_two_never_watch(
    shell: Shell, runs: Path
) -> None:
    """A run comes while it watches; it is killed while it sends; the next one ends it."""
    runs.mkdir()
    stall = {"operation": "UploadReadSetPart", "times": None}
    shell.emulator.set_faults([{**stall, "action": {"type": "stall", "seconds": 600}}])
    first = shell.start("watch", runs, "--json", *NOW)
    first.wait_for(lambda event: event["event"] == "watch.started")
    add_run(runs, "killed", "killedA")
    first.wait_for(lambda event: event["event"] == "watch.run" and event["status"] == "sending")
    second = shell.run("watch", runs, "--once", *NOW)
    assert second.code == 5
    assert "watches this folder" in second.err
    first.signal(signal.SIGKILL)
    first.finish()
    shell.emulator.clear_faults()
    third = shell.start("watch", runs, "--json", *NOW)
    third.wait_for(lambda event: event.get("status") == "done")
    third.signal(signal.SIGTERM)
    ended = third.finish()
    assert (ended.code, ended.last["outcome"]) == (130, "interrupted")
    assert ended.last["counts"] == {"done": 1}
    listed = shell.run("readsets", "list", "--json", "--sample", "killedA").events
    assert [each["status"] for each in listed if "status" in each] == ["ACTIVE"]
