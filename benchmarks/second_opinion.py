"""Compares the gateway's splitter with SGLang's reasoning parser and explains the differences.

    pip install canitoolcall llm-router-utils    # in addition to the gateway's requirements
    PYTHONPATH=. python benchmarks/second_opinion.py

The inputs are canitoolcall's fixtures, each with the result that its authors expect, and OWN below.
Both parsers get each input whole and in pieces. llm-router-utils contains SGLang's parser. The
output is a table, and one example of each kind of difference with its reason.

The exit status is 1 if a difference has no reason, and 2 if a package is missing. No test runs
this script.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

try:
    from canitoolcall.fixtures import Fixture, load_fixtures
    from llm_router_utils.sglang.srt.parser.reasoning_parser import ReasoningParser

    from gateway.config import Config
    from gateway.core.families import Families, SegmentKind
except ImportError as missing:
    sys.stderr.write(
        f"{missing.name} is missing: pip install canitoolcall llm-router-utils, in addition to the "
        "gateway's requirements, and set PYTHONPATH=. in the project's folder.\n"
    )
    sys.exit(2)

OUR_PIECES = (1, 2, 3, 4, 5, 6, 7, 8, 16)
PEER_PIECES = (1, 2, 3, 5, 7, 8, 16)

HEAD = "<|start|>assistant"
ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = f"{HEAD}<|channel|>final<|message|>"
CALL = "<|channel|>commentary to=functions.f<|message|>{}<|call|>"
MENTION = "say <｜DSML｜tool_calls> aloud"
OWN = (
    ("newline before the start", "qwen3-8b", "\n<think>a</think>\n\nb", "a", "b"),
    ("tags in an answer", "qwen3-8b", "Put <think> and </think>.", "", "Put <think> and </think>."),
    ("tags after a block", "qwen3-8b", "<think>a</think><b> <think>", "a", "<b> <think>"),
    ("two blocks", "qwen3-8b", "<think>a</think>\n<think>b</think>c", "ab", "c"),
    ("ends in <", "qwen3-8b", "<think>a</think>b <", "a", "b <"),
    ("never closed", "qwen3-8b", "<think>a", "a", ""),
    ("cut off within the end marker", "qwen3-8b", "<think>a </thi", "a </thi", ""),
    ("end without a start", "qwen3-8b", "a</think>b", "", "ab"),
    ("call in a block", "qwen3-8b", "<think>a<tool_call>{}", "a", "<tool_call>{}"),
    ("newline before the start", "glm-4.5", "\n<think>a</think>\nb", "a", "b"),
    ("no marker", "deepseek-r1", "plain", "", "plain"),
    ("start repeated", "deepseek-r1", "\n<think>a</think>b", "a", "b"),
    ("a call's marker in a line", "deepseek-v4", f"{MENTION}</think>b", MENTION, "b"),
    ("end repeated", "minimax-m2", "a</think>b</think>c", "a", "bc"),
    ("bare answer", "command-a", "a<|END_THINKING|>b", "a", "b"),
    ("another effort's end", "k2-horizon", "a</ifm|think_fast>b", "a", "b"),
    ("block not closed", "kimi-k3", "a<|open|>response<|sep|>b", "a", "b"),
    ("two channels", "gpt-oss", f"{ANALYSIS}a<|end|>{FINAL}b", "a", "b"),
    ("special tokens stripped", "gpt-oss", "analysisa.assistantfinalb", "a.", "b"),
    ("thinks after a call", "gpt-oss", f"{CALL}{HEAD}{ANALYSIS}a<|end|>{FINAL}b", "a", f"{CALL}b"),
)
"""Difficult inputs: a name, a model, a text, its reasoning, its answer."""

DETECTORS = (
    *(("magistral*2506*", "qwen3"), ("m*stral*", "mistral"), ("qwen3*", "qwen3")),
    *(("glm-*", "glm45"), ("deepseek-r1*", "deepseek-r1"), ("deepseek-v3.*", "deepseek-v3")),
    *(("deepseek-v4.1*", "deepseek-v41"), ("deepseek-v4*", "deepseek-v4")),
    *(("kimi-k3*", "kimi_k3"), ("kimi-k2.*", "kimi_k2"), ("k2-horizon*", "k2_horizon")),
    *(("minimax-m2*", "minimax"), ("command-a*", "cohere_command4")),
    *(("gemma-4*", "gemma4"), ("gpt-oss*", "gpt-oss")),
)
"""Globs of models, each with the name of SGLang's parser. The first match counts."""

