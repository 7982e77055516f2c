"""A real browser without a window: Chromium, told by its DevTools protocol what to do.

https://chromedevtools.github.io/devtools-protocol/; by a pipe (``--remote-debugging-pipe``: it
reads descriptor 3 and writes 4, a message of JSON each, a zero byte after it), so that no library
and no port is needed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
_DEADLINE = 300  # seconds for the whole of it, started on a busy machine


class Browser:
    """A browser with one page open. ``asked`` are all addresses that it asked for."""

    def __init__(self, home: Path) -> None:
        program = next((found for name in NAMES if (found := shutil.which(name))), None)
        assert program, "tests/run browser installs one"
        ours, theirs = os.pipe(), os.pipe()  # to it, from it
        self._told, self._heard = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._process = subprocess.Popen(
            [
                "timeout", str(_DEADLINE),
                "bash", "-c", f'exec 3<&{ours[0]} 4>&{theirs[1]}; exec "$@"', "browser",
                program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--remote-debugging-pipe", f"--user-data-dir={home}",
            ],
            pass_fds=(ours[0], theirs[1]),
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._number = 0
        self._session = ""
        self.asked: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End it."""
        self._told.close()
        self._process.terminate()
        self._process.wait(10)
        self._heard.close()

    def call(self, method: str, **parameters: Any) -> Any:
        """Have it do something; return what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._told.write(json.dumps(message).encode() + b"\0")
        self._told.flush()
        while True:
            answer = self._hear()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, page: Path, *, width: int, dark: bool = False) -> None:
        """Open a file as somebody with such a screen sees it."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        while self._hear().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression: str) -> Any:
        """Return what an expression of JavaScript, which the page's policy is no matter to, is."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"]["value"]

    def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            code = {"Tab": 9, "Enter": 13}[key]
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text,
            )  # fmt: skip

    def picture(self, file: Path) -> None:
        """Keep what it looks like, all of its length."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _hear(self) -> Any:
        data = bytearray()
        while (byte := self._heard.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        message = json.loads(data)
        parameters = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        return message
