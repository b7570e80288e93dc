"""The requests that the client sends."""

import pytest
import responses
from click.testing import CliRunner

from gateway.terminal import cli
from tests.web.terminal.fake_gateway import PROMPT, PROMPT_ARGS, URL, run_client, sent_body, serve
from tests.web.terminal.transcripts import events_stream


def test_the_request_follows_the_contract(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("both"))
    run_client(*PROMPT_ARGS, "--model", "default", "--reasoning", "both", "--detail", "concise")
    assert sent_body(gateway) == {
        "model": "default",
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": True,
        "gateway": {"format": "events", "reasoning": "both", "detail": "concise"},
    }


def test_no_model_is_sent_unless_one_is_given(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    run_client(*PROMPT_ARGS)
    assert "model" not in sent_body(gateway)


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}/v1", f"{URL}/v1/", "gateway.test:8080"])
def test_the_url_may_end_in_v1(gateway: responses.RequestsMock, url: str) -> None:
    serve(gateway, events_stream("summary"))
    assert CliRunner().invoke(cli.main, [*PROMPT_ARGS, "--url", url]).exit_code == 0


def test_the_url_comes_from_the_environment(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    result = CliRunner().invoke(cli.main, PROMPT_ARGS, env={"GATEWAY_URL": URL})
    assert result.exit_code == 0


def test_a_prompt_can_be_piped_in(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    assert run_client(stdin="Why?\nSay it.\n").exit_code == 0
    assert sent_body(gateway)["messages"] == [{"role": "user", "content": "Why?\nSay it."}]


def test_piped_input_is_added_below_the_prompt(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    assert run_client("--prompt", "why?", stdin="line 1\nline 2\n").exit_code == 0
    assert sent_body(gateway)["messages"][0]["content"] == "why?\n\nline 1\nline 2"


def test_the_api_key_is_sent_as_bearer(gateway: responses.RequestsMock) -> None:
    for args, env in ((["--api-key", "k-1"], {}), ([], {"GATEWAY_API_KEY": "k-1"}), ([], {})):
        serve(gateway, events_stream("summary"))
        result = CliRunner().invoke(cli.main, ["--url", URL, *PROMPT_ARGS, *args], env=env)
        assert result.exit_code == 0
    keys = [call.request.headers.get("Authorization") for call in gateway.calls]
    assert keys == ["Bearer k-1", "Bearer k-1", None]


def test_any_bytes_can_be_sent_as_api_key(gateway: responses.RequestsMock) -> None:
    """The gateway decides which keys are valid, not the client."""
    for key in ("ключ", "\udcff", " k-1\n"):
        serve(gateway, events_stream("summary"))
        assert run_client(*PROMPT_ARGS, "--api-key", key).exit_code == 0
    keys = [call.request.headers["Authorization"].encode("latin-1") for call in gateway.calls]
    assert keys == ["Bearer ключ".encode(), b"Bearer \xff", b"Bearer k-1"]


def test_a_summarizer_is_sent_only_if_one_is_given(gateway: responses.RequestsMock) -> None:
    for args in ([], ["--summarizer", "off"]):
        serve(gateway, events_stream("summary"))
        run_client(*PROMPT_ARGS, *args)
    asked = [sent_body(gateway, number)["gateway"].get("summarizer") for number in (0, 1)]
    assert asked == [None, "off"]


@pytest.mark.parametrize("args", [[], ["--interactive"]])
def test_undecodable_piped_bytes_are_replaced(
    gateway: responses.RequestsMock, args: list[str]
) -> None:
    serve(gateway, events_stream("summary"))
    assert CliRunner().invoke(cli.main, ["--url", URL, *args], input=b"a\xffb\n").exit_code == 0
    assert sent_body(gateway)["messages"][0]["content"] == "a\ufffdb"
