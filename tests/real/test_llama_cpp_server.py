"""The gateway in front of llama-cpp-python's server with a tiny random model.

A grammar in the request, which the gateway passes on, makes the model write what a test needs.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.programs import Program, start_gateway

WHY = "needs requirements-real.txt: make test-real"
pytest.importorskip("llama_cpp.server", reason=WHY)
pytest.importorskip("gguf", reason=WHY)

REASONING = "Two and two make four. I say it in one line."
ANSWER = "It is **4**, über."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    from tests.real.tiny_gguf import make_gguf

    path = make_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")
    args = [sys.executable, "-m", "llama_cpp.server", "--model", str(path)]
    args += ["--model_alias", "tiny", "--host", "127.0.0.1", "--port", "0"]
    with Program(args, r"Uvicorn running on (http://\S+)", start_s=120) as program:
        yield program


@pytest.fixture(scope="module")
def gateway(server: Program) -> Iterator[Program]:
    with start_gateway(server.url) as program:
        yield program


def ask(gateway: Program, format: str, said: str, **body: Any) -> requests.Response:
    return requests.post(
        f"{gateway.url}/{format}/v1/chat/completions",
        json={
            "model": "tiny",
            "messages": [{"role": "user", "content": "What is 2+2?"}],
            "stream": True,
            "max_tokens": 200,
            "grammar": f"root ::= {json.dumps(said, ensure_ascii=False)}",
            **body,
        },
        timeout=60,
    )


def events(answer: requests.Response) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for frame in answer.content.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines())
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_real_servers_phases_arrive_token_by_token(gateway: Program) -> None:
    said = f"<think>\n{REASONING}\n</think>\n\n{ANSWER}"
    answer = ask(gateway, "events", said, gateway={"reasoning": "both"})
    received = events(answer)

    def text(name: str) -> str:
        return "".join(data["text"] for event, data in received if event == name)

    assert text("prompt_summary") == "What is 2+2?"
    assert text("reasoning_delta").strip() == REASONING
    assert text("reasoning_summary") == REASONING
    assert text("final_output_delta") == ANSWER
    assert [event for event, _ in received].count("final_output_delta") > 5
    assert received[-1][0] == "done"
    assert received[-1][1]["finish_reason"] == "stop"


def test_an_answer_without_reasoning(gateway: Program) -> None:
    answer = ask(gateway, "openai", ANSWER, stream=False)
    [choice] = answer.json()["choices"]
    assert choice["message"]["content"] == ANSWER
    assert answer.json()["phases"]["reasoning_summary"] == "Reasoning not detected."


def test_the_finish_reason_of_a_truncated_answer(gateway: Program) -> None:
    received = events(ask(gateway, "events", ANSWER, max_tokens=5))
    assert received[-1][1]["finish_reason"] == "length"


def test_the_servers_models_are_listed(gateway: Program) -> None:
    listed = requests.get(f"{gateway.url}/v1/models", timeout=10).json()
    assert [model["id"] for model in listed.get("data", ())] == ["tiny"], listed


def test_a_stream_that_the_server_breaks_off_is_a_failure(gateway: Program) -> None:
    # The server notices only after status 200 that this is too long.
    messages = [{"role": "user", "content": "word " * 1000}]
    name, data = events(ask(gateway, "events", ANSWER, messages=messages))[-1]
    assert (name, data["error"]["code"]) == ("failed", "upstream_broke_off")
