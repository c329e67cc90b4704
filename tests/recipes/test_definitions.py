"""Definitions of docs/examples that nothing here can run: checked by their schemas and rules."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator

from tests.recipes.conftest import EXAMPLES
from tests.support.commands import command

AWS = EXAMPLES / "aws"
TEXTS = {
    path.relative_to(EXAMPLES).as_posix(): path.read_text()
    for path in sorted(EXAMPLES.rglob("*"))
    if path.is_file() and path.suffix != ".md"
}


def load(name: str) -> Any:
    return json.loads((AWS / name).read_text())


@pytest.mark.parametrize("name", [n for n in TEXTS if "turboupload " in TEXTS[n]])
def test_commands_have_options_that_exist(name: str) -> None:
    joined = TEXTS[name].replace("\\\\\n", " ").replace("\\\n", " ").replace('"\n', "")
    for words in re.findall(r"turboupload (upload|batch) ([^\n]*)", joined):
        known = {opt for each in command(words[0]).params for opt in each.opts}
        used = set(re.findall(r"(?<![\w-])--[a-z-]+", words[1]))
        assert used <= known | {"--read-only"}, name


def test_the_job_definition_is_one_of_batch() -> None:
    model: Any = botocore.session.get_session().get_service_model("batch")
    shape = model.operation_model("RegisterJobDefinition").input_shape
    definition = load("batch-job-definition.json")
    report = ParamValidator().validate(definition, shape)
    assert not report.has_errors(), report.generate_report()
    container = definition["containerProperties"]
    assert container["readonlyRootFilesystem"]
    assert ParamValidator().validate({"jobDefinitionName": 5}, shape).has_errors()
    asked = {word[5:] for word in container["command"] if word.startswith("Ref::")}
    assert asked == set(definition["parameters"])
    known = {opt for each in command("upload").params for opt in each.opts}
    assert {word for word in container["command"] if word.startswith("--")} <= known
    volumes = {each["name"] for each in container["volumes"]}
    assert {each["sourceVolume"] for each in container["mountPoints"]} == volumes


def test_the_state_machine_starts_the_job_with_its_parameters() -> None:
    (machine,) = load("state-machine.asl.json")["States"].values()
    inner = machine["ItemProcessor"]
    upload = inner["States"][inner["StartAt"]]
    given = {key.removesuffix(".$") for key in upload["Parameters"]["Parameters"]}
    assert given == set(load("batch-job-definition.json")["parameters"])
    assert {each["Next"] for each in upload["Catch"]} <= set(inner["States"])
    model: Any = botocore.session.get_session().get_service_model("batch")
    members = model.operation_model("SubmitJob").input_shape.members
    names = {each.removesuffix(".$") for each in upload["Parameters"]}
    assert {name[0].lower() + name[1:] for name in names} <= set(members)


def test_the_state_machine_is_in_amazon_states_language() -> None:
    cfnlint: Any = pytest.importorskip("cfnlint")
    folder = Path(cfnlint.__file__).parent / "data" / "schemas" / "other" / "step_functions"
    schema = json.loads((folder / "statemachine.json").read_text())
    machine = load("state-machine.asl.json")
    jsonschema.Draft7Validator(schema).validate(machine)
    del machine["StartAt"]
    assert not jsonschema.Draft7Validator(schema).is_valid(machine)


def test_the_units_are_units() -> None:
    tool = shutil.which("systemd-analyze")
    service = EXAMPLES / "systemd" / "turboupload-batch@.service"
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(service)
    assert parser["Service"]["NoNewPrivileges"] == "yes"
    restarts = parser["Service"]["RestartForceExitStatus"].split()
    never = parser["Service"]["RestartPreventExitStatus"].split()
    assert not set(restarts) & set(never)
    path = TEXTS["systemd/turboupload-batch@.path"]
    # PathExists= would start the batch again as soon as it has ended, whatever became of it.
    assert re.findall(r"^(Path\w+)=", path, re.M) == ["PathChanged"]
    if tool is None:
        pytest.skip("systemd-analyze is missing: its verdict is left out")
    done = subprocess.run(
        [tool, "verify", "--recursive-errors=no", "--man=no", str(service),
         str(service.with_suffix(".path"))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    wrong = [
        line
        for line in done.stderr.splitlines()
        # What isn't installed on this machine, and older versions than the unit is for.
        if "turboupload" in line and "is not executable" not in line and "RestartForce" not in line
    ]
    assert not wrong


def test_the_image_runs_without_rights_and_keeps_its_state() -> None:
    lines = [
        line.split(maxsplit=1)
        for line in TEXTS["docker/Dockerfile"].replace("\\\n", " ").splitlines()
        if line and not line.startswith("#")
    ]
    last = max(n for n, (word, _) in enumerate(lines) if word == "FROM")
    final = {line[0]: line[1] for line in lines[last:]}
    assert final["USER"] == "65532:65532"
    assert final["VOLUME"] == "/state"
    assert "TURBOUPLOAD_STATE_DIR=/state" in final["ENV"]
    assert json.loads(final["ENTRYPOINT"]) == ["turboupload"]
    for word, rest in lines:
        assert word in {
            "ARG", "FROM", "RUN", "COPY", "ENV", "USER", "VOLUME", "WORKDIR", "STOPSIGNAL",
            "ENTRYPOINT", "CMD",
        }  # fmt: skip
        assert "latest" not in rest, "an image is named by its version"


@pytest.mark.parametrize("name", [n for n in TEXTS if n.endswith(".sh")])
def test_scripts_are_bash(name: str) -> None:
    subprocess.run(["/bin/bash", "-n", str(EXAMPLES / name)], check=True)


def test_the_nextflow_process_is_whole() -> None:
    """Nextflow is not tried: only that brackets and quotes close, and what it calls exists."""
    text = re.sub(r"//[^\n]*", "", TEXTS["nextflow/main.nf"])
    for opening, closing in ("{}", "()", "[]"):
        assert text.count(opening) == text.count(closing)
    assert text.count('"""') == 2
    assert re.search(r"process UPLOAD \{.*input:.*output:.*script:", text, re.S)


PARSE = """
import org.codehaus.groovy.control.*
def unit = new CompilationUnit()
unit.addSource(new File(args[0]))
unit.compile(Phases.CONVERSION)
"""


def test_the_nextflow_script_is_one_for_groovy(tmp_path: Path) -> None:
    """Nextflow's language is Groovy's syntax; what its words mean stays untried."""
    groovy, java = shutil.which("groovy"), shutil.which("java")
    if groovy is None or java is None:
        pytest.skip("groovy is missing: its verdict on the script of Nextflow is left out")
    (tmp_path / "parse.groovy").write_text(PARSE)
    text = TEXTS["nextflow/main.nf"]
    (tmp_path / "good.groovy").write_text(text)
    (tmp_path / "bad.groovy").write_text(text.replace("maxRetries 3", "maxRetries 3 )"))

    def parsed(name: str) -> bool:
        done = subprocess.run(
            [groovy, "parse.groovy", name],
            cwd=tmp_path, env={**os.environ, "JAVA_HOME": str(Path(java).resolve().parents[1])},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0 or "startup failed" in done.stderr, done.stderr
        return done.returncode == 0

    assert parsed("good.groovy")
    assert not parsed("bad.groovy")
