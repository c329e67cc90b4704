"""What the state of an upload makes of ETags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import values
from turboupload.core.model import FileType, Phase
from turboupload.core.proof.etag import ContentETag
from turboupload.core.records import ETag, ReadSetDetails
from turboupload.core.upload.actions import Action, Declare, Done, Prove, Survey
from turboupload.core.upload.events import Completed, ETagComputed, Opening, StatusSeen, Surveyed
from turboupload.core.upload.state import Upload, UploadOptions
from turboupload.errors import IntegrityError, ServiceRefused

OURS, THEIRS = "aa" * 16, "bb" * 16


def state(*, prove: bool = True, force: bool = False, file_type: str = "FASTQ") -> Upload:
    options = UploadOptions(now=1.7e9, prove=prove, force=force)
    return values.upload(10, options=options, file_type=FileType(file_type))


def there(
    etag: str | None = None, *, size: int = 10, status: str = "ACTIVE", file_type: str = "FASTQ",
    family: str = "MD5up",
) -> ReadSetDetails:  # fmt: skip
    found = values.record(status, size)
    algorithm = f"{file_type}_{family}"
    reply = ETag(algorithm=algorithm, source1=etag) if etag is not None else None
    return replace(found, etag=reply, file_type=file_type)


def computed(upload: Upload, family: str = "MD5up") -> ETagComputed:
    algorithm = f"{upload.file_type}_{family}"
    return ETagComputed(family=family, etag=ContentETag(algorithm, OURS), sha256=("00",))


def decide(upload: Upload, *records: ReadSetDetails) -> Action:
    """The survey's answer, and the ETag's where it is asked for; what then?"""
    assert isinstance(upload.next(), Survey)
    upload.receive(Surveyed((), records))
    action = upload.next()
    if isinstance(action, Prove):
        upload.receive(computed(upload, action.family))
        action = upload.next()
    return action


def follow(upload: Upload, completed: Completed, record: ReadSetDetails) -> Action:
    upload.receive(completed)
    upload.receive(StatusSeen(record))
    action = upload.next()
    if isinstance(action, Prove):
        upload.receive(computed(upload, action.family))
        action = upload.next()
    return action


def test_an_equal_etag_makes_a_found_read_set_ours_whatever_its_size() -> None:
    for size in (10, 7):
        upload = state()
        action = decide(upload, there(OURS, size=size))
        assert isinstance(action, Declare)
        assert isinstance(action.event, Completed)
        assert action.event.proof == "etag"
        assert isinstance(follow(upload, action.event, there(OURS, size=size)), Done)
        assert upload.verified == "etag"


def test_of_several_read_sets_the_one_with_our_etag_is_ours() -> None:
    ours = replace(there(OURS), read_set_id="9000000002")
    action = decide(state(), there(THEIRS), ours)
    assert isinstance(action, Declare)
    assert isinstance(action.event, Completed)
    assert action.event.read_set_id == "9000000002"


def test_another_fastq_of_equal_size_is_in_the_way() -> None:
    upload = state()
    with pytest.raises(ServiceRefused, match="the store holds other reads") as caught:
        decide(upload, there(THEIRS))
    assert caught.value.code == "ReadSetExists"


def test_whether_a_read_set_is_ours_is_proven_without_being_asked_to() -> None:
    upload = state(prove=False)
    with pytest.raises(ServiceRefused, match="the store holds other reads"):
        decide(upload, there(THEIRS))
    action = decide(state(prove=False), there(OURS))
    assert isinstance(action, Declare)
    assert isinstance(action.event, Completed)
    assert action.event.proof == "etag"


def test_a_bams_other_etag_proves_nothing() -> None:
    upload, found = state(file_type="BAM"), there(THEIRS, file_type="BAM")
    action = decide(upload, found)
    assert isinstance(action, Declare)
    assert isinstance(action.event, Completed)
    with pytest.raises(
        ServiceRefused, match=r"nothing here proves.*doesn't prove that the content"
    ):
        follow(upload, action.event, found)


def test_forced_uploads_ask_for_no_etag_of_others() -> None:
    action = decide(state(force=True), there(THEIRS))
    assert isinstance(action, Declare)
    assert isinstance(action.event, Opening)


def test_one_that_is_still_processed_is_compared_when_it_is_active() -> None:
    for etag, good in ((OURS, True), (THEIRS, False)):
        upload = state()
        action = decide(upload, replace(there(status="PROCESSING_UPLOAD"), files=None))
        assert isinstance(action, Declare)
        assert isinstance(action.event, Completed)
        assert action.event.proof == "none"
        if good:
            assert isinstance(follow(upload, action.event, there(etag, size=7)), Done)
            assert not upload.unproven
        else:
            with pytest.raises(ServiceRefused, match="other reads"):
                follow(upload, action.event, there(etag))


def own(upload: Upload) -> Completed:
    """Our own read set, as the journal tells of it."""
    upload.phase = Phase.COMPLETING
    return Completed(read_set_id="9000000001")


def test_our_own_read_set_with_other_reads_is_an_error() -> None:
    upload = state()
    with pytest.raises(IntegrityError, match="the store holds other reads") as caught:
        follow(upload, own(upload), there(THEIRS))
    assert "--force" in (caught.value.hint or "")
    assert upload.comparison is not None
    assert upload.comparison.proves_different


def test_the_etag_is_asked_for_in_the_services_family() -> None:
    upload = state()
    upload.receive(Surveyed((), ()))
    upload.receive(computed(upload))
    upload.receive(own(upload))
    upload.receive(StatusSeen(there(OURS, family="SHA256up")))
    assert upload.next() == Prove("SHA256up")
    upload.receive(computed(upload, "SHA256up"))
    assert isinstance(upload.next(), Done)
    assert upload.comparison is not None
    assert upload.comparison.proves_equal


def test_what_the_service_does_not_tell_is_not_compared() -> None:
    for record in (there(), there(OURS, family="BLAKE3up")):
        upload = state()
        assert isinstance(follow(upload, own(upload), record), Done)
        assert upload.comparison is None


def test_an_etag_that_cannot_be_computed_ends_the_asking() -> None:
    upload = state(file_type="CRAM")
    upload.receive(own(upload))
    upload.receive(StatusSeen(there(OURS, file_type="CRAM")))
    assert upload.next() == Prove("MD5up")
    upload.receive(ETagComputed(family="MD5up", etag=None, reason="no reference"))
    assert isinstance(upload.next(), Done)
