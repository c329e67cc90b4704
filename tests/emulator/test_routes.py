from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.omics import refusal_of
from turboupload.emulator.model import operation_model, service_model
from turboupload.emulator.operations.service import OPERATIONS
from turboupload.emulator.wire.routes import find_route


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_found_by_its_own_path(operation: str) -> None:
    http = operation_model(operation).http
    path = http["requestUri"]
    names = [piece.partition("}")[0] for piece in path.split("{")[1:]]
    for name in names:
        path = path.replace(f"{{{name}}}", "12345%2F7890")
    route = find_route(http["method"], path)
    assert route.operation == operation
    assert route.labels == dict.fromkeys(names, "12345/7890")


def test_the_operations_are_all_those_of_sequence_stores_but_the_ones_left_out() -> None:
    left_out = {
        "StartReadSetActivationJob",
        "GetReadSetActivationJob",
        "ListReadSetActivationJobs",
        "StartReadSetExportJob",
        "GetReadSetExportJob",
        "ListReadSetExportJobs",
    }
    of_stores = {
        name
        for name in service_model().operation_names
        if "ReadSet" in name or "SequenceStore" in name
    }
    tags = {"TagResource", "UntagResource", "ListTagsForResource"}
    assert set(OPERATIONS) == of_stores - left_out | tags


@given(method=st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE"]), path=st.text(max_size=80))
def test_any_path_is_an_operation_or_refused(method: str, path: str) -> None:
    refusal = refusal_of(lambda: find_route(method, path))
    assert refusal is None or refusal.code == "UnknownOperationException"
