"""Text is split into reasoning and answer, wherever it is cut, and no character is lost."""

from collections.abc import Callable, Iterable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, ModelConfig
from gateway.core.families import FAMILIES, Families, Family, Segment, SegmentKind
from gateway.core.families.grammar import Exit, Gate, Grammar, Text
from gateway.core.families.splitter import Splitter
from tests.core.cuts import cut, cuts_in_two, every_cut, places
from tests.core.work import assert_grows
from tests.properties import examples

Cuts = Callable[[str], Iterable[list[str]]]
BY_NAME = {family.name: family for family in FAMILIES}


def segments(
    family: Family,
    pieces: list[str],
    starts_inside: bool | None = None,
    unmarked_is_answer: bool = True,
) -> list[Segment]:
    splitter = family.splitter(starts_inside)
    found = [segment for piece in pieces for segment in splitter.feed(piece)]
    found += splitter.close(unmarked_is_answer=unmarked_is_answer)
    assert all(segment.text and segment.kind is not SegmentKind.MARKUP for segment in found)
    return found


def run(family: Family, pieces: list[str], *options: bool, **named: bool) -> tuple[str, str]:
    """Reasoning and answer of a text; a reclassified text counts as answer only."""
    found = segments(family, pieces, *options, **named)
    texts = {kind: "".join(s.text for s in found if s.kind is kind) for kind in SegmentKind}
    if texts[SegmentKind.RECLASSIFIED]:
        assert texts[SegmentKind.ANSWER] == ""
        return "", texts[SegmentKind.RECLASSIFIED]
    return texts[SegmentKind.REASONING], texts[SegmentKind.ANSWER]


def split(family: Family, text: str, cuts: Cuts = every_cut, **options: bool) -> tuple[str, str]:
    """Reasoning and answer, after checking that every cut gives the same."""
    results = {run(family, pieces, **options) for pieces in cuts(text)}
    assert len(results) == 1, results
    return results.pop()


in_two = partial(split, cuts=cuts_in_two)
"""For the many markers of all families, whose grammars have one form. The property below cuts at
random places, too."""


def test_the_example_in_the_documentation_of_grammars() -> None:
    grammar = Grammar(
        {
            "head": Gate({"<think>": Exit("reasoning")}, otherwise="answer"),
            "reasoning": Text(SegmentKind.REASONING, {"</think>": Exit("answer")}),
            "answer": Text(SegmentKind.ANSWER, {}),
        },
        "head",
    )
    splitter = Splitter(grammar)
    assert splitter.feed("\n<thi") == []
    assert splitter.feed("nk>2 < 3") == [Segment(SegmentKind.REASONING, "2 < 3")]
    assert splitter.feed("\n</think>\n") == []
    assert splitter.feed("No <think>.") == [Segment(SegmentKind.ANSWER, "No <think>.")]
    assert splitter.close(unmarked_is_answer=True) == []


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
        ("<Think>a</Think>b", "a", "b"),
        ("<THINKING>\na\n</thinking>\n\nb", "a", "b"),
        ("<think>a</think></think>b", "a", "b"),
        ("<think>\na\n</think>\n</think>\n\nb", "a", "b"),
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
def test_reasoning_that_the_template_opened(text: str, reasoning: str, answer: str) -> None:
    assert split(OPENED, text) == (reasoning, answer)


def test_a_missing_end_marker() -> None:
    text = "No marker was ever seen."
    assert split(OPENED, text, unmarked_is_answer=True) == ("", text)
    assert split(OPENED, text, unmarked_is_answer=False) == (text, "")
    assert split(TAGS, text, starts_inside=True, unmarked_is_answer=False) == (text, "")
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
def test_phrases_stay_in_the_text(text: str, reasoning: str, answer: str) -> None:
    assert split(NATURAL, text) == (reasoning, answer)


def blocks(family: Family) -> list[tuple[str, str]]:
    """Every start marker of a family with every end marker of its block."""
    return [(start, end) for b in family.blocks for start in b.start for end in b.end]


TAGGED = [family for family in FAMILIES if not family.phrases and not family.grammar]
EVERY_BLOCK = [
    pytest.param(family, start, end, id=f"{family.name} {start} {end}")
    for family in TAGGED
    for start, end in blocks(family)
]


