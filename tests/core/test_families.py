"""Reasoning is told from the answer, however the text was cut, and no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, ModelConfig
from gateway.families import FAMILIES, Families, Family, Kind
from tests.core.cuts import cut, every_cut, places

BY_NAME = {family.name: family for family in FAMILIES}


def run(
    family: Family, pieces: list[str], starts_inside: bool | None = None, stopped: bool = True
) -> tuple[str, str]:
    """Reasoning and answer of a text; a recast text counts as the answer alone."""
    splitter = family.splitter(starts_inside)
    segments = [segment for piece in pieces for segment in splitter.feed(piece)]
    segments += splitter.close(stopped=stopped)
    texts = {kind: "".join(s.text for s in segments if s.kind is kind) for kind in Kind}
    if texts[Kind.RECAST]:
        assert texts[Kind.ANSWER] == ""
        return "", texts[Kind.RECAST]
    return texts[Kind.REASONING], texts[Kind.ANSWER]


def split(family: Family, text: str, **options: bool) -> tuple[str, str]:
    """Reasoning and answer, the same for every cut."""
    results = {run(family, pieces, **options) for pieces in every_cut(text)}
    assert len(results) == 1, results
    return results.pop()


TAGS = BY_NAME["tags"]
OPENED = BY_NAME["think-opened"]
NATURAL = BY_NAME["natural"]


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>a</think>b", "a", "b"),
        ("<think>\na\n</think>\n\nb", "a", "b"),
        ("\n<think>a</think>b", "a", "b"),
        ("  <think>a</think>b", "a", "b"),
        ("<thinking>a</thinking>b", "a", "b"),
        ("<reasoning>a</reasoning>b", "a", "b"),
        ("[THINK]a[/THINK]b", "a", "b"),
        ("<think>a</thinking>b</think>c", "a</thinking>b", "c"),
        ("<think>a</think><think>b</think>c", "ab", "c"),
        ("<think></think>b", "", "b"),
        ("<think>a", "a", ""),
        ("<think>a</think", "a</think", ""),
        ("<think>if x </thin y</think>b", "if x </thin y", "b"),
        ("<think>a\n\n\nb</think>c", "a\n\n\nb", "c"),
        ("<think>a</think>b <think>c</think>", "a", "b <think>c</think>"),
        ("Use `<think>` here", "", "Use `<think>` here"),
        ("a <think>b</think>", "", "a <think>b</think>"),
        ("<thi", "", "<thi"),
        ("<thinker>a", "", "<thinker>a"),
        ("  a", "", "  a"),
        ("\r\n<think>a\r\n</think>\r\nb\r\n", "a", "b\r\n"),
        ("<think>先想🤔</think>答\u2028", "先想🤔", "答\u2028"),
        ("<think>a\ud83d</think>\ude00b", "a\ud83d", "\ude00b"),
        ("", "", ""),
    ],
)
def test_tags(text: str, reasoning: str, answer: str) -> None:
    assert split(TAGS, text) == (reasoning, answer)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("a</think>b", "a", "b"),
        ("\na\n</think>\n\nb", "a", "b"),
        ("<think>a</think>b", "a", "b"),
        ("\n<think>\na</think>b", "a", "b"),
        ("</think>b", "", "b"),
        ("a</think>b</think>c", "a", "b</think>c"),
    ],
)
def test_the_template_has_opened_the_reasoning(text: str, reasoning: str, answer: str) -> None:
    assert split(OPENED, text) == (reasoning, answer)


def test_an_end_that_never_comes() -> None:
    text = "No marker was ever seen."
    assert split(OPENED, text, stopped=True) == ("", text)
    assert split(OPENED, text, stopped=False) == (text, "")
    assert split(TAGS, text, starts_inside=True, stopped=False) == (text, "")
    assert split(OPENED, text, starts_inside=False) == ("", text)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        (
            "Let me think about it. Two and two. Therefore, it is 4.",
            "Let me think about it. Two and two. ",
            "Therefore, it is 4.",
        ),
        ("Let's analyze it.\nThe answer is 4.", "Let's analyze it.\n", "The answer is 4."),
        ("Let me think. X. In conclusion, 4.", "Let me think. X. ", "In conclusion, 4."),
        ("Let me think. ATherefore, no.", "Let me think. ATherefore, no.", ""),
        ("Therefore, it is 4.", "", "Therefore, it is 4."),
        ("It is 4. Let me think.", "", "It is 4. Let me think."),
    ],
)
def test_spoken_markers_stay_in_the_text(text: str, reasoning: str, answer: str) -> None:
    assert split(NATURAL, text) == (reasoning, answer)


def example(family: Family, number: int) -> tuple[str, str, str]:
    """A text that shows the family's block `number`, with its reasoning and its answer."""
    block = family.blocks[number]
    if family.spoken:
        reasoning, answer = f"{block.start[0]} of 2 < 3. ", f"{block.end[0]} it is <42>."
        return reasoning + answer, reasoning, answer
    text = f"{block.start[0]}\n2 < 3\n{block.end[0]}\n\nIt is <42>."
    return text, "2 < 3", "It is <42>."


