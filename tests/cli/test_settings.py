"""The settings file, where each setting comes from, and what the shell completes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from turboupload import __version__
from turboupload.cli.main import cli

FILE = """
store = "1234567890"
max-bandwidth = "200MiB/s"
concurrency = 8
quota = ["UploadReadSetPart=20"]
wait = false

[batch]
fail-fast = true
store = "2345678901"

[readsets.list]
limit = 3

[profiles.nova]
store = "3456789012"

[profiles.nova.batch]
max-failures = 5
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a settings file where it is looked for."""
    for name in [each for each in os.environ if each.startswith("TURBOUPLOAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    folder = tmp_path / "etc" / "turboupload"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(FILE)
    return folder


def run(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == code, done.output
    return done


def shown(*words: str) -> dict[str, tuple[object, str]]:
    """What `config show --json` says: value and source by option."""
    lines = [json.loads(line) for line in run(*words, "--json").stdout.splitlines()]
    assert lines[-1]["event"] == "config.show.finished"
    return {each["option"]: (each["value"], each["source"]) for each in lines[:-1]}


def test_settings_come_from_the_file_and_the_more_special_table_wins(home: Path) -> None:
    path = home / "config.toml"
    found = shown("config", "show", "batch")
    assert found["store"] == ("2345678901", f"file: {path}: `store` in [batch]")
    assert found["max-bandwidth"] == ("200MiB/s", f"file: {path}: `max-bandwidth`")
    assert found["fail-fast"] == (True, f"file: {path}: `fail-fast` in [batch]")
    assert found["wait"] == (False, f"file: {path}: `wait`")
    assert found["quota"][0] == ["UploadReadSetPart=20"]
    assert shown("config", "show", "readsets", "list")["limit"][0] == "3"


def test_a_profile_adds_to_the_file(home: Path) -> None:
    found = shown("--config-profile", "nova", "config", "show", "batch")
    assert found["store"][0] == "3456789012"
    assert found["max-failures"][0] == "5"
    assert found["max-bandwidth"][0] == "200MiB/s"


def test_the_environment_wins_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURBOUPLOAD_STORE", "9999999999")
    assert shown("config", "show")["store"] == ("9999999999", "environment: TURBOUPLOAD_STORE")


def test_without_all_only_what_is_set_is_shown(home: Path) -> None:
    assert "part-size" not in shown("config", "show")
    assert shown("config", "show", "--all")["stall-timeout"] == ("60s", "default")


def test_without_a_file_nothing_is_said_but_that(home: Path) -> None:
    (home / "config.toml").unlink()
    done = run("config", "show")
    assert "which is not there" in done.stderr
    assert shown("config", "show") == {}


def test_commands_take_their_options_from_the_file(home: Path) -> None:
    """The file gives the store and the bandwidth; what is missing is the name."""
    done = run("upload", "reads.bam", code=2)
    assert "--store" not in done.stderr
    assert "--name" in done.stderr
    (home / "config.toml").write_text('max-bandwidth = "fast"\n')
    done = run("upload", "reads.bam", "--store", "1234567890", "--name", "n", code=2)
    assert f"{home / 'config.toml'}: `max-bandwidth`" in done.stderr
    (home / "config.toml").write_text("store = 12\n")
    done = run("upload", "reads.bam", "--name", "n", code=2)
    assert "'12' is not the id of a store: those are 10 to 36 digits" in done.stderr
    assert f"({home / 'config.toml'}: `store`)" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('stor = "1"', "`stor`: there is no such option; did you mean `store`?"),
        ("[bach]\nquiet = true", "[bach]: there is no such command; did you mean `batch`?"),
        ("[batch]\nlimit = 1", "`limit` in [batch]: there is no such option"),
        ("[profiles.nova.batch]\nlimit = 1", "`limit` in [profiles.nova.batch]"),
        ("[profiles]\nnova = 1", "write a profile as a table"),
        ("store = [", "is not TOML"),
        pytest.param("store = " + "[" * 5000, "is not TOML: nested too deep", id="deep"),
        ("quiet = 1", "`quiet` must be true or false, not 1"),
        ("verbose = true", "`verbose` must be a number, not True"),
        ("store = true", "`store` must be text or a number"),
        ('store = ["1", "2"]', "`store` must be one value, not a list"),
        ("[upload.more]\nquiet = true", "[upload.more]: there is no such command"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_place(home: Path, text: str, said: str) -> None:
    path = home / "config.toml"
    path.write_text(text)
    for words in (["config", "show"], ["upload", "x.bam", "--name", "n", "--json"]):
        done = run(*words, code=2)
        assert f"{path}: {said}" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["outcome"] == "usage"


def test_a_file_or_profile_that_was_named_must_be_there(home: Path) -> None:
    gone = home / "gone.toml"
    assert "no such settings file" in run("--config", str(gone), "config", "show", code=2).stderr
    done = run("--config-profile", "lab", "config", "show", code=2)
    assert "there is no profile 'lab'; it has nova" in done.stderr


@pytest.fixture
def homeless(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of whom the system knows nothing, as in some containers."""

    def unknown(uid: int) -> object:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_has_no_settings_and_every_command_works(tmp_path: Path) -> None:
    reads = tmp_path / "reads.fastq"
    reads.write_text("@r1\nACGT\n+\nIIII\n")
    assert "is an uncompressed FASTQ" in run("check", str(reads), code=3).output
    assert shown("config", "show") == {}
    assert "--config names one" in run("--config-profile", "x", "config", "show", code=2).stderr
    assert "no home" in run("completion", "zsh", "--install", code=2).stderr
    assert "no such settings file" in run("--config", "~/x.toml", "check", "x", code=2).stderr


