"""Looking for runs: in a folder as instruments leave it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from turboupload.core.watch.sentinels import SENTINELS
from turboupload.errors import InputError
from turboupload.files import watched
from turboupload.files.watched import find_runs, network_file_system, require_over, snapshot


def make(root: Path, *files: str) -> None:
    for at, name in enumerate(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, ns=(at * 10**9, at * 10**9))


def test_runs_are_found_by_what_ends_them_the_oldest_first(tmp_path: Path) -> None:
    make(
        tmp_path,
        "241103_A0_1/CopyComplete.txt",
        "exp1/sampleA/2024_MN1/final_summary_1.txt",
        "r84001/1_A01/metadata/m84001.transferdone",
        "r84001/1_B01/hifi_reads/m84001.bam",
        "r64/1_A01/.m64001.transferdone",
        "fastq/Logs/FastqComplete.txt",
        "being written/Data/x.bcl",
        ".hidden/CopyComplete.txt",
        "CopyComplete.txt",
        "a/b/c/d/e/CopyComplete.txt",
    )
    found = find_runs(str(tmp_path), lambda run: SENTINELS)
    ended = [(each.run, each.sentinel) for each in found if each.sentinel]
    assert ended == [
        ("241103_A0_1", "CopyComplete.txt"),
        ("exp1/sampleA/2024_MN1", "final_summary_1.txt"),
        ("r84001/1_A01", "metadata/m84001.transferdone"),
        ("r64/1_A01", ".m64001.transferdone"),
        ("fastq", "Logs/FastqComplete.txt"),
    ]
    assert {each.run for each in found if not each.sentinel} == {"being written", "a"}


def test_rules_say_where_a_run_is_and_what_ends_it(tmp_path: Path) -> None:
    make(tmp_path, "one/CopyComplete.txt", "two/x", "three/CopyComplete.txt", "three/in/x")
    found = find_runs(str(tmp_path), lambda run: {"one": None, "two": ()}.get(run, SENTINELS))
    assert [(each.run, each.sentinel) for each in found] == [
        ("two", ""), ("three", "CopyComplete.txt"),
    ]  # fmt: skip


def test_an_illumina_run_that_is_written_is_not_searched_and_links_are_followed_once(
    tmp_path: Path,
) -> None:
    make(tmp_path, "run/RunInfo.xml", "run/Analysis/1/CopyComplete.txt", "real/in/x")
    (tmp_path / "watched").mkdir()
    for name in ("run", "real"):
        (tmp_path / "watched" / name).symlink_to(tmp_path / name)
    (tmp_path / "real/in/loop").symlink_to(tmp_path / "watched")
    found = find_runs(str(tmp_path / "watched"), lambda run: SENTINELS)
    assert [(each.run, each.sentinel) for each in found] == [("real", ""), ("run", "")]


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        find_runs(str(tmp_path / "nowhere"), lambda run: SENTINELS)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (["Analysis/1/Data/a.fastq.gz"], "Analysis/1 has no CopyComplete.txt"),
        (["Analysis/1/CopyComplete.txt", "Analysis/2/x"], "Analysis/2 has no"),
        (["Logs/Info.log"], "no FastqComplete.txt"),
    ],
)
def test_an_analysis_that_is_at_work_keeps_a_run_from_being_over(
    tmp_path: Path, files: list[str], why: str
) -> None:
    require_over(str(tmp_path))
    make(tmp_path, *files)
    with pytest.raises(InputError, match=why):
        require_over(str(tmp_path))
    make(tmp_path, "Analysis/1/CopyComplete.txt", "Analysis/2/CopyComplete.txt",
         "Logs/FastqComplete.txt")  # fmt: skip
    require_over(str(tmp_path))


def test_a_snapshot_sees_what_is_written_added_and_replaced(tmp_path: Path) -> None:
    make(tmp_path, "a", "b")
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    seen = {snapshot(paths)}
    assert snapshot(paths) in seen
    (tmp_path / "a").write_text("longer")
    seen.add(snapshot(paths))
    make(tmp_path, "new")
    seen.add(snapshot(paths))
    (tmp_path / "other").write_text("x")
    os.utime(tmp_path / "other", ns=(10**9, 10**9))
    (tmp_path / "other").replace(tmp_path / "b")
    seen.add(snapshot(paths))
    assert len(seen) == 4
    (tmp_path / "b").unlink()
    with pytest.raises(InputError, match="is gone"):
        snapshot(paths)


def test_file_systems_of_others_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    place = os.path.realpath(tmp_path).replace(" ", "\\040")
    monkeypatch.setattr(watched, "_MOUNTS", mounts)
    assert network_file_system(str(tmp_path)) is None
    for kind, told in (("nfs4", "nfs4"), ("cifs", "cifs"), ("ext4", None), ("fuse.sshfs",) * 2):
        mounts.write_text(f"/dev/x / ext4 rw 0 0\nserver:/x {place} {kind} rw 0 0\n")
        assert network_file_system(str(tmp_path / "inner")) == told
