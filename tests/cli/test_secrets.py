"""No secret and no content in anything that a run leaves behind, at the highest verbosity."""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ABOUT, SECRET, SIX_PARTS, Shell
from tests.cli.ran import Ran
from tests.support.https_sink import Sink, tunnelling
from turboupload.cli.ui.errors import this_command

TOKEN = "FwoGZXIvYXdzEA-a-session-token"
PASSWORD = "a-proxys-password"
LOGIN = base64.b64encode(f"operator:{PASSWORD}".encode()).decode()
SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
QUOTED = (
    f"Authorization: AWS4-HMAC-SHA256 Credential=local/20261124/us-east-1/omics/aws4_request, "
    f"SignedHeaders=host, Signature={SIGNATURE}\nX-Amz-Security-Token: {TOKEN}\n"
    f"Proxy-Authorization: Basic {LOGIN}\n"
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n"
    f"The Canonical String for this request should have been\n'POST\n/\n\n"
    f"x-amz-security-token:{TOKEN}\n'\n\nThe String-to-Sign should have been\n"
    f"'AWS4-HMAC-SHA256\n{SIGNATURE}'\n"
)
PAGE = f"<html><body><h1>Blocked</h1><pre>{QUOTED}</pre></body></html>"


@pytest.fixture
def proxy() -> Iterator[Sink]:
    with Sink(tunnelling(f"Basic {LOGIN}")) as sink:
        yield sink


@pytest.fixture
def loud(shell: Shell, within: Callable[..., Ran], reads: Path, proxy: Sink) -> Callable[..., Ran]:
    """Runs an upload through the proxy, as loudly as can be."""
    shell.env |= {
        "AWS_SESSION_TOKEN": TOKEN,
        "HTTPS_PROXY": f"http://operator:{PASSWORD}@127.0.0.1:{proxy.port}",
        "NO_PROXY": "",
        "no_proxy": "",
        "TURBOUPLOAD_TRACEBACK": "1",
    }

    def run(name: str, *more: str, **env: str) -> Ran:
        shell.env |= env
        receipt = shell.folder / "receipts" / f"{name}.json"
        receipt.parent.mkdir(exist_ok=True)
        return within(
            "upload", reads, "--name", name, *ABOUT, *SIX_PARTS, "--json", "-vv",
            "--give-up-after", "400ms", "--receipt", receipt, *more,
        )  # fmt: skip

    return run


def needles(reads: Path) -> dict[str, bytes]:
    content = reads.read_bytes()
    pieces = [content[at : at + 24] for at in range(100, len(content) - 24, 9_000)]
    return {
        "secret key": SECRET.encode(),
        "session token": TOKEN.encode(),
        "proxy password": PASSWORD.encode(),
        "proxy login": LOGIN.encode(),
        "authorization": b"AWS4-HMAC-SHA256",
        "a signature": SIGNATURE.encode(),
        **{f"content {number}": piece for number, piece in enumerate(pieces)},
        **{f"content {number} in hex": piece.hex().encode() for number, piece in enumerate(pieces)},
        **{
            f"content {number} in base64": base64.b64encode(piece)
            for number, piece in enumerate(pieces)
        },
    }


def check_clean(shell: Shell, ran: Ran, reads: Path) -> None:
    """Greps stdout, stderr, the journal, its locks and the receipts."""
    assert ran.out
    assert "Traceback" not in ran.err
    left = {"stdout": ran.out.encode(), "stderr": ran.err.encode()}
    for folder in ("state", "receipts"):
        for path in (shell.folder / folder).rglob("*"):
            if path.is_file():
                left[str(path)] = path.read_bytes()
    assert any("journal.sqlite3" in name for name in left)
    for where, data in left.items():
        assert not re.search(rb"Signature=[0-9a-f]", data), f"a signature is in {where}"
        for what, needle in needles(reads).items():
            assert needle not in data, f"{what} is in {where}"


