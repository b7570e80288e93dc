"""Which kinds of model servers there are, and how one is recognized."""

from typing import get_args

import pytest

from gateway.config import UpstreamKind
from gateway.upstreams import CHAT, KINDS
from gateway.upstreams.kinds import (
    described,
    kind_of_address,
    kind_of_headers,
    kind_of_owners,
)
from gateway.upstreams.thinking import can_take_over


def test_every_kind_of_the_settings_has_a_row() -> None:
    assert set(KINDS) == set(get_args(UpstreamKind))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_can_end_the_thinking_and_turn_it_off(kind: object) -> None:
    row = KINDS[kind.name]  # type: ignore[attr-defined]
    assert row.ways[-1] == "restart"
    assert row.off
    assert row.thoughts_in or "prefill" not in row.ways


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.deepseek.com/v1", "deepseek"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://OpenRouter.AI/api/v1", "openrouter"),
        ("https://openrouter.ai.evil.example/v1", None),
        ("http://127.0.0.1:8000/v1", None),
        ("http://[::1]:8000", None),
    ],
)
def test_a_public_address_names_its_kind(url: str, kind: str | None) -> None:
    found = kind_of_address(url)
    assert (found and found.name) == kind


def test_llama_cpp_names_itself_in_its_answers() -> None:
    assert kind_of_headers({"Server": "llama.cpp"}) is KINDS["llama.cpp"]
    assert kind_of_headers({"Server": "uvicorn"}) is None
    assert kind_of_headers({}) is None


@pytest.mark.parametrize(
    ("owners", "kind"),
    [
        (["vllm", "vllm"], "vllm"),
        (["sglang"], "sglang"),
        (["llamacpp"], "llama.cpp"),
        (["library", "me"], "ollama"),
        (["organization_owner"], "lmstudio"),
        (["me"], None),
        ([], None),
    ],
)
def test_the_owner_of_the_models_names_the_kind(owners: list[str], kind: str | None) -> None:
    found = kind_of_owners(owners)
    assert (found and found.name) == kind


def test_a_kind_is_described_by_what_it_can_do() -> None:
    assert described(KINDS["sglang"]) == {
        "kind": "sglang",
        "thinking_budget": "custom_params.thinking_budget",
        "answer_now": ["prefill", "restart"],
    }
    assert described(None) == described(CHAT) | {"kind": None}


@pytest.mark.parametrize("member", ["response_format", "guided_json", "structural_tag"])
def test_an_answer_with_a_grammar_is_never_continued(member: str) -> None:
    kind = KINDS["llama.cpp"]
    assert can_take_over(kind, {"messages": []}, in_thinking=False)
    assert not can_take_over(kind, {"messages": [], member: {}}, in_thinking=False)