@pytest.mark.parametrize(("family", "start", "end"), EVERY_BLOCK)
class TestEveryBlockOfEveryFamily:
    def test_explicit_markers(self, family: Family, start: str, end: str) -> None:
        for text in (
            f"{start}2 < 3{end}It is 42.",
            f"{start}\n2 < 3\n{end}\n\nIt is 42.",
            f"\n{start}2 < 3{end}It is 42.",
        ):
            assert in_two(family, text, starts_inside=False) == ("2 < 3", "It is 42.")

    def test_opened_by_the_template(self, family: Family, start: str, end: str) -> None:
        for text in (f"2 < 3{end}It is 42.", f"{start}2 < 3{end}It is 42."):
            assert in_two(family, text, starts_inside=True) == ("2 < 3", "It is 42.")

    def test_no_reasoning(self, family: Family, start: str, end: str) -> None:
        assert in_two(family, "It is 42.", starts_inside=False) == ("", "It is 42.")

    def test_empty_reasoning(self, family: Family, start: str, end: str) -> None:
        assert in_two(family, f"{start}\n\n{end}It is 42.") == ("", "It is 42.")

    def test_cut_off_by_length(self, family: Family, start: str, end: str) -> None:
        assert in_two(family, f"{start}2 < 3", unmarked_is_answer=False) == ("2 < 3", "")
        assert in_two(family, "2 < 3", starts_inside=True, unmarked_is_answer=False) == (
            "2 < 3",
            "",
        )

    def test_an_unfinished_end_marker_is_text(self, family: Family, start: str, end: str) -> None:
        almost = end[:-1]
        text = f"{start}if {almost}~ then{end}It is 42."
        assert in_two(family, text) == (f"if {almost}~ then", "It is 42.")

    def test_consecutive_blocks(self, family: Family, start: str, end: str) -> None:
        text = f"{start}a{end}\n{start}b{end}c"
        assert in_two(family, text) == ("ab", "c")

    def test_markers_in_the_answer_are_text(self, family: Family, start: str, end: str) -> None:
        if not family.anywhere and not family.preface:
            for answer in (f"Write {start}x{end} so.", f"Write `{end}`.", f"```\n{end}\n```\n!"):
                assert in_two(family, answer, starts_inside=False) == ("", answer)
                assert in_two(family, f"{start}a{end}{answer}") == ("a", answer)

    def test_special_tokens_open_reasoning_within_the_answer(
        self, family: Family, start: str, end: str
    ) -> None:
        if family.anywhere:
            text = f"{start}a{end}b{start}c{end}d"
            assert in_two(family, text) == ("ac", "bd")


WRAPPED = [
    pytest.param(family, start, end, id=f"{family.name} {start} {end}")
    for family in FAMILIES
    for wrapper in family.wrappers
    for start in wrapper.start or ("",)
    for end in wrapper.end
]


@pytest.mark.parametrize(("family", "start", "end"), WRAPPED)
def test_answer_wrappers_are_removed(family: Family, start: str, end: str) -> None:
    block_start, block_end = blocks(family)[0]
    for text in (
        f"{block_start}a{block_end}{start}It is 42.{end}",
        f"{block_start}\na\n{block_end}\n\n{start}\nIt is 42.\n{end}\n",
        f"{block_start}a{block_end}{start}It is 42.",
    ):
        assert split(family, text) == ("a", "It is 42.")
    if start:
        assert split(family, f"{start}It is 42.{end}", starts_inside=False) == ("", "It is 42.")


TOOLS = [
    pytest.param(family, tool, id=f"{family.name} {tool.strip()}")
    for family in TAGGED
    for tool in family.tools
]


@pytest.mark.parametrize(("family", "tool"), TOOLS)
def test_a_tool_call_ends_the_reasoning_and_stays_text(family: Family, tool: str) -> None:
    start, end = blocks(family)[0]
    call = f'{tool.strip()}{{"a": "{start}x{end}"}}'
    space = tool[: len(tool) - len(tool.lstrip())]
    reasoning, answer = split(family, f"{start}I call it.{space}{call}")
    assert (reasoning.strip(), answer) == ("I call it.", call)
    reasoning, answer = split(family, f"I call it.{space}{call}", starts_inside=True)
    assert (reasoning.strip(), answer) == ("I call it.", call)
    reasoning, answer = split(family, f"{start}a{end}Calling.{space}{call}")
    assert (reasoning, answer) == ("a", f"Calling.{space}{call}")


