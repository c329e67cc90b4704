"""Any process death, anywhere: client and service killed on every edge, Ctrl-C on every edge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.soak.matrix import Matrix
from tests.soak.site import Site


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with Site(tmp_path_factory.mktemp("matrix"), tls=False) as site:
        yield Matrix(site)


def with_service(edges: list[str]) -> list[str]:
    """The edges on which the death of the service can matter, each kind once."""
    wanted = (
        "after Create", "part 1/1 from byte 4096", "after SendPart 1/2", "before Complete",
        "after Complete", "before GetReadSet",
    )  # fmt: skip
    return [edge for edge in edges if edge in wanted]


def test_the_edges_are_those_of_an_upload_s_whole_life(matrix: Matrix) -> None:
    edges = matrix.edges()
    order = [
        "before ListReadSets", "before ListUploads", "before the row opening",
        "after the row opening", "before Create", "after Create", "before the row opened",
        "after the row opened", "before SendPart 1/1", "part 1/1 from byte 0",
        "part 1/1 from byte 4096", "after SendPart 1/1", "before the row part 1/1",
        "after the row part 1/1", "before the row completing", "after the row completing",
        "before Complete", "after Complete", "before the row completed",
        "after the row completed", "before GetReadSet", "after GetReadSet",
    ]  # fmt: skip
    assert [edge for edge in edges if edge in order] == order
    assert {"after SendPart 1/2", "after the row part 1/2"} <= set(edges)


@pytest.mark.parametrize("keep_journal", [True, False], ids=["journal kept", "journal lost"])
def test_a_client_killed_on_any_edge_makes_one_read_set(matrix: Matrix, keep_journal: bool) -> None:
    outcome = matrix.client_killed(keep_journal=keep_journal)
    assert not outcome.failures
    assert outcome.trials > 30


@pytest.mark.parametrize("client_too", [False, True], ids=["the client lives", "both die"])
def test_a_service_killed_on_an_edge_costs_nothing_that_it_had_acknowledged(
    matrix: Matrix, client_too: bool
) -> None:
    outcome = matrix.service_killed(with_service(matrix.edges()), client_too=client_too)
    assert not outcome.failures
    assert outcome.trials == 6


@pytest.mark.parametrize("deed", ["interrupt", "terminate"])
def test_a_signal_on_any_edge_ends_it_in_time_with_its_journal_whole(
    matrix: Matrix, deed: str
) -> None:
    edges = matrix.edges()
    # Every other edge for each of the two signals.
    outcome = matrix.interrupted(edges[("interrupt", "terminate").index(deed) :: 2], deed=deed)
    assert not outcome.failures
    assert outcome.trials >= 15