OPENINGS = ("<think>", "<|open|>think<|sep|>", "<|channel>thought")
CALLS = re.compile(
    r"<tool_call>|<function=|\[TOOL_CALLS\]|<\|tool_call>|<\|tool_calls_section_begin\|>"
    r"|<\|open\|>tools<\|sep\|>|<｜tool▁calls▁begin｜>|<｜DSML｜|(<\|start\|>assistant )?to=\w"
    r'|<\|channel\|>\w+ to=|<\|python_(tag|start)\|>|\{"name"|\[\w+\('
)
"""The beginning of a tool call's markup."""
CHANNELS = re.compile(r"<\|channel\|>(analysis|final)<\|message\|>")
"""Markers that are never part of a tool call."""
MARKERS = re.compile(r"</?think>|<\|(start|channel|message|end)\|>|</ifm\|think_fast>")
MARKUP = re.compile(
    r"<\|start\|>assistant|<\|channel\|>\w*( to=assistant)?|<\|channel>thought"
    r"|<\|(open|close)\|>\w+<\|sep\|>|<[^<>]*>|\[/?THINK\]|^analysis|assistantfinal|\W"
)
"""Text that a parser may drop. It is not counted in the search for lost text."""

FAMILIES = Families(Config())


class Texts(NamedTuple):
    """The two parts of a text."""

    reasoning: str
    answer: str

    def trimmed(self, characters: str | None = None) -> "Texts":
        """Returns both parts stripped of these characters, by default white space."""
        return Texts(self.reasoning.strip(characters), self.answer.strip(characters))


class Case(NamedTuple):
    """An input and its expected result."""

    name: str
    model: str
    text: str
    expected: Texts | None
    """None if the text is malformed: the fixture only says that it contains no valid call."""
    calls: bool = False
    """Whether the expected answer lacks the tool calls of the text."""
    starts_inside: bool | None = None
    """Whether the prompt has opened the reasoning; None leaves it to the family."""
    stopped: bool = True
    """Whether the model ended the text itself, and not a limit."""

    def is_met_by(self, result: Texts) -> bool:
        """Whether the result is as expected, apart from outer white space and calls' markup."""
        assert self.expected
        result, expected = result.trimmed(), self.expected.trimmed()
        if not self.calls:
            return result == expected
        return result.reasoning == expected.reasoning and _has_calls(result.answer, expected.answer)

    def is_harmed_by(self, result: Texts) -> bool:
        """Whether text is lost, or the answer contains the markup of a channel."""
        letters = Counter(MARKUP.sub("", self.text))
        lost = letters - Counter(MARKUP.sub("", "\n".join(result)))
        return bool(lost) or CHANNELS.search(result.answer) is not None


class Difference(NamedTuple):
    """Two different results for one input."""

    case: Case
    ours: Texts
    theirs: Texts
    otherwise: frozenset[Texts] = frozenset()
    """The other parser's results for the same text, whole and in pieces of each size."""


class Reason(NamedTuple):
    """A kind of difference, how to recognize it, and why the gateway behaves as it does."""

    kind: str
    applies: Callable[[Difference], bool]
    why: str


