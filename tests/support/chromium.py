"""A headless Chromium, driven by its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["BROWSER", "Tab", "opened"]

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
START_S = 60.0


class Tab:
    """The one page that is open.

    Attributes:
        requested: The addresses that it asked for.
        complaints: What the console was told: errors, and what the page's policy refused.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.requested: list[str] = []
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            told = await self._socket.receive_json(timeout=30)
            if told.get("id") == self._number:
                assert "error" not in told, told
                found: dict[str, Any] = told["result"]
                return found
            self._hear(told)

    def _hear(self, told: dict[str, Any]) -> None:
        match told["method"]:
            case "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))

    async def open(self, path: Path) -> None:
        """Opens a file, and returns when its scripts have run."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + 30
        while await self.run("location.protocol + document.readyState") != "file:complete":
            assert time.monotonic() < deadline, "the page didn't open"

    async def run(self, script: str) -> Any:
        """What an expression is in the page."""
        done = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def look(
        self, *, width: int, height: int = 900, scheme: str = "light", media: str = "screen"
    ) -> None:
        """Sets the window's size in pixels, and what the reader prefers."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)

    async def screenshot(self) -> bytes:
        shot = await self.call("Page.captureScreenshot")
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def opened(path: Path, folder: Path) -> AsyncIterator[Tab]:
    """A page in a browser of its own, whose profile is in `folder`."""
    assert BROWSER is not None
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-first-run", "--remote-debugging-port=0",
             f"--user-data-dir={folder}", "about:blank"]  # fmt: skip
    process = _start(words)
    try:
        port = await _port(folder / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                pages = [each for each in await reply.json() if each["type"] == "page"]
            address = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                tab = Tab(socket)
                await tab.open(path)
                yield tab
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that the browser chose, once it listens."""
    deadline = time.monotonic() + START_S
    while not (lines := _lines(file)):
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < deadline, "the browser doesn't listen"
        await asyncio.sleep(0.02)
    return int(lines[0])


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
