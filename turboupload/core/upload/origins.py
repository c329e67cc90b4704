"""Of which upload a read set was made, by the journal's rows of one key."""

from __future__ import annotations

from collections.abc import Iterable

from turboupload.core.upload.events import Completed, Event, Opened

__all__ = ["uploads_of"]


def uploads_of(read_set_id: str, events: Iterable[Event]) -> set[str]:
    """The uploads for which the reply to Complete named this read set.

    One that was only found says nothing: it may have been made of any upload.
    """
    found, upload_id = set[str](), ""
    for event in events:
        if isinstance(event, Opened):
            upload_id = event.upload_id
        elif event == Completed(read_set_id=read_set_id):
            found.add(upload_id)
    return found