WHITE_SPACE = Reason(
    "white space beside a marker",
    lambda it: it.ours.trimmed("\r\n") == it.theirs.trimmed("\r\n"),
    "One run of newlines next to a marker is layout and dropped; everything else is kept.",
)
REASONS = {
    "expected": (
        Reason(
            "a malformed text without an expected result",
            lambda it: it.case.expected is None,
            "The text that the model wrote is kept, and none of it is sent as a call.",
        ),
        WHITE_SPACE,
        Reason(
            "a truncated text without markers",
            lambda it: not it.case.stopped and it.theirs == Texts(it.ours.answer, ""),
            "The model may have answered without thinking, so the text is delivered as the answer.",
        ),
        Reason(
            "tool calls",
            lambda it: it.case.calls and it.case.is_met_by(it.ours),
            "Call markup that the server left in the text passes through as text, because the "
            "client may read it.",
        ),
        Reason(
            "a call that is unfinished, empty or of an unknown tool",
            lambda it: _has_calls(it.ours.answer, it.theirs.answer),
            "The gateway does not check calls: their markup passes through unchanged.",
        ),
    ),
    "SGLang's": (
        WHITE_SPACE,
        Reason(
            "SGLang has our result too, for other pieces",
            lambda it: it.ours.trimmed() in {texts.trimmed() for texts in it.otherwise},
            "The pieces must not change the result, so text that may become a marker is held back.",
        ),
        Reason(
            "text is lost",
            lambda it: it.case.is_harmed_by(it.theirs),
            "All text that is not a marker is delivered, in one part or the other.",
        ),
        Reason(
            "a tool call counts as reasoning",
            lambda it: CALLS.search(it.ours.answer) is not None and it.theirs.answer == "",
            "Reasoning ends where a tool call begins, so that clients see the call in the answer.",
        ),
        Reason(
            "reasoning is in the answer",
            lambda it: bool(it.ours.reasoning) and it.ours.reasoning in it.theirs.answer,
            "The content of a reasoning channel is reasoning, whatever header it has.",
        ),
        Reason(
            "markers stay in the text",
            lambda it: (
                len(MARKERS.findall("".join(it.theirs))) > len(MARKERS.findall("".join(it.ours)))
            ),
            "A marker that may begin or end a block here is markup, even without its counterpart.",
        ),
        Reason(
            "there is no marker",
            lambda it: it.theirs == Texts(it.ours.answer, ""),
            "If a model ends without any marker, its text is the answer.",
        ),
    ),
    "ours in other pieces": (),
}
"""The compared result → the kinds of difference. The first that applies counts."""


def main() -> int:
    """Prints the table and the differences; returns the exit status."""
    cases = [*map(_from_fixture, load_fixtures()), *(_own(*row) for row in OWN)]
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    kinds: dict[tuple[str, Reason | None], list[Difference]] = defaultdict(list)
    for case in cases:
        detector = _detector(case.model)
        row = rows[FAMILIES.find(case.model).name, detector or "-"]
        for compared, difference in _compare(case, detector, row):
            kinds[compared, _reason(compared, difference)].append(difference)
    _say("family              SGLang's        inputs  as expected: ours   SGLang  varies")
    for (family, detector), row in sorted(rows.items()):
        _say(
            f"{family:20}{detector:16}{row['inputs']:6}{row['ours']:12}/{row['expected']:<9}"
            + f"{row['peer']:3}/{row['expected']:<9}{row['changes']:3}" * (detector != "-")
        )
    for (compared, reason), found in sorted(kinds.items(), key=lambda kind: kind[0][0]):
        _say(
            f"\nUnlike {compared}: {reason.kind if reason else 'UNEXPLAINED'} ({len(found)} times)"
        )
        for case, ours, theirs, _ in found if reason is None else [min(found, key=_length)]:
            _say(f"  {case.name} ({case.model})\n    text   {_short(case.text)}")
            _say(f"    ours   {_short(*ours)}\n    theirs {_short(*theirs)}")
        _say(
            f"  Why: {reason.why}"
            if reason
            else "  Why: no known reason. Is it a bug of the gateway?"
        )
    return int(any(reason is None for _, reason in kinds))


