"""Secrets are removed from upstreams' texts, and only they."""

from base64 import b64encode

import pytest

from gateway.config import UpstreamConfig
from gateway.routing.redact import redactor

PASSWORD = "p@ss:word/1"
URL = "http://me:p%40ss%3Aword%2F1@127.0.0.1:9/v1"


@pytest.mark.parametrize(
    "echo",
    ["p%40ss%3Aword%2F1", PASSWORD, b64encode(f"me:{PASSWORD}".encode()).decode(), URL],
)
def test_the_password_of_an_address_is_hidden_however_it_is_spelled(echo: str) -> None:
    hide = redactor(UpstreamConfig(name="a", url=URL).secrets)
    shown = hide(f"I was called with {echo}, I think.")
    assert "word" not in shown
    assert echo not in shown
    assert shown.endswith(", I think.")


def test_a_login_in_a_header_is_hidden() -> None:
    headers = {"Authorization": "Basic bWU6c2VjcmV0", "X-Api-Key": "sk-1234567890"}
    hide = redactor(UpstreamConfig(name="a", url="http://a.test", headers=headers).secrets)
    assert hide("bad login bWU6c2VjcmV0 and key sk-1234567890x") == "bad login … and key …x"


def test_values_of_other_headers_are_words_like_any() -> None:
    headers = {"X-Team": "search", "X-Version": "1"}
    hide = redactor(UpstreamConfig(name="a", url="http://a.test", headers=headers).secrets)
    assert hide("search failed at step 1") == "search failed at step 1"


def test_a_short_key_is_hidden_only_as_a_word() -> None:
    hide = redactor(["EMPTY", "x", ""])
    assert hide("the key EMPTY is not EMPTYING x-rays") == "the key … is not EMPTYING x-rays"
