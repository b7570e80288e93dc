"""`python mock_upstream.py --model …` with tiny models that the tests make."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.programs import ROOT, Program, start_gateway

WHY = "needs requirements-local.txt: make test-real"
torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SAID = "<think>\nTwo and two. ü 🤔\n</think>\n\nIt is **4**.<|end|>"


def make_tokenizer() -> Any:
    """Every byte is a token, and so are the markers of the template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    words = {word: number for number, word in enumerate([*special, *alphabet])}
    inner = Tokenizer(models.BPE(vocab=words, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(special)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>")


def make_model(folder: Path, template: str, learned: str = "") -> Path:
    """A model with random weights; with `learned`, it answers every prompt with that text."""
    torch.manual_seed(7)
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = transformers.LlamaForCausalLM(config)
    if learned:
        teach(model, tokenizer, learned)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def teach(model: Any, tokenizer: Any, text: str) -> None:
    """Overfits the model to one text after the template's end."""
    tokens = tokenizer.encode("<|assistant|>" + text)
    ids = torch.tensor([tokens])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def start(folder: Path) -> Program:
    args = [sys.executable, "mock_upstream.py", "--port", "0", "--model", str(folder)]
    return Program(args, r"mock upstream on (http://\S+)", {"HF_HUB_OFFLINE": "1"}, start_s=120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = make_model(tmp_path_factory.mktemp("models") / "tiny-1b", TEMPLATE)
    with start(folder) as program:
        yield program


def complete(url: str, **body: Any) -> requests.Response:
    messages = [{"role": "user", "content": "What is 2+2?"}]
    body = {"messages": messages, "max_tokens": 40, **body}
    return requests.post(f"{url}/v1/chat/completions", json=body, timeout=60)


def chunks(answer: requests.Response) -> list[dict[str, Any]]:
    *frames, end = answer.content.decode().strip().split("\n\n")
    assert end == "data: [DONE]"
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def text_of(parts: list[dict[str, Any]]) -> str:
    choices = [choice for part in parts for choice in part["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_streamed_and_whole_answers_agree(server: Program) -> None:
    whole = complete(server.url, temperature=0).json()
    parts = chunks(
        complete(server.url, temperature=0, stream=True, stream_options={"include_usage": True})
    )
    assert text_of(parts) == whole["choices"][0]["message"]["content"]
    assert parts[-1]["usage"] == whole["usage"]
    assert whole["usage"]["completion_tokens"] == 40
    assert parts[-2]["choices"][0]["finish_reason"] == "length"
    assert whole["model"] == "tiny-1b"


def test_a_seed_reproduces_an_answer(server: Program) -> None:
    def said(seed: int) -> str:
        content: str = complete(server.url, temperature=1.5, seed=seed).json()["choices"][0][
            "message"
        ]["content"]
        return content

    assert said(1) == said(1) != said(2)


def test_the_real_model_answers_under_any_name(server: Program) -> None:
    models = requests.get(f"{server.url}/v1/models", timeout=10).json()["data"]
    assert [model["id"] for model in models] == ["tiny-1b"]
    for name in ("default", "qwen3"):
        assert complete(server.url, model=name).json()["model"] == "tiny-1b"
        parts = chunks(complete(server.url, model=name, stream=True))
        assert {part["model"] for part in parts} == {"tiny-1b"}


def test_a_prompt_that_is_too_long_is_refused(server: Program) -> None:
    answer = complete(server.url, messages=[{"role": "user", "content": "x" * 2000}])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_the_system_message_asks_the_model_to_think() -> None:
    from gateway.mock.local_model import ask_to_think

    turns = [{"role": "user", "content": "hi"}]
    first, second = ask_to_think(turns)
    assert (first["role"], second) == ("system", turns[0])
    assert "<think>" in first["content"]
    [merged, _] = ask_to_think([{"role": "system", "content": "Be short."}, *turns])
    assert merged["content"].startswith("Be short.\n\n")


def test_a_real_models_phases_pass_through_the_gateway(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "thinker", "<|assistant|>", learned=SAID)
    with start(folder) as model, start_gateway(model.url) as gateway:
        args = ["--prompt", "What is 2+2?", "--reasoning", "both", "--sections"]
        command = [sys.executable, "client.py", "--url", gateway.url, *args]
        said = run(command)
        events = [json.loads(line) for line in run([*command[:-1], "--json"]).splitlines()]
    assert said == (
        "[REASONING]\nTwo and two. ü 🤔\n\n"
        "[REASONING SUMMARY]\nTwo and two. ü 🤔\n\n[FINAL RESPONSE]\nIt is **4**.\n"
    )
    assert events[-1]["event"] == "done"
    assert events[-1]["data"]["finish_reason"] == "stop"
    assert len([event for event in events if event["event"] == "final_output_delta"]) > 5


def test_reasoning_that_the_template_opens_is_sent_first(tmp_path: Path) -> None:
    folder = make_model(
        tmp_path / "opened", TEMPLATE.replace("<|assistant|>", "<|assistant|><think>\n")
    )
    with start(folder) as model:
        said = text_of(chunks(complete(model.url, stream=True, temperature=0)))
    assert said.startswith("<think>\n")


def test_a_folder_without_a_model_is_reported_in_one_sentence(tmp_path: Path) -> None:
    args = [sys.executable, "mock_upstream.py", "--model", str(tmp_path)]
    done = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: --model {tmp_path} cannot be loaded: ")
    assert done.stderr.count("\n") == 1


def run(command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
