"""A real Chromium, spoken to in the W3C's protocol: what a page's tests look with.

Owns: the life of a browser without a window, and asking it.
Never: leaves one behind, or skips without a word.
Source: https://www.w3.org/TR/webdriver2/
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from tests.broker import free_ports
from tests.prometheus import program

STARTUP_MAX_S = 60.0
ANSWER_MAX_S = 60.0
WAIT_MAX_S = 60.0
CLICKS_MAX = 5
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--no-first-run",
    "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip


class BrowserError(AssertionError):
    """The browser says that something is not as it was asked for."""


class Browser:
    """One window."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        chromium = {
            "binary": program("chromium"),
            "args": [*OPTIONS, f"--user-data-dir={profile}"],
        }
        always = {
            "browserName": "chrome",
            "goog:chromeOptions": chromium,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        asked = {"capabilities": {"alwaysMatch": always}}
        self._session = self._ask("POST", "/session", asked)["sessionId"]

    def open(self, address: str) -> None:
        """Go to an address."""
        self._do("POST", "url", {"url": address})

    def run(self, script: str, *arguments: object) -> Any:
        """What a script returns."""
        return self._do("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        """The text that is seen of an element; nothing where there is none."""
        found = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return str(found)

    def count(self, selector: str) -> int:
        """How many elements there are."""
        return int(self.run("return document.querySelectorAll(arguments[0]).length", selector))

    def click(self, selector: str) -> None:
        """Click as a person does; again, where the page has just put another one in its place."""
        for left in reversed(range(CLICKS_MAX)):
            try:
                self._do("POST", f"element/{self._element(selector)}/click", {})
            except BrowserError as error:
                if "stale element" not in str(error) or not left:
                    raise
            else:
                return

    def type(self, selector: str, text: str) -> None:
        """Type into a field, as with keys."""
        self._do("POST", f"element/{self._element(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._do("POST", "actions", {"actions": [source]})

    def wait_for(self, script: str, *arguments: object) -> Any:
        """Ask until a script returns something; give that."""
        give_up_s = monotonic() + WAIT_MAX_S
        while not (found := self.run(script, *arguments)):
            if monotonic() > give_up_s:
                raise BrowserError(
                    f"not within {WAIT_MAX_S} s: {script}\n{self.text('body')[:2000]}"
                )
            sleep(0.1)
        return found

    def errors(self) -> list[str]:
        """What the console says of errors and warnings since the last call."""
        entries = self._do("POST", "se/log", {"type": "browser"})
        return [each["message"] for each in entries if each["level"] in {"SEVERE", "WARNING"}]

    def hosts(self) -> set[str]:
        """Whom the page has asked for something since the last call."""
        found: set[str] = set()
        for entry in self._do("POST", "se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = urlsplit(message["params"]["request"]["url"])
                own = address.scheme in {"data", "blob", "chrome", "chrome-untrusted"}
                found |= set() if own else {address.netloc}
        return found

    def look(self, *, width: int, height: int, dark: bool) -> None:
        """Be a screen of this size, for somebody who likes it dark or light."""
        self._tell("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """Keep what is seen, the whole page, as a PNG file."""
        shot = self._tell("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """End the browser."""
        self._ask("DELETE", f"/session/{self._session}")

    def _tell(self, command: str, **parameters: object) -> Any:
        return self._do("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    def _element(self, selector: str) -> str:
        asked = {"using": "css selector", "value": selector}
        return str(self._do("POST", "element", asked)[ELEMENT])

    def _do(self, method: str, what: str, body: object) -> Any:
        return self._ask(method, f"/session/{self._session}/{what}", body)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_MAX_S)
        with contextlib.closing(connection):
            given = None if body is None else json.dumps(body)
            connection.request(method, path, given, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        if answer.status != 200:
            raise BrowserError(f"{method} {path}: {value}")
        return value


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Yield a browser; without Chromium the test is skipped aloud, and fails in CI."""
    program("chromium")
    (port,) = free_ports(1)
    with (folder / "chromedriver.log").open("wb") as log:
        driver = subprocess.Popen(
            [program("chromedriver"), f"--port={port}"], stdout=log, stderr=log
        )
        try:
            _await(port)
            window = Browser(port, folder / "profile")
            with contextlib.closing(window):
                yield window
        finally:
            driver.terminate()
            driver.wait()


def _await(port: int) -> None:
    give_up_s = monotonic() + STARTUP_MAX_S
    while monotonic() < give_up_s:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/status")
            if json.loads(connection.getresponse().read())["value"]["ready"]:
                return
        sleep(0.1)
    raise BrowserError("chromedriver does not start")
