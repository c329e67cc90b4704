"""The service's behaviour where it is uncertain: recorded once, or unknown.

A `World` is one possible service. The default is the recorded behaviour, or the most likely one if
nothing was recorded. Other behaviour is chosen by members: at the start (`--world NAME=VALUE`, or
an option of its own) or meanwhile (`POST /_emulator/world`).
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = [
    "MAX_LAG_S",
    "BadWorld",
    "Checksum",
    "ListingOrder",
    "OddReply",
    "SecondComplete",
    "World",
    "Worlds",
    "from_texts",
]

Checksum = Literal["base64", "hex", "foreign", "opaque", "absent-in-listing"]
SecondComplete = Literal["404", "409", "400", "same", "new"]
ListingOrder = Literal["recorded", "reversed", "shuffled"]
OddReply = Literal["null-members", "extra-members", "new-values", "sparse"]

MAX_LAG_S = 3600.0
"""How long old rows are kept, in seconds."""


class BadWorld(ValueError):
    """An unknown member of a world, or an invalid value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """One possible behaviour of the service.

    Seconds are numbers of at least 0; None means never, for members that allow it.

    Attributes:
        ingest_delay_s: From Complete, or the start of an import job, to the work on it. Recorded
            are 73 s to an hour until a read set is ACTIVE; it is a second here because tests wait.
        archive_after_s: From the last use of an ACTIVE read set until it is ARCHIVED, without files
            in its metadata. Recorded; documented are 30 days.
        processing_size: Whether a BAM, uBAM or CRAM that is PROCESSING_UPLOAD has the contentLength
            that was `sent`, or the one that is `stored` and that it has when ACTIVE. Unknown.
        pair_etag: Whether a pair's ETag has `both` hashes or that of `source1`. Both recorded.
        completed_uploads: How an upload is shown while its read set is processed: `with-parts`, it
            is listed and so are its parts (inferred from the documentation); `without-parts`, its
            parts are not found; `gone`, neither is there.
        completed_uploads_listed_s: The least time after Complete for which it is shown like that,
            even if the read set is ACTIVE or failed. Unknown.
        second_complete: The answer to Complete of an upload that is completed: the errors `404`,
            `409` or `400`, the `same` read set's id, or a `new` read set while the upload has its
            parts (then 404). Unknown. Other calls for the upload get the same errors.
        complete_takes_s: How long Complete takes before it makes the read set and answers, even if
            the client has gone. Unknown.
        new_upload_unknown_s: For how long after Create the other calls don't find the upload.
        upload_expires_s: When an open upload expires. Unknown.
        expired_uploads: Whether expired uploads are still `listed`, for ever, or `gone`. Unknown.
        client_tokens: `kept`: the same token returns the same resource (documented); `ignored`:
            tokens have no effect; `conflict`: a used token is answered with 409.
        client_tokens_live_s: When a token is forgotten; 0 is at once. Unknown.
        tokens_of_completed: Whether the token of an upload that was completed since returns the
            `same` upload, a `new` one or a `conflict`. Unknown.
        read_sets_lag_s: ListReadSets shows the state of this long ago. Unknown, as the next three.
        uploads_lag_s: The same for ListMultipartReadSetUploads.
        parts_lag_s: The same for ListReadSetUploadParts.
        metadata_lag_s: The same for GetReadSetMetadata: a new read set isn't found until then.
        lag_flaps: Whether only every other answer of a kind lags, as if two servers took turns.
        filters: Whether the texts of a filter must be `exact` (documented), match as a `prefix`, or
            filters are `ignored` altogether.
        page_size: The most rows on a page, even if `maxResults` is larger; 1 to 100.
        listing_order: `recorded` is uploads and read sets oldest first, parts ascending, import
            jobs newest first; no order is documented.
        page_tokens: Whether a nextToken can be used repeatedly (`kept`), or `once`. Unknown.
        page_tokens_live_s: When a nextToken expires. Unknown.
        checksum: A part's: `base64` or `hex` SHA-256 (samples of both lengths are recorded),
            `foreign`, base64 of 32 bytes by another algorithm, `opaque`, of another form, different
            for each part, or `absent-in-listing`, base64 in the reply to a part and missing from
            listings.
        service_tags: Which resources have the service's own tags (`aws:omics:sampleId` and so on):
            the sources of `imports` (recorded), or open uploads and read sets, too: `everywhere`.
        failed_job: How an import job ends if every source failed: `COMPLETED_WITH_FAILURES`
            (inferred for a lone source) or `FAILED`.
        job_messages: Whether jobs and sources have the `recorded` messages, including stale ones,
            or `none`; a failed source always has its reason.
        timestamps: How many fraction digits they have: `mixed` is 6 for parts, 0 for import jobs
            and 3 elsewhere (each is recorded); or `0`, `3` or `6` everywhere.
        early_errors: What happens to a body if its request is refused before the body was read, for
            example by a quota: `drain`, the error is sent at once and the rest of the body read;
            `close`, it is sent at once and the connection closed; `late`, the body is read first.
        gzip_replies: Whether replies are compressed without being requested.
        odd_replies: How replies are odd. `null-members`: null instead of a missing member
            (recorded). `extra-members`: members that no model knows. `new-values`: statuses and
            algorithms that no model knows. `sparse`: without any optional member.
    """

    ingest_delay_s: float = 1.0
    archive_after_s: float | None = 30 * 86_400.0
    processing_size: Literal["sent", "stored"] = "sent"
    pair_etag: Literal["both", "source1"] = "both"

    completed_uploads: Literal["with-parts", "without-parts", "gone"] = "with-parts"
    completed_uploads_listed_s: float = 0.0
    second_complete: SecondComplete = "404"
    complete_takes_s: float = 0.0
    new_upload_unknown_s: float = 0.0
    upload_expires_s: float | None = None
    expired_uploads: Literal["listed", "gone"] = "listed"

    client_tokens: Literal["kept", "ignored", "conflict"] = "kept"
    client_tokens_live_s: float | None = None
    tokens_of_completed: Literal["same", "new", "conflict"] = "same"

    read_sets_lag_s: float = 0.0
    uploads_lag_s: float = 0.0
    parts_lag_s: float = 0.0
    metadata_lag_s: float = 0.0
    lag_flaps: bool = False

    filters: Literal["exact", "prefix", "ignored"] = "exact"
    page_size: int = 100
    listing_order: ListingOrder = "recorded"
    page_tokens: Literal["kept", "once"] = "kept"
    page_tokens_live_s: float | None = None

    checksum: Checksum = "base64"
    service_tags: Literal["imports", "everywhere"] = "imports"
    failed_job: Literal["COMPLETED_WITH_FAILURES", "FAILED"] = "COMPLETED_WITH_FAILURES"
    job_messages: Literal["recorded", "none"] = "recorded"
    timestamps: Literal["mixed", "0", "3", "6"] = "mixed"
    early_errors: Literal["drain", "close", "late"] = "drain"
    gzip_replies: bool = False
    odd_replies: frozenset[OddReply] = frozenset()

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= 100:
            raise BadWorld(f"a page has 1 to 100 rows, not {self.page_size}")
        for name in _HINTS:
            value = getattr(self, name)
            if name.endswith("_lag_s") and value > MAX_LAG_S:
                raise BadWorld(f"{name}: the past is kept for {MAX_LAG_S:.0f} s, not {value}")
            if name.endswith("_s") and value is not None and not value >= 0:
                raise BadWorld(f"{name}: seconds cannot be negative")

    def changed(self, members: Mapping[str, Any]) -> World:
        """A copy of this world with other values, given as JSON values.

        Raises:
            BadWorld: There is no such member, or the value is invalid.
        """
        return replace(self, **{name: _checked(name, value) for name, value in members.items()})

    def as_json(self) -> dict[str, Any]:
        """Every member, in the form that `changed` takes."""
        return {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in asdict(self).items()
        }