def test_deepseek_v4_tool_markers_count_only_on_a_new_line() -> None:
    text = "I write <｜DSML｜tool_calls> here.</think>b"
    assert split(BY_NAME["deepseek-v4"], text) == ("I write <｜DSML｜tool_calls> here.", "b")


def test_mistral_tool_markers_in_the_reasoning_are_text() -> None:
    text = "[THINK]Write [TOOL_CALLS] so.[/THINK][TOOL_CALLS]f[ARGS]{}"
    assert split(BY_NAME["mistral"], text) == ("Write [TOOL_CALLS] so.", "[TOOL_CALLS]f[ARGS]{}")


@pytest.mark.parametrize(
    "text",
    [
        "It is 4.<|close|>response<|sep|>",
        "<|open|>response<|sep|>It is 4.<|close|>response<|sep|><|close|>message<|sep|>",
    ],
)
def test_an_answer_wrapper_that_the_template_opened(text: str) -> None:
    assert split(BY_NAME["kimi-k3"], text, starts_inside=False) == ("", "It is 4.")


HARMONY = BY_NAME["harmony"]
HEAD = "<|start|>assistant"
FINAL = f"{HEAD}<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        (f"<|channel|>analysis<|message|>a<|end|>{FINAL}b<|return|>", "a", "b"),
        (f"{HEAD}<|channel|>analysis<|message|>a<|end|>{FINAL}b", "a", "b"),
        ("<|channel|>final<|message|>b<|return|>", "", "b"),
        (
            f"<|channel|>analysis<|message|>a<|end|>{HEAD}<|channel|>analysis<|message|>c<|end|>"
            f"{FINAL}b",
            "ac",
            "b",
        ),
        (
            f"<|channel|>analysis<|message|>a<|end|>{HEAD}<|channel|>commentary<|message|>"
            f"I look.<|end|>{FINAL}b",
            "a",
            "I look.b",
        ),
        (
            f"<|channel|>analysis<|message|>a<|end|>{HEAD}<|channel|>commentary to=functions.f "
            '<|constrain|>json<|message|>{"x": 1}<|call|>',
            "a",
            '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}<|call|>',
        ),
        (
            f"<|channel|>analysis<|message|>a<|end|>{HEAD} to=functions.f<|channel|>commentary"
            "<|message|>{}<|call|>",
            "a",
            f"{HEAD} to=functions.f<|channel|>commentary<|message|>{{}}<|call|>",
        ),
        ("<|channel|>analysis<|message|>a", "a", ""),
        ("<|channel|>analysis", "", ""),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>fin", "a", ""),
        ("analysisWe add.assistantfinalfour", "We add.", "four"),
        (
            f"<|channel|>analysis<|message|>Not <|call|> or <|channel|>final.<|end|>{FINAL}b",
            "Not <|call|> or <|channel|>final.",
            "b",
        ),
        (
            "<|channel|>commentary to=functions.f<|message|>{}<|call|>"
            f"{HEAD}<|channel|>analysis<|message|>a<|end|>{FINAL}b",
            "a",
            "<|channel|>commentary to=functions.f<|message|>{}<|call|>b",
        ),
        ("<|channel|>final b", "", " b"),
        (f"<|channel|>commentary?We need a.<|end|>{FINAL}b", "?We need a.", "b"),
        ("<|channel|>final <|constrain|>json<|message|>{}", "", "{}"),
        (
            f"<|channel|>commentary to=assistant<|channel|>analysis<|message|>a<|end|>{FINAL}b",
            "a",
            "b",
        ),
        (f"<|channel|>??<|end|>{HEAD}<|channel|>analysis<|message|>a<|end|>{FINAL}b", "a", "b"),
        (
            '<|channel|>analysis to=functions.f<|message|>{"x": 1}',
            "",
            '<|channel|>analysis to=functions.f<|message|>{"x": 1}',
        ),
        ("It is 4.", "", "It is 4."),
        ("analysis is a branch of mathematics.", "", "analysis is a branch of mathematics."),
    ],
)
def test_harmony(text: str, reasoning: str, answer: str) -> None:
    assert split(HARMONY, text) == (reasoning, answer)


