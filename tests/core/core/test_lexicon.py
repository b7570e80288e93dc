"""A cue is found wherever its pattern is: the words that it looks for first hide nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.summarizers import lexicon, talk
from gateway.core.summarizers.lexicon import Cue
from tests.properties import examples

CUES = {
    name: cue
    for module in (lexicon, talk)
    for name, cue in vars(module).items()
    if isinstance(cue, Cue)
}


@pytest.mark.parametrize("name", CUES)
@examples(4)  # each of its alternatives should come up
@given(data=st.data())
def test_what_the_pattern_matches_is_found(name: str, data: st.DataObject) -> None:
    cue = CUES[name]
    match = data.draw(st.from_regex(cue.pattern, fullmatch=True))
    assert cue.search(match)


@pytest.mark.parametrize("name", CUES)
@given(data=st.data())
def test_words_alone_are_not_a_match(name: str, data: st.DataObject) -> None:
    cue = CUES[name]
    text = f"a{data.draw(st.sampled_from(cue.words))}b"
    assert cue.search(text) == bool(cue.pattern.search(text))


@pytest.mark.parametrize("line", ["x = f(1)", "  return x", "for (;;) {", "done();", "if x(y):"])
def test_a_line_of_code_is_known_without_a_fence(line: str) -> None:
    assert lexicon.is_code(line)


@pytest.mark.parametrize("line", ["", "So x is 3.", "The set {1, 2} has two members."])
def test_prose_is_no_code(line: str) -> None:
    assert not lexicon.is_code(line)
