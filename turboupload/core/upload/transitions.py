"""Which fact may arrive in which phase of an upload, and to which phases it may lead.

`Opening` starts a new attempt from any phase: it is the only way to leave behind what was there.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from turboupload.core.model import Phase
from turboupload.core.upload.events import (
    Completed,
    CompleteLost,
    Completing,
    CreateUnclear,
    Disowned,
    ETagComputed,
    NothingCame,
    Opened,
    Opening,
    PartSeen,
    PartsListed,
    ReadSetGone,
    SourceGrew,
    StatusSeen,
    Surveyed,
    UploadGone,
    UploadRefused,
)

__all__ = ["TRANSITIONS"]


# Once the read set exists, each answer of the service decides its status: it may be archived, or
# deleted and forgotten.
_MADE: Final = {
    Opening: {Phase.OPENING},
    StatusSeen: {Phase.PROCESSING, Phase.ACTIVE, Phase.FAILED, Phase.PLANNED},
    ReadSetGone: {Phase.PLANNED},
}
# A read set that came while our upload was still listed may not be made of it: that is checked.
_CONFIRMING: Final = {Completed: {Phase.PROCESSING}, Opened: {Phase.OPEN}}

TRANSITIONS: Final = MappingProxyType(
    {
        Phase.PLANNED: {
            Surveyed: {Phase.PLANNED},
            ETagComputed: {Phase.PLANNED},
            Opening: {Phase.OPENING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING},
        },
        Phase.OPENING: {
            Opening: {Phase.OPENING},
            CreateUnclear: {Phase.OPENING, Phase.COMPLETING},
            Surveyed: {Phase.OPENING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING},
        },
        Phase.OPEN: {
            Opening: {Phase.OPENING},
            Opened: {Phase.OPEN},
            PartsListed: {Phase.OPEN},
            PartSeen: {Phase.OPEN},
            SourceGrew: {Phase.OPEN},
            Disowned: {Phase.PLANNED},
            Surveyed: {Phase.OPEN},
            ETagComputed: {Phase.OPEN},
            Completing: {Phase.COMPLETING},
            Completed: {Phase.PROCESSING},
            UploadGone: {Phase.PLANNED, Phase.COMPLETING},
            UploadRefused: {Phase.COMPLETING},
        },
        Phase.COMPLETING: {
            Opening: {Phase.OPENING},
            CompleteLost: {Phase.COMPLETING},
            NothingCame: {Phase.PLANNED},
            Surveyed: {Phase.COMPLETING},
            ETagComputed: {Phase.COMPLETING},
            Opened: {Phase.OPEN},
            Completed: {Phase.PROCESSING, Phase.PLANNED},
            UploadGone: {Phase.PLANNED, Phase.COMPLETING},
            UploadRefused: {Phase.COMPLETING},
        },
        # Earlier versions recorded `UploadGone` when the read set was gone, too. That a read set is
        # gone, or is another's and failed, isn't recorded, so another one or an upload may follow.
        Phase.PROCESSING: {**_MADE, **_CONFIRMING, UploadGone: {Phase.PROCESSING}},
        Phase.ACTIVE: {
            **_MADE,
            **_CONFIRMING,
            PartsListed: {Phase.ACTIVE},
            UploadGone: {Phase.ACTIVE},
            UploadRefused: {Phase.ACTIVE},
            Surveyed: {Phase.ACTIVE},
            ETagComputed: {Phase.ACTIVE},
        },
        Phase.FAILED: {
            **_MADE,
            **_CONFIRMING,
            PartsListed: {Phase.FAILED},
            UploadGone: {Phase.FAILED},
            UploadRefused: {Phase.FAILED},
            Surveyed: {Phase.FAILED},
        },
    }
)