def test_harmony_opened_by_the_prompt() -> None:
    assert split(HARMONY, f"a<|end|>{FINAL}b", starts_inside=True) == ("a", "b")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I think.</think>Hi", "I think.Hi"),
        ("I think.\n</think>\n\nHi", "I think.Hi"),
        ("</think>Hi", "Hi"),
    ],
)
def test_an_unopened_end_marker_is_dropped_and_reported(text: str, answer: str) -> None:
    for pieces in every_cut(text):
        splitter = TAGS.splitter()
        found = [s for piece in pieces for s in splitter.feed(piece)]
        found += splitter.close(unmarked_is_answer=True)
        assert "".join(s.text for s in found) == answer
        assert splitter.saw_unopened_end


@pytest.mark.parametrize(
    "text", ["Hi</think>\n\n", "Hi\n</think>", "</think>", "a</think>b</think>"]
)
def test_an_unopened_end_marker_that_no_text_follows_is_text(text: str) -> None:
    """It ended nothing; servers leave it behind before a tool call."""
    reasoning, answer = split(TAGS, text)
    assert (reasoning, answer) == ("", text.replace("a</think>", "a"))


@pytest.mark.parametrize(
    "text", ["<think>a</think>b</think>c", "`</think>`", "A <think> and its </think>", "</thin"]
)
def test_other_end_markers_are_not_reported_as_unopened(text: str) -> None:
    splitter = TAGS.splitter()
    splitter.feed(text)
    splitter.close(unmarked_is_answer=True)
    assert not splitter.saw_unopened_end


def markers(family: Family) -> list[str]:
    """Every marker of a family."""
    grammars = [family.splitter(inside)._grammar for inside in (False, True)]
    return sorted({m for g in grammars for s in g.states.values() for m in s.exits})


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@examples(0.5)  # for each of some forty families
@given(data=st.data(), places=places, starts_inside=st.booleans(), answer=st.booleans())
def test_no_cut_changes_the_result_and_no_character_is_lost(
    family: Family, data: st.DataObject, places: list[int], starts_inside: bool, answer: bool
) -> None:
    marks = markers(family)
    fragments = st.sampled_from([*marks, *(m[:-1] for m in marks), "\n", " ", "a", "<", "b. "])
    text = "".join(data.draw(st.lists(fragments, max_size=12)))
    whole = run(family, [text], starts_inside, answer)
    assert run(family, cut(text, places), starts_inside, answer) == whole

    found = segments(family, [text], starts_inside, answer)
    kept = "".join(s.text for s in found if s.kind is not SegmentKind.RECLASSIFIED)
    rest = iter(text)
    assert all(character in rest for character in kept), "made up or out of order"
    if any(s.kind is SegmentKind.RECLASSIFIED for s in found):
        assert found[-1].text == text
    elif not family.grammar:  # harmony drops headers too
        lost = len(text) - len(kept)
        droppable = sum(text.count(marker) * len(marker) for marker in marks)
        assert lost <= droppable + sum(map(text.count, "\n ")), "lost"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("deepseek-ai/DeepSeek-R1", "think-opened"),
        ("deepseek-r1:70b", "think-opened"),
        ("openrouter/deepseek/deepseek-r1", "think-opened"),
        ("accounts/fireworks/models/qwen3-8b", "think-tools"),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", "think-opened-tools"),
        ("zai-org/GLM-4.5", "think-tools"),
        ("zai-org/GLM-4.7", "think-opened-tools"),
        ("mistralai/Magistral-Small-2509", "mistral"),
        ("accounts/fireworks/models/glm-4p7", "think-opened-tools"),
        ("accounts/fireworks/models/deepseek-v3p1", "deepseek-v3"),
        ("qwen3:8b", "think-tools"),
        ("Qwen/Qwen3.5-9B", "think-opened-tools"),
        ("openai/gpt-oss-120b:free", "harmony"),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1_5", "think"),
        ("nvidia/NVIDIA-Nemotron-Nano-9B-v2", "think-opened"),
        ("upstage/Solar-Open2", "solar-open2"),
        ("stepfun-ai/step3", "think-opened"),
        ("stepfun-ai/Step-3.5-Flash", "step-3.5"),
        ("tencent/Hunyuan-A13B-Instruct", "hunyuan-a13b"),
        ("baidu/ERNIE-4.5-21B-A3B-Thinking", "ernie-4.5"),
        ("mistralai/Magistral-Small-2506", "think"),
        ("mock-natural", "natural"),
        ("nobody/knows", "tags"),
        ("", "tags"),
    ],
)
def test_any_form_of_a_models_name_finds_its_family(model: str, family: str) -> None:
    assert Families(Config()).find(model).name == family