def _compare(
    case: Case, detector: str | None, row: Counter[str]
) -> Iterator[tuple[str, Difference]]:
    """Yields all differences for one input, and counts them in a row of the table."""
    ours = _ours(case, [case.text])
    for other in sorted({_ours(case, _cut(case.text, size)) for size in OUR_PIECES} - {ours}):
        yield "ours in other pieces", Difference(case, ours, other)
    row.update(inputs=1)
    if case.expected:
        row.update(expected=1, ours=case.is_met_by(ours))
    if ours != case.expected:
        yield "expected", Difference(case, ours, case.expected or Texts("", ""))
    if detector is None:
        return
    whole = _peers(case, detector, None)
    streamed = frozenset(_peers(case, detector, size) for size in PEER_PIECES)
    row.update(changes=len(streamed | {whole}) > 1)
    if case.expected:
        row.update(peer=case.is_met_by(whole))
    for theirs in sorted((streamed | {whole}) - {ours}):
        yield "SGLang's", Difference(case, ours, theirs, streamed | {whole})


def _reason(compared: str, difference: Difference) -> Reason | None:
    """Returns the first reason that applies; None if the gateway loses text."""
    if difference.case.is_harmed_by(difference.ours):
        return None
    return next((reason for reason in REASONS[compared] if reason.applies(difference)), None)


def _ours(case: Case, pieces: list[str]) -> Texts:
    """Returns the result of the gateway's splitter for these pieces."""
    reading = FAMILIES.reading("", case.model, starts_inside=case.starts_inside)
    segments = [segment for piece in pieces for segment in reading.splitter.feed(piece)]
    segments += reading.close(stopped=case.stopped, stop_sequence=None, usage=None)
    if segments and segments[-1].kind is SegmentKind.RECLASSIFIED:
        return Texts("", segments[-1].text)
    parts = (SegmentKind.REASONING, SegmentKind.ANSWER)
    return Texts(*("".join(text for kind, text in segments if kind is part) for part in parts))


def _peers(case: Case, detector: str, size: int | None) -> Texts:
    """Returns SGLang's result: streamed in pieces of one size, or for the whole text."""
    inside = case.starts_inside
    if inside is None:
        inside = FAMILIES.find(case.model).starts_inside
    parser = ReasoningParser(detector, force_reasoning=inside)
    if size is None:
        results = [parser.parse_non_stream(case.text)]
    else:
        results = [
            *map(parser.parse_stream_chunk, _cut(case.text, size)),
            parser.parse_stream_end(),
        ]
    return Texts(*("".join(text or "" for text in part) for part in zip(*results, strict=True)))


def _from_fixture(fixture: Fixture) -> Case:
    """Makes a case of a fixture. Its prompt, if there is one, may have opened the reasoning."""
    inside = False if fixture.thinking is False else None
    if fixture.generation_prompt:
        inside = fixture.generation_prompt.rstrip().endswith(OPENINGS)
    expected, calls = None, False
    if fixture.expected:
        expected = Texts(fixture.expected.reasoning_content or "", fixture.expected.content or "")
        calls = bool(fixture.expected.tool_calls)
    model, stopped = fixture.reference_model, not fixture.truncated
    return Case(fixture.id, model, fixture.raw_output, expected, calls, inside, stopped)


def _own(name: str, model: str, text: str, reasoning: str, answer: str) -> Case:
    return Case(f"own: {name}", model, text, Texts(reasoning, answer))


def _detector(model: str) -> str | None:
    name = model.rpartition("/")[2].lower()
    return next((detector for glob, detector in DETECTORS if fnmatchcase(name, glob)), None)


def _has_calls(text: str, answer: str) -> bool:
    """Whether the text is this answer with the markup of tool calls inserted at one place."""
    text, answer = text.strip(), answer.strip()
    for cut in range(len(answer), -1, -1):
        before, after = answer[:cut].strip(), answer[cut:].strip()
        if text.startswith(before) and text[len(before) :].endswith(after):
            markup = text[len(before) : len(text) - len(after)].strip()
            return CALLS.match(markup) is not None and CHANNELS.search(markup) is None
    return False


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _length(difference: Difference) -> int:
    return len(difference.case.text)


def _short(*texts: str) -> str:
    """Returns the texts in one line, long ones shortened in the middle."""
    return " | ".join(repr(t if len(t) < 100 else f"{t[:60]} … {t[-30:]}") for t in texts)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
