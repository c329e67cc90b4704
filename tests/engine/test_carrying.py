"""Parts that others send: what they answer counts, and what they leave undone is looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.engine.conftest import Bench
from turboupload.core.model import Part
from turboupload.core.proof.checksum import computed_for
from turboupload.core.rate.meter import Limiter
from turboupload.core.upload.events import PartSeen
from turboupload.engine.run import PartLost, Run
from turboupload.errors import Stopped
from turboupload.files.source import PartReader


class Others:
    """Other machines, each of which is lost with its first parts.

    Args:
        bench: Has the service.
        lost_before: Numbers of parts that are lost before they are sent, the first time.
        lost_after: Of parts that are lost when the service has them, and nobody heard of it.
    """

    room = 3
    limited_by: Limiter | None = "network"

    def __init__(
        self,
        bench: Bench,
        *,
        lost_before: Iterable[int] = (),
        lost_after: Iterable[int] = (),
    ) -> None:
        self._bench = bench
        self._lost_before = set(lost_before)
        self._lost_after = set(lost_after)
        self.sent = Counter[int]()
        self.in_hand = self.most_in_hand = 0

    async def send(self, run: Run, part: Part) -> PartSeen:
        if part.number in self._lost_before:
            self._lost_before.discard(part.number)
            raise PartLost
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        source = run.upload.plan.source(part.source)
        assert source is not None
        reader = PartReader(source, part, computed_for("sha256"))
        checksum = await self._bench.service.send_part(
            run.ref, part, lambda: reader, lambda _: None
        )
        self.sent[part.number] += 1
        self.in_hand -= 1
        if part.number in self._lost_after:
            self._lost_after.discard(part.number)
            raise PartLost
        return PartSeen(part=part, digest=reader.digest(), checksum=checksum, origin="sent")


async def test_a_lost_part_is_sent_again_only_where_the_service_lacks_it(bench: Bench) -> None:
    others = Others(bench, lost_before={2, 5}, lost_after={3, 4})
    with bench.engine() as engine:
        run = await engine.send(
            bench.read_set(bench.file()), bench.store, bench.told.append, carrier=others
        )
    assert run.upload.read_set_id is not None
    assert run.upload.ledger.verified == "sha256"
    assert set(others.sent.values()) == {1}
    assert len(others.sent) == run.upload.plan.total_parts
    assert others.most_in_hand <= 4, "twice the window's size at first, or as many as they take"
    assert run.retries == 4


async def test_what_others_fail_with_ends_the_upload_and_the_next_run_goes_on(
    bench: Bench,
) -> None:
    class Failing(Others):
        async def send(self, run: Run, part: Part) -> PartSeen:
            if part.number == 6:
                raise Stopped("all of them failed")
            return await super().send(run, part)

    read_set = bench.read_set(bench.file())
    with bench.engine() as engine, pytest.raises(Stopped, match="all of them failed"):
        await engine.send(read_set, bench.store, bench.told.append, carrier=Failing(bench))
    with bench.engine() as engine:
        run = await engine.send(read_set, bench.store, bench.told.append, carrier=Others(bench))
    assert run.upload.read_set_id is not None
    assert bench.resent == 0