def test_configured_entries_take_precedence() -> None:
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


def test_global_markers_replace_those_of_every_family() -> None:
    families = Families(Config(reasoning_start="<<", reasoning_end=">>"))
    assert split(families.find("qwen3-8b"), "<<a>>b") == ("a", "b")
    assert split(families.find("any"), "<think>a</think>b") == ("", "<think>a</think>b")
    assert families.find("deepseek-r1").starts_inside


@pytest.mark.work
@pytest.mark.parametrize("unit", ["<", "</thin", "<think>"])
def test_time_is_linear(unit: str) -> None:
    """In hundreds of pieces: what is held back must not be searched again with each of them."""

    def split_both(pieces: list[str]) -> None:
        for starts_inside in (False, True):
            reasoning, answer = run(TAGS, pieces, starts_inside, unmarked_is_answer=False)
            assert len(reasoning) + len(answer) >= sum(map(len, pieces)) - len("<think>")

    text = unit * (60_000 // len(unit))
    pieces = [text[i : i + 100] for i in range(0, len(text), 100)]
    assert_grows(split_both, pieces[: len(pieces) // 2], pieces, times=3)


OTHERS = [family for family in FAMILIES if family.name != "tags"]


@pytest.mark.parametrize("family", OTHERS, ids=lambda family: family.name)
@pytest.mark.parametrize("inside", [False, True], ids=["", "opened"])
def test_the_general_tags_count_at_the_head_for_every_family(family: Family, inside: bool) -> None:
    for start, end in blocks(TAGS):
        for text in (f"{start}plan{end}It is 42.", f"\n{start}\nplan\n{end}\n\nIt is 42."):
            assert run(family, [text], inside) == ("plan", "It is 42.")
    assert split(family, "<think>plan</think>It is 42.", starts_inside=inside) == (
        "plan",
        "It is 42.",
    )


def test_general_tags_further_down_are_text() -> None:
    text = "Write <thinking>x</thinking> so."
    assert split(BY_NAME["gemini"], text) == ("", text)


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("<think>a.</think><think>\n\nb</think>c", "a.\n\nb"),
        ("<think>\na.\n\n</think><think>b</think>\nc", "a.\n\nb"),
        ("<think>a.\n</think><think>\nb\n</think>\n\nc", "a.\n\nb"),
        ("<think>a.</think>\n<think>\nb</think>c", "a.b"),
        ("<think>a.\n</think>\n<think>b</think>c", "a.b"),
        ("<think>\n</think><think>\nb</think>c", "b"),
    ],
)
def test_newlines_between_blocks_without_a_gap_are_content(text: str, reasoning: str) -> None:
    """Some servers put each chunk of the reasoning into tags of its own."""
    assert split(TAGS, text) == (reasoning, "c")
    assert split(TAGS, text.replace("think>", "reasoning>")) == (reasoning, "c")


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", "```json\n[1]\n```", ' {"a": "</think>"}'])
def test_text_that_begins_like_json_is_the_answer_where_json_was_asked_for(text: str) -> None:
    for pieces in every_cut(text):
        splitter = OPENED.splitter(json_answer=True)
        found = [s for piece in pieces for s in splitter.feed(piece)]
        found += splitter.close(unmarked_is_answer=False)
        assert {s.kind for s in found} == {SegmentKind.ANSWER}
        assert "".join(s.text for s in found) == text


def test_reasoning_before_json_is_reasoning() -> None:
    splitter = OPENED.splitter(json_answer=True)
    assert splitter.feed("I think.</think>{}")[0] == Segment(SegmentKind.REASONING, "I think.")
    splitter = OPENED.splitter(json_answer=True)
    assert splitter.feed("[THINK]a[/THINK]b")[0] == Segment(SegmentKind.REASONING, "a")


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>\na\n</thinking>\n\nb", "a", "b"),
        ("<think>a\n</thinking>b", "a", "b"),
        ("<think>I add.</thinking>The answer is 4.", "I add.", "The answer is 4."),
        ("<thinking>a</think>b", "a", "b"),
        ("<thought>a</reasoning>\nb", "a", "b"),
        ("<think>a</thought>", "a", ""),
        ("<think></thinking>b", "", "b"),
        ('<think>a</thinking>"Four", he said.', "a", '"Four", he said.'),
        ("<think>a</thinking>b </thinking> c", "a", "b </thinking> c"),
        ("<think>a </thinking> b\n</thinking>\nc", "a </thinking> b", "c"),
        ("<think>a</thinking><think>b</think>c", "a</thinking><think>b", "c"),
        ("<think>So `x.\n</thinking>\nb", "So `x.", "b"),
        ("<think>a\n</Think>\nb", "a", "b"),
        ("<think>a</think></thinking>b", "a", "b"),
    ],
)
def test_an_end_tag_of_another_block_ends_reasoning_that_has_no_end_of_its_own(
    text: str, reasoning: str, answer: str
) -> None:
    for family in (TAGS, OPENED, BY_NAME["think-tools"]):
        assert split(family, text) == (reasoning, answer)


