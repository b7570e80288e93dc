"""Open WebUI as `pip install open-webui` gives it, started by the tests, and a chat on its page."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Browser, Locator, Page, expect

from tests.live.proxies import free_port
from tests.live.wire import wait_until
from tests.programs import Program

START_S = 180
PHASED = "phased"
"""Stands before the names of the models that are asked at the gateway's `/v1`."""
OLLAMA = "ollama"
"""The same for the models that are asked over Ollama's API."""
_NO_NETWORK = {"OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "RAG_EMBEDDING_ENGINE": "openai"}
"""It looks for no new version and fetches no embedding model."""


@contextmanager
def start_open_webui(
    program: str, gateway_url: str, key: str, folder: Path
) -> Iterator["OpenWebUI"]:
    """Its server in front of a gateway, which it asks at two doors. Its data is in the folder."""
    port = free_port()
    settings = {
        **_NO_NETWORK,
        "WEBUI_AUTH": "False",
        "WEBUI_SECRET_KEY": "for tests alone, and long enough",
        "DATA_DIR": str(folder),
        "ENABLE_OLLAMA_API": "False",
        "OPENAI_API_BASE_URLS": f"{gateway_url}/openai/v1;{gateway_url}/v1",
        "OPENAI_API_KEYS": f"{key};{key}",
        "OPENAI_API_CONFIGS": json.dumps({"1": {"prefix_id": PHASED}}),
        "TASK_MODEL_EXTERNAL": "tasks",
        "DEFAULT_INTERFACE_SETTINGS": json.dumps({"expandDetails": True, "showChangelog": False}),
    }
    args = [program, "serve", "--host", "127.0.0.1", "--port", str(port)]
    with Program(args, "Started server process", settings, folder, START_S):
        yield OpenWebUI(f"http://127.0.0.1:{port}")


class OpenWebUI:
    """A server that is starting or runs, asked by its only user."""

    def __init__(self, url: str) -> None:
        self.url = url
        wait_until(self._is_up, START_S)
        signed_in = requests.post(
            f"{url}/api/v1/auths/signin", json={"email": "", "password": ""}, timeout=60
        )
        self._headers = {"Authorization": f"Bearer {signed_in.json()['token']}"}

    def _is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=60).ok
        except requests.ConnectionError:
            return False

    def connect_ollama(self, gateway_url: str, key: str) -> None:
        """Has it ask over Ollama's API as well, for models with `ollama.` before their names."""
        connection = {"enable": True, "key": key, "prefix_id": OLLAMA}
        updated = requests.post(
            f"{self.url}/ollama/config/update",
            headers=self._headers,
            json={
                "ENABLE_OLLAMA_API": True,
                "OLLAMA_BASE_URLS": [gateway_url],
                "OLLAMA_API_CONFIGS": {"0": connection},
            },
            timeout=60,
        )
        updated.raise_for_status()

    def models(self) -> list[str]:
        """What it offers to its users."""
        listed = requests.get(f"{self.url}/api/models", headers=self._headers, timeout=60)
        return [model["id"] for model in listed.json()["data"]]

    def ask(self, model: str, *, stream: bool) -> requests.Response:
        """Its own API, which programs use."""
        messages = [{"role": "user", "content": "What is 2+2?"}]
        return requests.post(
            f"{self.url}/api/chat/completions",
            headers=self._headers,
            json={"model": model, "messages": messages, "stream": stream},
            timeout=60,
        )


class Chat:
    """A new chat on its page."""

    def __init__(self, browser: Browser, webui: OpenWebUI, model: str) -> None:
        self.page: Page = browser.new_page()
        self.page.goto(f"{webui.url}/?models={model}")
        chosen = self.page.locator("#model-selector-model-button")
        expect(chosen).to_have_attribute("aria-label", f"Selected model: {model}")

    def say(self, text: str) -> None:
        self.page.locator("#chat-input").click()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    @property
    def reply(self) -> Locator:
        """The last turn's: its thoughts, tools and answer, or what went wrong."""
        return self.page.locator(".chat-assistant").last

    @property
    def thoughts(self) -> Locator:
        """The line above them: “Thinking…”, later “Thought for …”."""
        return self.reply.get_by_role("button").filter(has_text=re.compile("Thinking|Thought"))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)
