"""Events have the names that botocore gives them, also those that it has renamed."""

from __future__ import annotations

import pytest
from aiobotocore.session import AioSession
from botocore.handlers import BUILTIN_HANDLERS
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.utils import EVENT_ALIASES
from hypothesis import given
from hypothesis import strategies as st

from turboupload.omics.botocore_events import Session

_RENAMED = sorted(EVENT_ALIASES)
_PARTS = st.sampled_from(["before-call", "omics", "*", "s3", "", *_RENAMED])


async def heard(session: AioSession, registered: str, emitted: str) -> int:
    """How often a handler of one name hears an event of another."""
    calls = []
    events = session.get_component("event_emitter")
    events.register(registered, lambda **_: calls.append(1))
    await events.emit(emitted)
    return len(calls)


class Names(HierarchicalEmitter):
    """Keeps the name that each event is given."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def emit(self, event_name: str, **_: object) -> None:
        self.names.append(event_name)


def named(make: type[EventAliaser], name: str) -> str:
    names = Names()
    make(names).emit(name)
    return names.names[0]


def test_the_session_names_events_so() -> None:
    assert type(Session().get_component("event_emitter")) is not EventAliaser


@given(parts=st.lists(_PARTS, min_size=1, max_size=4))
def test_every_event_has_botocores_name(parts: list[str]) -> None:
    quick = type(Session().get_component("event_emitter"))
    name = ".".join(parts)
    assert named(quick, name) == named(EventAliaser, name)


@pytest.mark.parametrize("name", sorted({each[0] for each in BUILTIN_HANDLERS}))
def test_so_have_those_of_its_own_handlers(name: str) -> None:
    quick = type(Session().get_component("event_emitter"))
    assert named(quick, name) == named(EventAliaser, name)


@pytest.mark.parametrize("old", _RENAMED)
async def test_a_handler_of_an_earlier_name_hears_the_event(old: str) -> None:
    event = f"some-event.{EVENT_ALIASES[old]}.Operation"
    assert await heard(AioSession(), f"some-event.{old}", event) == 1
    assert await heard(Session(), f"some-event.{old}", event) == 1
