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


@pytest.fixture(scope="module")
def edges(matrix: Matrix) -> list[str]:
    return matrix.edges()


def test_the_edges_are_those_of_an_upload_s_whole_life(edges: list[str]) -> None:
    order = [
        "before ListUploads", "before ListReadSets", "before the row opening",
        "after the row opening", "before Create", "after Create", "before the row opened",
        "after the row opened", "before SendPart 1/1", "part 1/1 from byte 0",
        "part 1/1 from byte 4096", "after SendPart 1/1", "before the row part 1/1",
        "after the row part 1/1", "before the row completing", "after the row completing",
        "before Complete", "after Complete", "before the row completed",
        "after the row completed", "before GetReadSet", "after GetReadSet",
    ]  # fmt: skip
    assert [edge for edge in edges if edge in order] == order
    assert {"after SendPart 1/2", "after the row part 1/2"} <= set(edges)


def test_a_client_killed_on_any_edge_makes_one_read_set(matrix: Matrix, edges: list[str]) -> None:
    outcome = matrix.client_killed(edges, keep_journal=True)
    assert not outcome.failures
    assert outcome.trials == len(edges) > 30


def test_a_client_killed_on_any_edge_with_its_journal_lost_makes_one_read_set(
    matrix: Matrix, edges: list[str]
) -> None:
    # Before its first row there is no journal to lose.
    outcome = matrix.client_killed(
        edges[edges.index("after the row opening") :], keep_journal=False
    )
    assert not outcome.failures
    assert outcome.trials > 20


@pytest.mark.parametrize("client_too", [False, True], ids=["the client lives", "both die"])
def test_a_service_killed_on_an_edge_costs_nothing_that_it_had_acknowledged(
    matrix: Matrix, client_too: bool
) -> None:
    # Where its death can matter, each kind once; the soak tries them all.
    edges = ["after Create", "part 1/1 from byte 4096", "after SendPart 1/2", "after Complete"]
    outcome = matrix.service_killed(edges, client_too=client_too)
    assert not outcome.failures
    assert outcome.trials == len(edges)


@pytest.mark.parametrize(("deed", "first"), [("interrupt", 0), ("terminate", 2)])
def test_a_signal_on_any_edge_ends_it_in_time_with_its_journal_whole(
    matrix: Matrix, edges: list[str], deed: str, first: int
) -> None:
    # Every second edge between the two of them; the soak tries them all with both.
    outcome = matrix.interrupted(edges[first::4], deed=deed)
    assert not outcome.failures
    assert outcome.trials >= 7
