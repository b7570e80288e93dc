"""Starts Open WebUI from its Python package, and drives its API and its page."""

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
"""The prefix of models that Open WebUI requests from the gateway's `/v1`."""
OLLAMA = "ollama"
"""The prefix of models that Open WebUI requests over Ollama's API."""
_NO_NETWORK = {"OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "RAG_EMBEDDING_ENGINE": "openai"}
"""Prevents the check for a new version and the download of an embedding model."""


@contextmanager
def start_open_webui(
    program: str, gateway_url: str, key: str, folder: Path
) -> Iterator["OpenWebUI"]:
    """Yields a server that uses the gateway with two base URLs and keeps its data in the folder."""
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
    """A server and its only user. The constructor waits until the server is up."""

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
        """Adds a connection over Ollama's API, for models with the prefix `ollama.`."""
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
        """Returns the ids of the models that users can choose."""
        listed = requests.get(f"{self.url}/api/models", headers=self._headers, timeout=60)
        return [model["id"] for model in listed.json()["data"]]

    def ask(self, model: str, *, stream: bool) -> requests.Response:
        """Sends a prompt through Open WebUI's own API."""
        messages = [{"role": "user", "content": "What is 2+2?"}]
        return requests.post(
            f"{self.url}/api/chat/completions",
            headers=self._headers,
            json={"model": model, "messages": messages, "stream": stream},
            timeout=60,
        )


class Chat:
    """A new chat on the page."""

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
        """The last turn's reply: its reasoning, tools and answer, or an error."""
        return self.page.locator(".chat-assistant").last

    @property
    def thoughts(self) -> Locator:
        """The line above the reasoning: “Thinking…”, later “Thought for …”."""
        return self.reply.get_by_role("button").filter(has_text=re.compile("Thinking|Thought"))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)
