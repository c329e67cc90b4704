"""Credentials that expire in the middle of an upload: renewed where their provider can."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import SECRET, SIX_PARTS, Shell
from tests.cli.test_endings import check
from tests.support.https_sink import Peer, Sink, reply

LIFE_S = 4
"""Less than botocore's ten minutes: so its providers are asked again for every request."""

DELAY = {"operation": "UploadReadSetPart", "times": None,
         "action": {"type": "delay", "seconds": 0.9}}  # fmt: skip
NO_KEYS: dict[str, str | None] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def provider(folder: Path, *, failing_after: int | None = None) -> dict[str, str | None]:
    """A profile whose process gives credentials for four seconds, and counts how often it did."""
    script = folder / "provider"
    limit = "" if failing_after is None else (
        f'[ "$(wc -l < {folder}/calls)" -gt {failing_after} ] && '
        '{ echo "the login has expired" >&2; exit 1; }\n'
    )  # fmt: skip
    script.write_text(
        f"#!/bin/sh\necho call >> {folder}/calls\n{limit}"
        f"until=$(( $(date +%s) + {LIFE_S} ))\n"
        'at=$(date -u -d "@$until" +%Y-%m-%dT%H:%M:%SZ)\n'
        f'printf \'{{"Version": 1, "AccessKeyId": "local", "SecretAccessKey": "{SECRET}", '
        '"SessionToken": "expires=%s", "Expiration": "%s"}\' "$until" "$at"\n'
    )
    script.chmod(0o700)
    (folder / "config").write_text(f"[profile lab]\ncredential_process = {script}\n")
    return {**NO_KEYS, "AWS_CONFIG_FILE": str(folder / "config"), "AWS_PROFILE": "lab"}


def calls(folder: Path) -> int:
    return len((folder / "calls").read_text().splitlines())


def test_a_process_gives_new_ones_in_time(shell: Shell, reads: Path, tmp_path: Path) -> None:
    env = provider(tmp_path)
    shell.emulator.set_faults([DELAY])
    began = time.monotonic()
    ran = shell.upload("renewed", reads, *SIX_PARTS, "--json", env=env)
    assert ran.code == 0, ran.err
    assert time.monotonic() - began > LIFE_S
    assert ran.last["retries"] == 0
    assert calls(tmp_path) > 1


def test_a_process_that_fails_ends_it_resumable(shell: Shell, reads: Path, tmp_path: Path) -> None:
    env = provider(tmp_path, failing_after=8)
    ran = shell.upload("not renewed", reads, *SIX_PARTS, "--json", env=env)
    check(ran, 4, "refused", "the login has expired", "renew", "run the same command again")
    assert ran.last["upload_id"]
    again = shell.upload("not renewed", reads, *SIX_PARTS, "--json", env=provider(tmp_path))
    assert again.code == 0, again.err
    assert again.last["parts_reused"] >= 1
    assert shell.creates == 1


def test_a_process_whose_credentials_have_expired_already(
    shell: Shell, reads: Path, tmp_path: Path
) -> None:
    env = provider(tmp_path)
    script = tmp_path / "provider"
    script.write_text(script.read_text().replace(f"+ {LIFE_S} ))", "- 60 ))"))
    ran = shell.upload("stale", reads, "--json", env=env)
    assert (ran.code, ran.last["outcome"]) == (4, "refused"), ran.err
    assert "expired" in ran.err
    assert "bug" not in ran.err


# --- roles, by a token service of one's own ---------------------------------------------------


def sts_reply(name: str) -> bytes:
    until = int(time.time()) + 60
    at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = (
        f"<{name}Response><{name}Result><Credentials><AccessKeyId>local</AccessKeyId>"
        f"<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>expires={until}</SessionToken>"
        f"<Expiration>{at}</Expiration></Credentials></{name}Result></{name}Response>"
    )
    return reply(200, body.encode(), "Content-Type: text/xml")


DENIED = (
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not this role</Message></Error>"
    b"</ErrorResponse>"
)


@contextmanager
def token_service(*, denied_after: int | None = None) -> Iterator[Sink]:
    def answer(peer: Peer) -> None:
        while request := peer.read_head():
            peer.read_body(request)
            name = request.body.decode().partition("Action=")[2].partition("&")[0]
            if denied_after is not None and len(peer.sink.requests) > denied_after:
                peer.say(reply(403, DENIED, "Content-Type: text/xml"))
            else:
                peer.say(sts_reply(name))

    with Sink(answer) as sink:
        yield sink