_HINTS: Mapping[str, Any] = {
    name: hint
    for name, hint in get_type_hints(World).items()
    if name in {field.name for field in fields(World)}
}


def _checked(name: str, value: Any) -> Any:
    hint = _HINTS.get(name)
    if hint is None:
        raise BadWorld(f"a world has no {name!r}; it has {', '.join(sorted(_HINTS))}")
    if get_origin(hint) is frozenset:
        (words,) = get_args(hint)
        given = value.split(",") if isinstance(value, str) else value
        if not isinstance(given, list):
            raise BadWorld(f"{name} is a list, not {value!r}")
        return frozenset(_word(name, words, each) for each in given)
    if get_origin(hint) is Literal:
        return _word(name, hint, value)
    if hint is bool:
        if not isinstance(value, bool):
            raise BadWorld(f"{name} is true or false, not {value!r}")
        return value
    optional = get_origin(hint) in (Union, UnionType)
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, int if hint is int else int | float):
        raise BadWorld(f"{name} is a number{' or null' if optional else ''}, not {value!r}")
    return value if hint is int else float(value)


def _word(name: str, words: Any, value: Any) -> str:
    # 404 is a word here, and a number in JSON.
    text = str(value)
    if text not in get_args(words):
        raise BadWorld(f"{name} is one of {', '.join(get_args(words))}, not {value!r}")
    return text


def from_texts(base: World, texts: Mapping[str, str]) -> World:
    """`base` with values given as text: JSON values, or words without quotes.

    Raises:
        BadWorld: There is no such member, or the value is invalid.
    """

    def value_of(text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return text

    return base.changed({name: value_of(text) for name, text in texts.items()})


class Worlds:
    """The world in force, which any thread may change at any time.

    Arguments:
        at_start: The first world.
    """

    def __init__(self, at_start: World) -> None:
        self._at_start = at_start
        self.current = at_start
        self._answers: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def change(self, members: Mapping[str, Any]) -> None:
        """Change some members.

        Raises:
            BadWorld: A value is invalid; then nothing has changed.
        """
        self.current = self.current.changed(members)

    def reset(self) -> None:
        """Restore the first world."""
        self.current = self._at_start

    def lag_of(self, kind: Literal["read_sets", "uploads", "parts", "metadata"]) -> float:
        """The lag of the next answer of this kind, in seconds."""
        world = self.current
        lag: float = getattr(world, f"{kind}_lag_s")
        if world.lag_flaps and next(self._answers[kind]) % 2:
            return 0.0
        return lag