@pytest.mark.parametrize(
    "thoughts",
    [
        "I close it with `</thinking>` then",
        "`a </thinking>\n\n`\n\nb",
        'I close it with "</thinking>" then',
        "I close it with '</thinking>', then",
        "I close it (</thinking>) then",
        "I close it with “</thinking>” then",
        "```\n<b>\n</thinking>\n```\nThen",
        "I write <thinking>a</thinking>b",
        "I write\n<thinking>\na\n</thinking>\n\nb",
        'I write <reasoning kind="x">\na\n</reasoning>\n\nb',
    ],
)
def test_an_end_tag_of_another_block_that_thoughts_quote_is_text(thoughts: str) -> None:
    assert split(TAGS, f"<think>{thoughts}", unmarked_is_answer=False) == (thoughts, "")
    assert split(TAGS, f"<think>{thoughts}\n</think>\nc") == (thoughts, "c")


def test_text_behind_an_end_tag_that_may_be_quoted_waits_for_its_own() -> None:
    splitter = TAGS.splitter()
    assert splitter.feed("<think>I use </thinking> here") == [
        Segment(SegmentKind.REASONING, "I use ")
    ]
    assert not splitter.is_in_reasoning
    assert splitter.feed(".</think>b") == [
        Segment(SegmentKind.REASONING, "</thinking> here."),
        Segment(SegmentKind.ANSWER, "b"),
    ]


def test_a_special_token_shows_that_the_end_tag_before_it_was_one() -> None:
    text = "<mm:think>a</thinking>b<mm:think>c</mm:think>d"
    assert split(BY_NAME["minimax-m3"], text) == ("ac", "bd")


@pytest.mark.work
@pytest.mark.parametrize("size", [100, 10**9], ids=["in pieces", "in one piece"])
@pytest.mark.parametrize(
    "unit",
    [
        "a </thinking> b `c` \n<mm:think>",
        "<think>a</thinking>",
        "a</thinking><think>\n",
        f"<think>a</thinking>{' ' * 70}",
    ],
)
def test_time_is_linear_behind_end_tags_that_may_be_quoted(unit: str, size: int) -> None:
    def split_all(text: str) -> None:
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        for family, start in ((TAGS, "<think>"), (BY_NAME["minimax-m3"], "<mm:think>")):
            run(family, [start, *pieces])

    text = unit * (60_000 // len(unit))
    assert_grows(split_all, text[: len(text) // 2], text, times=3)
