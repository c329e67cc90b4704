"""The table of answers: what may come instead of a good reply, and what turboupload makes of it.

This is the documentation's table, too: docs/errors.md has it word for word, and a test says so.
Each row is played over real sockets to every operation (`test_wire`) and to the engine in the
middle of an upload (`test_engine_answers`); some of them to the command (`tests/cli/test_answers`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.support.bodies import MIB
from tests.support.https_sink import Peer, Script, answering, reply
from turboupload.errors import CallFailed, LinkFailed, LinkFault
from turboupload.omics.error_mapping import place_hint

__all__ = ["ANSWERS", "OPERATIONS", "SPECIAL", "Answer", "Place", "Special", "page", "tables"]

LIST_READ_SETS = "ListReadSets"
LIST_UPLOADS = "ListMultipartReadSetUploads"
LIST_PARTS = "ListReadSetUploadParts"
CREATE = "CreateMultipartReadSetUpload"
SEND = "UploadReadSetPart"
COMPLETE = "CompleteMultipartReadSetUpload"
ABORT = "AbortMultipartReadSetUpload"
GET = "GetReadSetMetadata"

OPERATIONS = (LIST_READ_SETS, LIST_UPLOADS, LIST_PARTS, CREATE, SEND, COMPLETE, ABORT, GET)

Place = Literal[
    "server",
    "wrong name",
    "clear text",
    "no handshake",
    "breaks off",
    "nobody",
    "no name",
    "silent",
]
"""What stands at the endpoint."""

SOON = "run the same command again"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A row of the table.

    Attributes:
        comes: What comes instead of a good reply.
        failure: The same, as the boundary reports it; for the engine's tests.
        script: The same, as a server plays it; none where there is no server.
        place: What stands at the endpoint.
        again: Whether the call is made again.
        exit: The exit code where it lasts.
        first: The exit code where the service has never answered in this run.
        reads: What the user reads: words of the sentence.
        advice: Words of the hint; empty where there is none.
        only: The operations that can meet it; all where empty.
        contents_only: Whether an operation that asks for a status alone does not notice.
    """

    comes: str
    failure: Callable[[str], CallFailed | LinkFailed]
    script: Script | None = None
    place: Place = "server"
    again: bool
    exit: int
    first: int
    reads: str
    advice: str
    only: tuple[str, ...] = ()
    contents_only: bool = False


# --- what servers do ------------------------------------------------------------------------------


def error(code: str, status: int, message: str) -> Script:
    """The service's own way to say no."""
    return answering(
        reply(
            status,
            b'{"message": "%s"}' % message.encode(),
            "Content-Type: application/json",
            "Connection: close",
            f"x-amzn-ErrorType: {code}",
            "x-amzn-RequestId: 0fd0",
        )
    )


PAGE = b"<!DOCTYPE html><html><head><title>x</title></head><body><h1>Denied</h1></body></html>"


def page(status: int, body: bytes = PAGE, *headers: str) -> Script:
    kind = "Content-Type: text/html; charset=utf-8"
    return answering(reply(status, body, kind, "Connection: close", *headers))


def json_reply(body: bytes) -> Script:
    return answering(reply(200, body, "Content-Type: application/json", "Connection: close"))


def truncated(peer: Peer) -> None:
    """Less of the reply than was announced, then the connection's orderly end."""
    if request := peer.read_head():
        peer.read_body(request)
        peer.say(reply(200, b'{"uploadId": "1234567890"}')[:-9])
        peer.say_goodbye()