@pytest.mark.parametrize(
    ("family", "number"),
    [(family, number) for family in FAMILIES for number in range(len(family.blocks))],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_block_of_every_family(family: Family, number: int) -> None:
    text, reasoning, answer = example(family, number)
    assert split(family, text) == (reasoning, answer)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@given(data=st.data(), places=places, starts_inside=st.booleans(), stopped=st.booleans())
def test_no_cut_changes_the_result_and_no_character_is_lost(
    family: Family, data: st.DataObject, places: list[int], starts_inside: bool, stopped: bool
) -> None:
    markers = [m for block in family.blocks for m in (*block.start, *block.end)]
    fragments = st.sampled_from([*markers, *(m[:-1] for m in markers), "\n", " ", "a", "<", "b. "])
    text = "".join(data.draw(st.lists(fragments, max_size=12)))
    whole = run(family, [text], starts_inside, stopped)
    assert run(family, cut(text, places), starts_inside, stopped) == whole

    kept = "".join(whole)
    rest = iter(text)
    assert all(character in rest for character in kept), "made up, or out of order"
    lost = len(text) - len(kept)
    droppable = sum(text.count(marker) * len(marker) for marker in markers)
    assert lost <= droppable + sum(map(text.count, "\n ")), "lost"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("deepseek-ai/DeepSeek-R1", "think-opened"),
        ("deepseek-r1:70b", "think-opened"),
        ("openrouter/deepseek/deepseek-r1", "think-opened"),
        ("accounts/fireworks/models/qwen3-8b", "think"),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", "think-opened"),
        ("zai-org/GLM-4.5", "think"),
        ("zai-org/GLM-4.7", "think-opened"),
        ("mistralai/Magistral-Small-2509", "magistral"),
        ("mistralai/Magistral-Small-2506", "think"),
        ("mock-natural", "natural"),
        ("nobody/knows", "tags"),
        ("", "tags"),
    ],
)
def test_a_model_finds_its_family_by_any_of_its_names(model: str, family: str) -> None:
    assert Families(Config()).find(model).name == family


def test_the_operators_entries_come_first() -> None:
    families = Families(
        Config(
            models=(
                ModelConfig(match="Mine*", start=("<ponder>",), end=("</ponder>",)),
                ModelConfig(match="*/qwen3*", family="natural"),
                ModelConfig(match="opened", starts_inside=True),
            )
        )
    )
    assert split(families.find("me/mine-7b"), "<ponder>a</ponder>b") == ("a", "b")
    assert split(families.find("mine"), "<think>a</think>b") == ("", "<think>a</think>b")
    assert families.find("x/qwen3-8b").name == "natural"
    assert families.find("opened").starts_inside


def test_configured_markers_replace_every_familys() -> None:
    families = Families(Config(reasoning_start="<<", reasoning_end=">>"))
    assert split(families.find("qwen3-8b"), "<<a>>b") == ("a", "b")
    assert split(families.find("any"), "<think>a</think>b") == ("", "<think>a</think>b")
    assert families.find("deepseek-r1").starts_inside


@pytest.mark.parametrize("text", ["<" * 1_000_000, "</thin" * 200_000, "<think>" * 150_000])
def test_time_is_linear(text: str) -> None:
    """Ten times more text would take minutes if it were not."""
    pieces = [text[i : i + 1000] for i in range(0, len(text), 1000)]
    for starts_inside in (False, True):
        reasoning, answer = run(TAGS, pieces, starts_inside, stopped=False)
        assert len(reasoning) + len(answer) >= len(text) - len("<think>")
