"""A gateway with API keys: the right key gets an answer, a wrong one an AuthenticationError."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.sdk.expected import ANSWER, KEY, retries

HI: Any = {"model": "default@tps=0", "messages": [{"role": "user", "content": "hi"}]}
MESSAGE: Any = {**HI, "max_tokens": 99}
ASKED: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "chat": (OpenAI, "/openai/v1", lambda client: client.chat.completions.create(**HI)),
    "chat, streamed": (
        OpenAI,
        "/v1",
        lambda client: client.chat.completions.create(**HI, stream=True),
    ),
    "responses": (
        OpenAI,
        "/v1",
        lambda client: client.responses.create(model="default@tps=0", input="hi"),
    ),
    "models": (OpenAI, "/v1", lambda client: client.models.list()),
    "messages": (Anthropic, "", lambda client: client.messages.create(**MESSAGE)),
    "messages, streamed": (
        Anthropic,
        "",
        lambda client: client.messages.create(**MESSAGE, stream=True),
    ),
    "tokens": (Anthropic, "", lambda client: client.messages.count_tokens(**HI)),
}
"""Name → SDK, the path of its base URL, and the call."""
ERRORS: dict[Any, type[Exception]] = {
    OpenAI: openai.AuthenticationError,
    Anthropic: anthropic.AuthenticationError,
}


@pytest.mark.parametrize("name", ASKED)
def test_a_wrong_key_raises_an_authentication_error_without_a_retry(
    connect: Callable[..., Any], keyed_url: str, name: str
) -> None:
    sdk, path, call = ASKED[name]
    client = connect(sdk, f"{keyed_url}{path}", retries=2, key="sk-wrong")
    with pytest.raises(ERRORS[sdk], match="does not know this key") as raised:
        call(client)
    error: Any = raised.value
    assert (error.status_code, retries(error)) == (401, 0)
    assert error.request_id
    assert "sk-wrong" not in str(error)


@pytest.mark.parametrize("name", ASKED)
def test_the_right_key_gets_an_answer(
    connect: Callable[..., Any], keyed_url: str, name: str
) -> None:
    sdk, path, call = ASKED[name]
    answer = call(connect(sdk, f"{keyed_url}{path}", key=KEY))
    if "streamed" in name:
        assert len(list(answer)) > 1


def test_the_openai_error_has_its_type_and_code(
    connect: Callable[..., Any], keyed_url: str
) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        connect(OpenAI, f"{keyed_url}/v1").models.list()
    assert (raised.value.type, raised.value.code) == ("authentication_error", "invalid_api_key")


def test_the_anthropic_sdk_can_send_its_key_as_a_bearer_token(keyed_url: str) -> None:
    with Anthropic(base_url=keyed_url, auth_token=KEY) as client:
        assert client.messages.create(**MESSAGE).content[-1].text == ANSWER