def role(folder: Path, sink: Sink, kind: str) -> dict[str, str | None]:
    arn = "arn:aws:iam::111122223333:role/uploader"
    env: dict[str, str | None] = {
        **NO_KEYS,
        "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{sink.port}",
    }
    if kind == "web identity":
        (folder / "token").write_text("a-web-identity-token")
        return {**env, "AWS_ROLE_ARN": arn, "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token")}
    (folder / "config").write_text(
        f"[profile source]\naws_access_key_id = x\naws_secret_access_key = y\n"
        f"[profile lab]\nrole_arn = {arn}\nsource_profile = source\n"
    )
    return {**env, "AWS_CONFIG_FILE": str(folder / "config"), "AWS_PROFILE": "lab"}


@pytest.mark.parametrize("kind", ["web identity", "assume role"])
def test_a_role_is_taken_again_in_time(
    shell: Shell, reads: Path, tmp_path: Path, kind: str
) -> None:
    with token_service() as sink:
        ran = shell.upload(kind, reads, *SIX_PARTS, "--json", env=role(tmp_path, sink, kind))
        assert ran.code == 0, ran.err
        assert ran.last["retries"] == 0
        assert len(sink.requests) > 1


def test_a_role_that_is_denied_in_the_middle_is_not_called_a_missing_permission(
    shell: Shell, reads: Path, tmp_path: Path
) -> None:
    with token_service(denied_after=8) as sink:
        env = role(tmp_path, sink, "web identity")
        ran = shell.upload("denied", reads, *SIX_PARTS, "--json", env=env)
    check(ran, 4, "refused", "AssumeRoleWithWebIdentity", "not this role", "renew")
    assert "permission omics:" not in ran.err
    assert ran.last["upload_id"]


# --- the machine's own role, and a single sign-on, by a server of one's own ---------------------


def _machine(path: str) -> dict[str, object] | str:
    """What the metadata service of an instance, or the portal of a single sign-on, answers."""
    until = int(time.time()) + 60
    at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    session = f"expires={until}"
    if path == "/latest/api/token":
        return "a-metadata-token"
    if path == "/latest/meta-data/iam/security-credentials/":
        return "uploader"
    if path.startswith("/federation/credentials"):
        return {
            "roleCredentials": {
                "accessKeyId": "local",
                "secretAccessKey": SECRET,
                "sessionToken": session,
                "expiration": until * 1000,
            }
        }
    return {
        "Code": "Success", "AccessKeyId": "local", "SecretAccessKey": SECRET, "Token": session,
        "Expiration": at,
    }  # fmt: skip


@contextmanager
def machine_service() -> Iterator[Sink]:
    def answer(peer: Peer) -> None:
        while request := peer.read_head():
            peer.read_body(request)
            found = _machine(request.target)
            text = found if isinstance(found, str) else json.dumps(found)
            peer.say(reply(200, text.encode()))

    with Sink(answer) as sink:
        yield sink


def _of_the_machine(folder: Path, sink: Sink, kind: str) -> dict[str, str | None]:
    url = f"http://127.0.0.1:{sink.port}"
    if kind == "instance":
        return {
            **NO_KEYS,
            "AWS_EC2_METADATA_DISABLED": None,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
        }
    if kind == "container":
        return {**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials"}
    start = "https://example.awsapps.com/start"
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"accessToken": "t", "expiresAt": "2999-01-01T00:00:00Z", "startUrl": start}
    name = hashlib.sha1(start.encode()).hexdigest()  # noqa: S324 - how the AWS CLI names it
    (cache / f"{name}.json").write_text(json.dumps(token))
    (folder / "config").write_text(
        f"[profile lab]\nsso_start_url = {start}\nsso_region = us-east-1\n"
        "sso_account_id = 111122223333\nsso_role_name = uploader\n"
    )
    return {
        **NO_KEYS,
        "HOME": str(folder),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_PROFILE": "lab",
        "AWS_ENDPOINT_URL_SSO": url,
    }


@pytest.mark.parametrize("kind", ["container", "single sign-on"])
def test_what_a_container_or_a_login_gives_is_asked_for_again_in_time(
    shell: Shell, reads: Path, tmp_path: Path, kind: str
) -> None:
    with machine_service() as sink:
        env = _of_the_machine(tmp_path, sink, kind)
        ran = shell.upload(kind, reads, *SIX_PARTS, "--json", env=env)
        assert ran.code == 0, ran.err
        assert ran.last["retries"] == 0
        # At the begin, and again because what came lasts for a minute only.
        assert len(sink.requests) > 2


def test_what_an_instance_gives_is_used(shell: Shell, reads: Path, tmp_path: Path) -> None:
    # When to ask again is botocore's: it takes a life of less than 15 minutes for a service that
    # is out of order, and goes on with what it has.
    with machine_service() as sink:
        env = _of_the_machine(tmp_path, sink, "instance")
        ran = shell.upload("instance", reads, *SIX_PARTS, "--json", env=env)
        assert ran.code == 0, ran.err
        assert sink.requests