def truncated_without_goodbye(peer: Peer) -> None:
    """A reply that would end with its connection, cut off by somebody on the way."""
    if request := peer.read_head():
        peer.read_body(request)
        peer.say(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"uploadId": "1234')
        peer.cut()


def speaks_no_tls(peer: Peer) -> None:
    """What a plain web server says to a TLS hello."""
    peer.sock.recv(1)
    peer.say(reply(400, b"", "Connection: close"))


def hangs_up(peer: Peer) -> None:
    peer.sock.recv(4096)


def resets(peer: Peer) -> None:
    peer.sock.recv(1)
    peer.reset()


def reset_before_the_body(peer: Peer) -> None:
    if peer.read_head():
        peer.reset()


def reset_in_the_body(peer: Peer) -> None:
    if request := peer.read_head():
        if int(request.header("content-length") or 0) > MIB:
            peer.skip(MIB)  # a small body comes with its head
        peer.reset()


def reset_after_the_body(peer: Peer) -> None:
    if request := peer.read_head():
        peer.read_body(request, keep=False)
        peer.reset()


def reset_in_the_reply(peer: Peer) -> None:
    if request := peer.read_head():
        peer.read_body(request, keep=False)
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        peer.reset()


def hung_up(peer: Peer) -> None:
    if request := peer.read_head():
        peer.read_body(request, keep=False)
        peer.say_goodbye()


def cut_off(peer: Peer) -> None:
    """Without TLS's close_notify."""
    if request := peer.read_head():
        peer.read_body(request, keep=False)
        peer.cut()


def reads_no_more(peer: Peer) -> None:
    if peer.read_head():
        peer.hold()


def never_replies(peer: Peer) -> None:
    if request := peer.read_head():
        peer.read_body(request, keep=False)
        peer.hold()


# --- rows -----------------------------------------------------------------------------------------


def passing(code: str, status: int, comes: str) -> Answer:
    """An error of the service that may pass."""
    return Answer(
        comes=comes,
        failure=lambda operation: CallFailed(operation, code=code, status=status, message="busy"),
        script=error(code, status, "busy"),
        again=True,
        exit=5,
        first=5,
        reads=f"the service kept answering {code}",
        advice=SOON,
    )


def hinted(failure: CallFailed) -> CallFailed:
    """With the hint that its words give it at the boundary."""
    failure.hint = place_hint(failure, "https://omics.test, Region us-east-9")
    return failure


def refusal(
    code: str, status: int, comes: str, advice: str = "", message: str = "what the service says"
) -> Answer:
    """An error of the service that stays."""
    return Answer(
        comes=comes,
        failure=lambda operation: hinted(
            CallFailed(operation, code=code, status=status, message=message)
        ),
        script=error(code, status, message),
        again=False,
        exit=4,
        first=4,
        reads=f"{message} ({code})",
        advice=advice,
    )


def unnamed(
    status: int,
    comes: str,
    *headers: str,
    code: str = "",
    reads: str,
    advice: str,
    body: bytes = b"",
) -> Answer:
    """An error that is the service's, as it names its request, and that has no name itself."""
    return Answer(
        comes=comes,
        failure=lambda operation: CallFailed(
            operation, code=code, status=status, message=f"HTTP {status}"
        ),
        script=page(status, body, "x-amzn-RequestId: 0fd0", *headers),
        again=False,
        exit=4,
        first=4,
        reads=reads,
        advice=advice,
    )


def gateway(status: int, comes: str, script: Script) -> Answer:
    """Passing trouble, from the service's front or from something in between."""
    return Answer(
        comes=comes,
        failure=lambda operation: CallFailed(
            operation, code="", status=status, message=f"HTTP {status} (text/html)"
        ),
        script=script,
        again=True,
        exit=5,
        first=5,
        reads=f"HTTP {status}",
        advice=SOON,
    )


def between(status: int, comes: str, script: Script) -> Answer:
    """Something else answered in the service's place."""
    return Answer(
        comes=comes,
        failure=lambda operation: LinkFailed(
            operation, fault="between", message=f"HTTP {status} (text/html)"
        ),
        script=script,
        again=True,
        exit=5,
        first=2,
        reads="answered in its place: HTTP",
        advice="a proxy (HTTPS_PROXY, NO_PROXY)",
    )


def link(
    fault: LinkFault,
    comes: str,
    script: Script | None = None,
    *,
    place: Place = "server",
    only: tuple[str, ...] = (),
    contents_only: bool = False,
) -> Answer:
    """No usable answer; it may pass."""
    return Answer(
        comes=comes,
        failure=lambda operation: LinkFailed(operation, fault=fault, message="broken"),
        script=script,
        place=place,
        again=True,
        exit=5,
        first=2,
        reads="no answer for",
        advice=SOON,
        only=only,
        contents_only=contents_only,
    )


def misconfigured(
    fault: LinkFault, comes: str, script: Script | None, advice: str, *, place: Place = "server"
) -> Answer:
    """No usable answer, and it won't pass by itself; worse where it worked before."""
    return Answer(
        comes=comes,
        failure=lambda operation: LinkFailed(operation, fault=fault, message="broken"),
        script=script,
        place=place,
        again=False,
        exit=5,
        first=2,
        reads="",
        advice=advice,
    )


ANSWERS: tuple[Answer, ...] = (
    # The service says so.
    passing("ThrottlingException", 429, "429 ThrottlingException"),
    passing("InternalServerException", 500, "500 InternalServerException"),
    passing("RequestTimeoutException", 408, "408 RequestTimeoutException"),
    passing("ServiceUnavailableException", 503, "503 ServiceUnavailableException"),
    passing("BrandNewException", 500, "5xx with a name that is not known yet"),
    refusal("ValidationException", 400, "400 ValidationException"),
    refusal("BrandNewException", 400, "4xx with a name that is not known yet"),
    refusal("ServiceQuotaExceededException", 402, "402 ServiceQuotaExceededException", "a quota"),
    refusal("AccessDeniedException", 403, "403 AccessDeniedException", "permission omics:"),
    refusal(
        "ExpiredTokenException", 403, "403 ExpiredTokenException",
        "the credentials have expired: renew them", "The security token is expired",
    ),
    refusal("UnrecognizedClientException", 403, "403 UnrecognizedClientException", "access key"),
    refusal(
        "InvalidSignatureException", 403, "403 InvalidSignatureException", "the secret access key",
    ),
    refusal(
        "InvalidSignatureException", 403, "403 InvalidSignatureException, signature expired or "
        "not yet current", "this machine's clock",
        "Signature expired: 20200101T000000Z is more than 15 min. away from 20200101T010000Z",
    ),
    refusal(
        "InvalidSignatureException", 403, "403 InvalidSignatureException, scoped to no such Region",
        "check --region", "Credential should be scoped to a valid region, not 'us-east-9'.",
    ),
    refusal(
        "AccessDeniedException", 403, "403 AccessDeniedException of another service's endpoint",
        "check --endpoint-url and --region",
        "Unable to determine service/operation name to be authorized",
    ),
    refusal("ResourceNotFoundException", 404, "404 ResourceNotFoundException", "check the id"),
    refusal("NotSupportedOperationException", 405, "405 NotSupportedOperationException"),
    refusal("ConflictException", 409, "409 ConflictException"),
    refusal("RangeNotSatisfiableException", 416, "416 RangeNotSatisfiableException"),
    # The service says so, without a name.
    unnamed(
        301, "a redirect with a request id", "Location: https://elsewhere.test/?token=x",
        reads="HTTP 301", advice="the Region and the endpoint",
    ),
    unnamed(
        404, "an unnamed 404 with a request id", code="ResourceNotFoundException",
        reads="HTTP 404", advice="check the id",
    ),
    unnamed(
        403, "an HTML page with status 403 and a request id", body=PAGE, reads="HTTP 403",
        advice="permission omics:",
    ),
    unnamed(
        400, "an HTML page with status 400 and a request id", body=PAGE, reads="HTTP 400",
        advice="",
    ),
    # A gateway says so.
    gateway(502, "502 with HTML", page(502)),
    gateway(502, "502 with an empty body", page(502, b"")),
    gateway(503, "503 with HTML", page(503)),
    gateway(504, "504 with HTML", page(504)),
    # Something else says so.
    between(302, "a redirect, as of a captive portal", page(302, PAGE, "Location: http://login/")),
    between(400, "400 with HTML", page(400)),
    between(403, "403 with HTML", page(403)),
    between(404, "404 with HTML", page(404)),
    between(404, "404 with an empty body", page(404, b"")),
    misconfigured("proxy", "407 with HTML", page(407), "HTTPS_PROXY"),
    between(200, "200 with HTML instead of JSON", page(200)),
    # A reply that is none.
    link("bad_reply", "200 with an empty body", json_reply(b""), contents_only=True),
    link("bad_reply", "200 with JSON that is no object", json_reply(b"[7]"), contents_only=True),
    link(
        "bad_reply", "200 without what was asked for", json_reply(b'{"x": "1"}'),
        contents_only=True,
    ),
    link("bad_reply", "something that is no HTTP", answering(b"SSH-2.0-x\r\n")),
    link("lost", "a truncated body", truncated),
    link(
        "bad_reply", "a truncated body, TLS closed without notify", truncated_without_goodbye,
        contents_only=True,
    ),
    # No reply.
    link("lost", "a reset before the body", reset_before_the_body),
    link("lost", "a reset in the body", reset_in_the_body),
    link("lost", "a reset after the body", reset_after_the_body),
    link("lost", "a reset in the reply", reset_in_the_reply),
    link("lost", "the connection closed instead of a reply", hung_up),
    link("lost", "TLS closed without notify instead of a reply", cut_off),
    link("stalled", "a server that reads no more", reads_no_more, only=(SEND,)),
    link("stalled", "a server that never replies", never_replies),
    # No connection.
    link("dns", "a name that is not found", place="no name"),
    link("connect", "a connection refused", place="nobody"),
    link("connect", "a host that does not answer", place="silent"),
    link("connect", "a TLS handshake that never ends", place="no handshake"),
    link("connect", "a TLS handshake that breaks off", hangs_up, place="clear text"),
    link("connect", "a TLS handshake that is reset", resets, place="clear text"),
    misconfigured(
        "tls", "a certificate for another name, expired, or of an unknown authority", None,
        "--ca-bundle", place="wrong name",
    ),
    misconfigured(
        "tls", "no TLS where it is expected", speaks_no_tls, "--ca-bundle", place="clear text",
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Special:
    """Where an operation takes an answer otherwise.

    Attributes:
        operation: The operation.
        comes: What comes; see the answers.
        instead: What turboupload does, for the documentation.
        exit: The exit code where it lasts; None where the upload succeeds all the same.
        reads: Words of the sentence.
        names: The operation that the error names, where it is another.
    """

    operation: str
    comes: str
    instead: str
    exit: int | None
    reads: str = ""
    names: str = ""


NOT_FOUND = "404 ResourceNotFoundException"

SPECIAL: tuple[Special, ...] = (
    Special(
        operation=LIST_READ_SETS,
        comes=NOT_FOUND,
        instead="says that the store was not found",
        exit=4,
        reads="was not found",
    ),
    Special(
        operation=LIST_UPLOADS,
        comes=NOT_FOUND,
        instead="says that the store was not found",
        exit=4,
        reads="was not found",
    ),
    Special(
        operation=CREATE,
        comes="409 ConflictException",
        instead="looks for the upload or the read set that the token made; else takes a new token, "
        "once",
        exit=5,
        reads="second time in this run",
        names=LIST_UPLOADS,
    ),
    Special(
        operation=LIST_PARTS,
        comes=NOT_FOUND,
        instead="looks for the read set, as the upload may have been completed; else begins a new "
        "upload, once",
        exit=5,
        reads="second time in this run",
        names=LIST_UPLOADS,
    ),
    Special(
        operation=SEND,
        comes=NOT_FOUND,
        instead="looks for the read set, as another host may have completed the upload; where none "
        "comes, begins a new upload, unless this run has sent parts: somebody may have ended it",
        exit=5,
        reads="aborted elsewhere while its parts were being sent",
        names=LIST_UPLOADS,
    ),
    Special(
        operation=COMPLETE,
        comes=NOT_FOUND,
        instead="looks for the read set; asks whether the upload is open, and completes it again, "
        "once",
        exit=4,
        reads="refused 2 times",
    ),
    Special(
        operation=COMPLETE,
        comes="400 ValidationException",
        instead="looks for the read set; asks whether the upload is open, and completes it again, "
        "once",
        exit=4,
        reads="refused 2 times",
    ),
    Special(
        operation=COMPLETE,
        comes="409 ConflictException",
        instead="looks for the read set for five minutes and longer, and completes again",
        exit=5,
        reads="refused as a conflict",
    ),
    Special(
        operation=GET,
        comes=NOT_FOUND,
        instead="looks again for as long as a listing may lag; then one that this run made is "
        "told, and any other is gone, and made anew",
        exit=5,
        reads="does not show it",
    ),
)


# --- the documentation ----------------------------------------------------------------------------


def tables() -> str:
    """The tables as they stand in docs/errors.md."""
    lines = [
        "| what comes | tried again | exit | exit at first contact | it says | and advises |",
        "|---|---|---|---|---|---|",
    ]
    for each in ANSWERS:
        again = "yes" if each.again else "no"
        if each.only:
            again += f" ({', '.join(each.only)})"
        lines.append(
            f"| {each.comes} | {again} | {each.exit} | {each.first} | "
            f"{each.reads or 'what was wrong'} | {each.advice or '-'} |"
        )
    lines += ["", "| operation | what comes | instead | exit where it lasts |", "|---|---|---|---|"]
    for special in SPECIAL:
        code = "-" if special.exit is None else str(special.exit)
        lines.append(f"| {special.operation} | {special.comes} | {special.instead} | {code} |")
    return "\n".join(lines)
