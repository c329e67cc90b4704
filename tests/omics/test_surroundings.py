"""What a client is made from: environment variables, Region, certificates, proxies, programs."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.omics.test_client import READ_SET, Body
from tests.support.emulator import RunningEmulator
from tests.support.https_sink import Sink, tunnelling
from turboupload.config import UploadConfig
from turboupload.core.model import FileType, Part, PartSource
from turboupload.errors import ConfigError, LinkFailed, ServiceRefused
from turboupload.http.proxies import proxy_for
from turboupload.http.route import Proxy
from turboupload.omics.base import UploadRef
from turboupload.omics.client import OmicsClient
from turboupload.omics.opening import open_connection

SECRET = "Sup3rSecret"


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)


async def opened(config: UploadConfig | None = None) -> None:
    async with open_connection(config or UploadConfig(), workers=1):
        pass


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_SESSION_TOKEN", f"{SECRET}\n", "a line end at its end"),
        ("AWS_ACCESS_KEY_ID", f" {SECRET}", "a blank as character 1"),
        ("AWS_SECRET_ACCESS_KEY", f"{SECRET}\u200b", "U+200B"),
        ("AWS_SECRET_ACCESS_KEY", f"{SECRET}é", "beyond ASCII"),
        ("AWS_REGION", "us-east-1\r", "a line end"),
        ("AWS_DEFAULT_REGION", "us-east-1 ", "a blank"),
        ("AWS_DEFAULTS_MODE", "fast", "legacy"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "near", "regional"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "never", "when_required"),
        ("AWS_RESPONSE_CHECKSUM_VALIDATION", "never", "when_required"),
        ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "never", "preferred"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "1s", "not a whole number"),
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "many", "not a whole number"),
        ("AWS_CA_BUNDLE", ".", "a folder"),
        ("HTTPS_PROXY", f"https://lab:{SECRET}@proxy.example:3128", "over TLS"),
        ("HTTPS_PROXY", f"socks5://lab:{SECRET}@proxy.example:1080", "of another kind"),
        ("https_proxy", f"http://lab:{SECRET}@proxy.example:port", "not the URL of a proxy"),
        ("HTTPS_PROXY", f"http://lab:{SECRET}@", "not the URL of a proxy"),
    ],
)
async def test_a_variable_that_makes_no_sense_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        await opened()
    assert name in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


@pytest.fixture
def odd_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC+25")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("odd_time_zone")
async def test_a_time_zone_that_is_none_is_named_at_once() -> None:
    with pytest.raises(ConfigError, match="TZ is 'UTC\\+25', which is not a time zone"):
        await opened()


async def test_credentials_in_the_environment_do_not_matter_beside_a_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "abc\n")
    (tmp_path / "config").write_text(
        "[profile lab]\naws_access_key_id = local\naws_secret_access_key = local\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    await opened(UploadConfig(profile="lab"))


@pytest.mark.parametrize(
    ("region", "words"), [("us-esat-1", "did you mean us-east-1?"), ("mars-1", "us-west-2")]
)
async def test_a_region_that_botocore_does_not_know(
    monkeypatch: pytest.MonkeyPatch, region: str, words: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_OMICS")
    with pytest.raises(ConfigError, match=region) as caught:
        await opened(UploadConfig(region=region))
    assert words in (caught.value.hint or "")


async def test_any_region_will_do_at_an_endpoint_of_ones_own() -> None:
    await opened(UploadConfig(region="mars-1"))


@pytest.mark.parametrize("password", ["Sup3r#1", "a/b?c", "p@ss", "100%", "p%40ss", "pö:x", "://"])
async def test_a_proxy_gets_one_password_from_calls_and_parts(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    meant = password.replace("%40", "@")
    expected = "Basic " + base64.b64encode(f"lab:{meant}".encode()).decode()
    with Sink(tunnelling(expected)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://lab:{password}@localhost:{proxy.port}")
        async with open_connection(UploadConfig(), workers=1) as connection:
            omics = OmicsClient(connection)
            store = emulator.store_id
            opened = await omics.create_upload(store, READ_SET, FileType.FASTQ, f"t{password}")
            upload, part = UploadRef(store, opened.upload_id), Part(PartSource.SOURCE1, 1, 0, 1)
            assert await omics.send_part(upload, part, Body, lambda _: None)
    assert len(proxy.requests) >= 2
    assert {each.header("proxy-authorization") for each in proxy.requests} == {expected}


async def test_a_proxy_without_an_address_is_named(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://lab:{SECRET}#1@no-such-proxy.invalid:3128")
    async with open_connection(UploadConfig(), workers=1) as connection:
        omics = OmicsClient(connection)
        with pytest.raises(LinkFailed) as caught:
            await omics.list_uploads(emulator.store_id)
    assert caught.value.fault == "proxy"
    assert "no-such-proxy.invalid:3128" in caught.value.message
    assert SECRET not in caught.value.message


ENDPOINT = "https://storage-omics.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "no_proxy", "straight"),
    [
        (ENDPOINT, "*", True),
        (ENDPOINT, "localhost, amazonaws.com", True),
        (ENDPOINT, ".amazonaws.com", True),
        (ENDPOINT, "*.amazonaws.com", True),
        (ENDPOINT, "*.us-east-1.amazonaws.com:443", True),
        (ENDPOINT, "amazonaws.com:8443", False),
        (ENDPOINT, "aws.com", False),
        (ENDPOINT, "10.0.0.0/8", False),
        (ENDPOINT, "", False),
        ("https://10.1.2.3:8443", "10.0.0.0/8", True),
        ("https://10.1.2.3:8443", "10.1.2.3:8443", True),
        ("https://11.1.2.3:8443", "10.0.0.0/8", False),
        ("https://[fd00::1]", "fd00::/8", True),
        ("https://[fd00::1]", "[fd00::1]:443", True),
        ("https://[fd00::1]", "fe80::/10", False),
    ],
)
def test_no_proxy(url: str, no_proxy: str, *, straight: bool) -> None:
    found = proxy_for(url, {"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": no_proxy})
    assert found == (None if straight else "http://proxy.example:3128")


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"HTTPS_PROXY": "a.example", "https_proxy": "b.example"}, "b.example"),
        ({"HTTPS_PROXY": "[fd00::1]:3128"}, "fd00::1"),
        ({"HTTPS_PROXY": "http://lab@a.example:1/"}, "a.example"),
        ({"HTTP_PROXY": "a.example"}, None),
        ({}, None),
    ],
)
def test_the_variable_of_the_endpoints_scheme_counts(
    variables: dict[str, str], host: str | None
) -> None:
    found = proxy_for(ENDPOINT, variables)
    assert (found and Proxy.parse(found).host) == host


def test_a_cgi_request_sets_no_proxy() -> None:
    variables = {"HTTP_PROXY": "evil.example", "REQUEST_METHOD": "GET"}
    assert proxy_for("http://localhost", variables) is None


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("echo Welcome to the lab", "gave no JSON"),
        ("true", "gave no JSON"),
        ("echo '[]'", "another form"),
        ("exit 3", "failed, and said nothing"),
        ("echo the door is closed >&2; exit 3", "the door is closed"),
        ("echo '{\"Version\": 1}'", "AccessKeyId"),
        ("echo '{\"Version\": 2}'", "version '2'"),
        (
            'echo \'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b",'
            ' "SessionToken": "c", "Expiration": "soon"}\'',
            "can't be used",
        ),
    ],
)
async def test_a_program_that_gives_no_credentials_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, words: str
) -> None:
    program = tmp_path / "helper"
    program.write_text(f"#!/bin/sh\necho run >>{tmp_path}/runs\n{does}\n")
    program.chmod(0o700)
    await check_program(monkeypatch, tmp_path, f"{program} --pin {SECRET}", str(program), words)
    assert (tmp_path / "runs").read_text().splitlines() == ["run"]


@pytest.mark.parametrize(
    ("command", "named", "words"),
    [
        ("/no/such/helper", "/no/such/helper", "does not exist"),
        ("/proc/version", "/proc/version", "can't be run"),
        ("sh -c 'unclosed", "sh", "No closing quotation"),
    ],
)
async def test_a_program_that_can_not_be_run_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, named: str, words: str
) -> None:
    await check_program(monkeypatch, tmp_path, command, named, words)


async def check_program(
    monkeypatch: pytest.MonkeyPatch, folder: Path, command: str, named: str, words: str
) -> None:
    (folder / "config").write_text(f"[profile lab]\ncredential_process = {command}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "lab")
    with pytest.raises(ServiceRefused) as caught:
        await opened()
    text = f"{caught.value.message} {caught.value.hint}"
    assert f"credential_process {named!r} of profile 'lab'" in text
    assert words in text
    assert "by hand" in text
    assert SECRET not in text