def test_an_upload_through_a_storm(
    shell: Shell, loud: Callable[..., Ran], reads: Path, proxy: Sink
) -> None:
    throttled = {"type": "error", "code": "ThrottlingException", "message": QUOTED}
    actions = [
        throttled,
        {"type": "error", "status": 502, "body": PAGE},
        {"type": "error", "status": 200, "body": PAGE},
        {"type": "error", "status": 200, "body": PAGE, "truncateTo": 60},
        {"type": "drop"},
        {"type": "lose_reply"},
        {"type": "corrupt"},
    ]
    shell.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "action": action} for action in actions]
        + [{"operation": "CompleteMultipartReadSetUpload", "action": {"type": "lose_reply"}}]
    )
    ran = loud("storm", "--give-up-after", "60s")
    assert ran.code == 0, ran.err
    assert ran.last["retries"] >= len(actions)
    assert "call.ended" in ran.err, "this is the highest verbosity"
    assert proxy.requests
    check_clean(shell, ran, reads)
    state = shell.folder / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in state.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"type": "error", "code": "InvalidSignatureException", "message": MISMATCH}, 4),
        ({"type": "error", "code": "AccessDeniedException", "message": QUOTED}, 4),
        ({"type": "error", "status": 403, "body": PAGE}, 5),
        ({"type": "error", "status": 407, "body": PAGE}, 5),
        ({"type": "error", "code": "InternalServerException", "message": QUOTED}, 5),
    ],
)
def test_an_answer_that_quotes_our_request(
    shell: Shell, loud: Callable[..., Ran], reads: Path, action: dict[str, object], code: int
) -> None:
    rule = {"operation": "UploadReadSetPart", "times": None, "action": action}
    shell.emulator.set_faults([rule])
    ran = loud("quoted")
    assert ran.code == code, ran.err
    check_clean(shell, ran, reads)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://operator:wrong-{password}@127.0.0.1:{port}", "407"),
        ("http://operator:{password}@127.0.0.1:1", "proxy"),
        ("http://operator:{password}@no-such-proxy.invalid:3128", "proxy"),
        ("socks5://operator:{password}@127.0.0.1:{port}", "proxy"),
        ("http://operator:{password}@[bad", ""),
        ("http://operator:{password}@127.0.0.1:99999", ""),
    ],
)
def test_a_proxy_that_does_not_work(
    shell: Shell, loud: Callable[..., Ran], reads: Path, proxy: Sink, url: str, words: str
) -> None:
    ran = loud("proxied", HTTPS_PROXY=url.format(password=PASSWORD, port=proxy.port))
    assert ran.code == 2, ran.err
    assert words in ran.err.lower()
    check_clean(shell, ran, reads)


def test_the_command_to_go_on_with_has_no_password_of_a_url(
    shell: Shell, reads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:1/0"
    shell.env["AWS_ENDPOINT_URL_OMICS"] = "http://127.0.0.1:1"
    ran = shell.upload("gone", reads, "--quota-share", url, "--give-up-after", "1s")
    assert ran.code in (2, 5)
    monkeypatch.setattr("sys.argv", ["turboupload", "upload", "--quota-share", url])
    assert this_command().endswith("'redis://…@127.0.0.1:1/0'")
    asked = f"redis://127.0.0.1:1/0?password={PASSWORD}"
    monkeypatch.setattr("sys.argv", ["turboupload", "upload", "--quota-share", asked])
    assert this_command().endswith("'redis://127.0.0.1:1/0?…'")
    assert PASSWORD not in ran.out + ran.err


@pytest.mark.parametrize("url", ["redis://:{}@127.0.0.1:1/0", "redis://127.0.0.1:1/0?password={}"])
@pytest.mark.parametrize("command", [("doctor", "--json"), ("config", "show", "--json")])
def test_what_shows_settings_shows_no_password_of_a_url(
    shell: Shell, url: str, command: tuple[str, ...]
) -> None:
    shell.env["TURBOUPLOAD_QUOTA_SHARE"] = url.format(PASSWORD)
    ran = shell.run(*command)
    assert "127.0.0.1:1/0" in ran.out, ran.err
    assert PASSWORD not in ran.out + ran.err
