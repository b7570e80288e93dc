"""A key of the gateway lets a client in, by any header that its API names, and says who it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis.base import KEY_HEADERS
from gateway.config import Principal
from gateway.errors import InvalidKey
from gateway.web.auth import Authenticator

ADA = Principal(name="ada")
BOB = Principal(name="bob", models=("qwen3-*",))
HOLDERS = [("sk-one", ADA), ("sk-two", BOB)]


def authenticate(authorization: str = "", api_key: str = "") -> Principal:
    headers = {"Authorization": authorization, "x-api-key": api_key}
    return Authenticator(HOLDERS).authenticate(headers, KEY_HEADERS)


@pytest.mark.parametrize(("key", "holder"), HOLDERS)
def test_a_key_in_either_header_names_its_holder(key: str, holder: Principal) -> None:
    for scheme in ("Bearer ", "bearer ", "BEARER  "):
        assert authenticate(f"{scheme}{key}") == holder
    assert authenticate(api_key=f" {key} ") == holder


def test_one_valid_key_of_two_is_enough() -> None:
    assert authenticate("Bearer wrong", "sk-one") == ADA
    assert authenticate("Bearer sk-one", "wrong") == ADA


def test_an_api_names_its_own_key_header() -> None:
    keys = Authenticator(HOLDERS)
    assert keys.authenticate({"x-toy-key": "sk-two"}, ("x-toy-key",)) == BOB
    with pytest.raises(InvalidKey, match="as `x-toy-key`"):
        keys.authenticate({"Authorization": "Bearer sk-two"}, ("x-toy-key",))


@pytest.mark.parametrize(
    ("authorization", "api_key", "message"),
    [
        ("", "", "Send a key"),
        ("Bearer", " ", "Send a key"),
        ("Basic sk-one", "", "Send a key"),
        ("sk-one", "", "Send a key"),
        ("Bearer sk-on", "", "does not know"),
        ("Bearer sk-one sk-two", "", "does not know"),
        ("", "sk-one,sk-two", "does not know"),
        ("", "SK-ONE", "does not know"),
        ("", "sk-\u00f6ne", "does not know"),
        ("Bearer \xff", "", "does not know"),
    ],
)
def test_anything_else_is_refused(authorization: str, api_key: str, message: str) -> None:
    with pytest.raises(InvalidKey, match=message):
        authenticate(authorization, api_key)


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_a_refusal_does_not_repeat_the_key(authorization: str, api_key: str) -> None:
    """Whatever bytes a header has, they are compared, and no error shows them."""
    messages = set()
    for sent in ((authorization, api_key), ("", ""), ("Bearer x", "")):
        with pytest.raises(InvalidKey) as refused:
            authenticate(*sent)
        messages.add(refused.value.message)
    assert len(messages) == 2
