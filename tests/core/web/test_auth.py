"""Whose key is one of the gateway's may come in, by either header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidKey
from gateway.web.auth import Keys

KEYS = ("sk-one", "sk-two")


@pytest.mark.parametrize("key", KEYS)
def test_each_key_lets_in_by_either_header(key: str) -> None:
    for scheme in ("Bearer ", "bearer ", "BEARER  "):
        Keys(KEYS).check(f"{scheme}{key}", "")
    Keys(KEYS).check("", f" {key} ")


def test_one_of_two_that_are_sent_is_enough() -> None:
    Keys(KEYS).check("Bearer wrong", "sk-one")
    Keys(KEYS).check("Bearer sk-one", "wrong")


@pytest.mark.parametrize(
    ("authorization", "api_key", "said"),
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
def test_nothing_else_does(authorization: str, api_key: str, said: str) -> None:
    with pytest.raises(InvalidKey, match=said):
        Keys(KEYS).check(authorization, api_key)


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_what_is_refused_is_not_repeated(authorization: str, api_key: str) -> None:
    """Whatever bytes a header has, they are compared, and no error shows them."""
    sayings = set()
    for sent in ((authorization, api_key), ("", ""), ("Bearer x", "")):
        with pytest.raises(InvalidKey) as refused:
            Keys(["sk-one"]).check(*sent)
        sayings.add(refused.value.message)
    assert len(sayings) == 2