@pytest.mark.parametrize("place", ["file", "/proc/1/root"])
def test_a_place_that_can_hold_no_settings_is_no_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / place))
    assert shown("config", "show") == {}


def test_the_password_of_a_url_is_not_shown(home: Path) -> None:
    (home / "config.toml").write_text('endpoint-url = "https://lab:s3cret@host/path"')
    assert shown("config", "show")["endpoint-url"][0] == "https://…@host/path"


def test_a_command_of_which_settings_are_asked_must_exist(home: Path) -> None:
    assert "did you mean upload or uploads?" in run("config", "show", "uplod", code=2).stderr
    assert "which of its commands: list" in run("config", "show", "readsets", code=2).stderr
    assert "no commands of its own" in run("config", "show", "upload", "x", code=2).stderr


# --- versions and completion ----------------------------------------------------------------------


def test_the_versions_that_matter() -> None:
    said = run("--version").stdout
    assert said.startswith(f"turboupload {__version__}\nPython {sys.version.split()[0]}, OpenSSL ")
    assert "\nbotocore " in said


def completed(words: str, incomplete: str) -> list[str]:
    """What bash would be told."""
    text = f"turboupload {words}".strip()
    done = subprocess.run(
        [sys.executable, "-m", "turboupload"],
        env={
            **os.environ,
            "_TURBOUPLOAD_COMPLETE": "bash_complete",
            "COMP_WORDS": f"{text} {incomplete}",
            "COMP_CWORD": str(len(text.split())),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.split()


def test_commands_options_and_files_are_completed() -> None:
    assert "plain,upload" in completed("", "upl")
    assert "plain,--max-bandwidth" in completed("upload", "--max")
    assert completed("upload", "rea") == ["file,rea"]
    assert "plain,list" in completed("readsets", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_completion_is_installed_where_the_shell_looks(home: Path, shell: str) -> None:
    done = run("completion", shell, "--install")
    (path,) = [line for line in done.stderr.splitlines() if line.startswith("written: ")]
    script = Path(path.removeprefix("written: ")).read_text()
    assert script.strip() == run("completion", shell).stdout.strip()
    assert "_TURBOUPLOAD_COMPLETE" in script


def test_bash_takes_the_script() -> None:
    script = run("completion", "bash").stdout
    subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=True)
