"""An upload in words: what limits it, how it ended or would go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from turboupload.core.notices import Progress, Rehearsal, UploadResult
from turboupload.core.proof.checksum import ALGORITHMS
from turboupload.core.proof.receipt import Verdict
from turboupload.core.rate.meter import Limiter
from turboupload.units import counted, format_duration, format_rate, format_size

if TYPE_CHECKING:
    from turboupload.core.batch import BatchProgress

__all__ = ["LIMITS", "describe_rehearsal", "describe_result", "on_the_way", "pace_words"]

LIMITS: Mapping[Limiter, str] = {
    "disk": "as fast as the disk",
    "network": "as fast as the network",
    "processor": "as fast as the processor",
    "quota": "as fast as the quota of UploadReadSetPart",
    "cap": "as fast as --max-bandwidth",
}
"""What limits the rate, in words."""

_VERIFIED = {
    **{
        each.proves: f"every part's {each.word} equals the service's checksum"
        for each in ALGORITHMS.values()
        if each.proves is not None
    },
    "etag": "the read set's ETag equals that of these files",
    "opaque": "the service's checksums can't be computed here; they are as recorded",
    "none": "no part was compared with a checksum",
}

_PROOFS = {
    "part-checksums": "the parts' checksums",
    "etag": "the ETag",
    "stored-sizes": "the stored sizes",
    "read-count": "the number of reads",
}


def on_the_way(count: int) -> str:
    """What has left and isn't safe yet, behind what is: an interruption would lose it.

    Args:
        count: In bytes.
    """
    return f" + {format_size(count)} on the way" if count else ""


def pace_words(notice: Progress | BatchProgress, limit: str) -> list[str]:
    """The rate, the time left and what limits, as far as there is anything to be sent.

    Args:
        notice: Where an upload or a batch stands.
        limit: What limits it, in words; may be empty.
    """
    if notice.paused:
        return ["paused"]
    if notice.done_bytes >= notice.total_bytes:
        return []
    left = "" if notice.eta_s is None else f"{format_duration(notice.eta_s)} left"
    return [each for each in (format_rate(notice.bytes_per_s), left, limit) if each]


def describe_result(result: UploadResult, *, sending_s: float) -> str:
    """How an upload ended well, in a few lines.

    Args:
        result: As the library gave it.
        sending_s: How long the parts took, in seconds, without the wait for ACTIVE.
    """
    lines = [f"read set {result.read_set_id} is {result.status}"]
    if result.read_set_arn:
        lines.append(f"  arn        {result.read_set_arn}")
    if result.existed:
        lines.append("  sent       nothing: it was there already")
    else:
        lines.append(f"  sent       {_sent(result, sending_s)}")
    if result.advice is not None:
        lines.append(f"  limited    {result.advice}")
    lines.append(f"  verified   {_VERIFIED[result.verified]}")
    if result.total_reads is not None:
        lines.append(f"  reads      {result.total_reads:,} ({result.total_bases or 0:,} bases)")
    for source in ("source1", "source2"):
        if source in result.etag:
            algorithm = result.etag.get("algorithm", "")
            lines.append(f"  etag       {result.etag[source]} ({algorithm} of {source})")
    if result.receipt is not None and result.manifest is not None:
        manifests = dict.fromkeys(each.expected.where for each in result.receipt.manifest)
        lines.append(f"  manifest   equal: {' and '.join(manifests)}")
    if result.receipt is not None:
        lines.append(f"  proven     {_proof(result.receipt.verdict)}")
    return "\n".join(lines)


def _proof(verdict: Verdict) -> str:
    if verdict.proven:
        return f"yes, by {' and '.join(_PROOFS[each] for each in verdict.by)}"
    return f"no: {verdict.statement}"


def _sent(result: UploadResult, sending_s: float) -> str:
    rate = f" ({format_rate(result.bytes_sent / sending_s)})" if sending_s > 0 else ""
    reused = f", {result.parts_reused:,} were there already" if result.parts_reused else ""
    word = "retry" if result.retries == 1 else "retries"
    retries = f", {result.retries:,} {word}" if result.retries else ""
    limited = result.limited_by if result.advice is None else None
    limit = f", {LIMITS[limited]}" if limited is not None else ""
    return (
        f"{format_size(result.bytes_sent)} of {format_size(result.total_bytes)} in "
        f"{format_duration(sending_s)}{rate}, "
        f"{counted(result.parts - result.parts_reused, 'part')}{reused}{retries}{limit}"
    )


def describe_rehearsal(found: Rehearsal) -> str:
    """What an upload would do, in a line."""
    what = (
        f"{found.file_type}, {format_size(found.total_bytes)} in "
        f"{counted(found.parts, 'part')} of {format_size(found.part_size)}"
    )
    match found.verdict:
        case "exists":
            return f"would send nothing: read set {found.read_set_id} is there already ({what})"
        case "complete":
            return f"would only complete upload {found.upload_id}: all parts are there ({what})"
        case "resume":
            check = (
                f", compare {counted(found.parts_to_check, 'part')} here with the service's"
                if found.parts_to_check
                else ""
            )
            return (
                f"would go on with upload {found.upload_id}: skip "
                f"{counted(found.parts_there, 'part')}{check}, "
                f"send {format_size(found.bytes_to_send)} ({what})"
            )
        case "create":
            return f"would send {format_size(found.bytes_to_send)} ({what})"
