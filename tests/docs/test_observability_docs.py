"""docs/observability.md has every figure and span, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

import turboupload
from tests.support import samples
from turboupload import observability
from turboupload.core.measures import MEASURES
from turboupload.exporters.prometheus import PrometheusSink
from turboupload.testing import Emulator

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()


def test_the_table_of_figures_is_that_of_the_measures() -> None:
    rows = dict(re.findall(r"^\| `(turboupload\.[\w.]+)` \| (`turboupload_.*) \|$", PAGE, re.M))
    assert list(rows) == [each.name for each in MEASURES]
    registry = CollectorRegistry()
    PrometheusSink(registry)
    known = generate_latest(registry).decode()
    for measure in MEASURES:
        name, labels, about = re.split(r"`? ?\| ?", rows[measure.name], maxsplit=2)
        assert re.search(rf"^# TYPE {name.strip('`')} ", known, re.M)
        assert re.findall(r"`(\w+)", labels) == list(measure.labels)
        assert about == measure.help


def test_the_sink_of_the_page_counts_retries(tmp_path: Path) -> None:
    (code,) = (each for each in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "Counter" in each)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - our own page
    path = samples.fastq(tmp_path / "a.fastq.gz").path
    read_set = turboupload.ReadSet(sources=[path], name="a", sample_id="a", subject_id="a")
    with Emulator() as emulator:
        emulator.faults.throttle("UploadReadSetPart")
        turboupload.upload_sync(
            read_set, store_id=emulator.store_id, config=emulator.upload_config()
        )
    assert names["retries"] == {"UploadReadSetPart": 1}
    names["remove"]()  # type: ignore[operator]
    assert {"add_sink", "to_opentelemetry", "to_prometheus"} <= set(observability.__all__)
