"""The requests to an upstream, and its refusals."""

import json
from typing import Any

import pytest

from gateway.config import UpstreamConfig
from gateway.upstreams.chat import ChatUpstream

URL = "http://models.test/v1"


@pytest.fixture
def upstream() -> ChatUpstream:
    return ChatUpstream(
        UpstreamConfig(name="a", url=URL, api_key="secret", headers={"X-Team": "search"})
    )


def test_requests_go_to_the_configured_url_with_key_and_headers(upstream: Any) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for call in (
        upstream.completion(body, "m", "id"),
        upstream.models("id"),
        upstream.control("c", "m", "id"),
    ):
        assert call.url.startswith(URL)
        assert "secret" in str(call.headers)
        assert call.headers["X-Team"] == "search"


@pytest.mark.parametrize("value", ["é\u2028", "\ud83d", 2**70, float("inf"), [None, {"a": 1.5}]])
def test_the_body_is_json_whatever_it_holds(upstream: Any, value: Any) -> None:
    sent = json.loads(upstream.completion({"x": value}, "m", "id").body)
    assert sent["x"] == (None if value == float("inf") else value)


def test_a_query_of_the_url_goes_with_every_request() -> None:
    """Azure wants `?api-version=…`."""
    for path in ("", "/chat/completions"):
        url = f"http://a.test/openai/v1{path}?api-version=2026-01-01&b=%20c"
        made = ChatUpstream(UpstreamConfig(name="a", url=url))
        query = "?api-version=2026-01-01&b=%20c"
        assert made.completion({}, "m", "id").url == (
            f"http://a.test/openai/v1/chat/completions{query}"
        )
        assert made.models("id").url == f"http://a.test/openai/v1/models{query}"


def test_comments_and_blank_lines_give_no_parts(upstream: Any) -> None:
    reader = upstream.reader()
    assert reader.feed([b"", b": a comment"]) == []
    assert reader.close() == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"data": 1}'])
def test_an_invalid_list_of_models_is_not_an_empty_one(upstream: Any, body: bytes) -> None:
    assert upstream.model_ids(body) is None
    assert upstream.model_ids(b'{"data": []}') == []


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500])
def test_a_refusal_has_its_status_and_a_message(upstream: Any, status: int) -> None:
    refused = upstream.refusal(status, {}, b"<html>no</html>")
    assert refused.upstream_status == status
    assert refused.message.endswith(".")


def test_members_are_named_as_the_upstream_wants_them() -> None:
    def sent(body: dict[str, Any], **settings: Any) -> dict[str, Any]:
        call = ChatUpstream(UpstreamConfig(name="a", url=URL, **settings)).completion(body, "", "r")
        return json.loads(call.body or b"")

    usual = {"stream": True, "stream_options": {"include_usage": True}}
    assert sent({"max_tokens": 5}) == {"max_tokens": 5, **usual}
    assert sent({}, stream_options=False) == {"stream": True}
    assert sent({"stream_options": {"a": 1}}, stream_options=False) == {"stream": True}
    assert sent({"max_tokens": 5}, max_completion_tokens=True) == {
        "max_completion_tokens": 5,
        **usual,
    }
    both = {"max_tokens": 5, "max_completion_tokens": 6}
    assert sent(both, max_completion_tokens=True) == {"max_completion_tokens": 6, **usual}
