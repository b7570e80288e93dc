"""A model family: the models in it, the markers that they write, and the grammar of those markers.

:mod:`.grammar` explains grammars. A row of :mod:`.table` gives the markers; this module builds the
grammar from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from gateway.core.families.grammar import (
    Exit,
    Gate,
    Grammar,
    MarkerHandling,
    SegmentKind,
    State,
    Text,
)
from gateway.core.families.splitter import Splitter

_QUOTES = ("```", "`")
"""A marker between two of these is quoted, so it is text: in an answer any, in reasoning one of
another block."""
_AFTER_QUOTED = (
    *"”’»›」』)",
    *(mark + after for mark in "\"'" for after in (*" .,;:!?)\n", mark)),
)
"""What stands behind a marker that is quoted. A quotation mark before a word opens a quotation."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text. Each of the start markers opens it, each of the end markers closes it."""

    start: tuple[str, ...]
    end: tuple[str, ...]


def tag(name: str) -> Block:
    """The block between `<name>` and `</name>`."""
    return Block((f"<{name}>",), (f"</{name}>",))


def tag_in_any_case(name: str) -> Block:
    """The same, also between `<Name>` and `</Name>`, and `<NAME>` and `</NAME>`."""
    names = (name, name.capitalize(), name.upper())
    return Block(tuple(f"<{name}>" for name in names), tuple(f"</{name}>" for name in names))


# Hashed by identity: hashing all fields at each lookup in the cache of _grammar would be slow.
@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One family. The defaults suit most families.

    By default markers are ordinary text, such as tags. They count only where reasoning can begin:
    at the head, and directly after another block. Anywhere else they are part of the answer, which
    may be about `<think>` itself.
    """

    name: str
    models: tuple[str, ...]
    """Globs over model names, without their path, in lower case, with "-" for "_"."""
    blocks: tuple[Block, ...] = ()
    """The blocks of reasoning."""
    general: tuple[Block, ...] = ()
    """Blocks of other families, because some servers rewrite a model's markers. They count at the
    head, and only with their start marker."""
    starts_inside: bool = False
    """The chat template opens the first block, so the model's text begins inside it. If the model
    has a switch for thinking, the template does so only while it is on."""
    always_thinks: tuple[str, ...] = ()
    """Globs over the names of the family's models without a switch for thinking."""
    tools: tuple[str, ...] = ()
    """Markers that begin a tool call. They end the reasoning and stay in the text."""
    wrappers: tuple[Block, ...] = ()
    """Blocks that may enclose the answer. A block without a start marker only removes its end
    marker."""
    anywhere: bool = False
    """The markers are special tokens: they count anywhere in the text, any number of times."""
    preface: bool = False
    """Text may precede the first block; it belongs to the answer."""
    phrases: bool = False
    """The markers are phrases of the model's text, so they stay in it."""
    note: str = ""
    """A remark for the table in docs/models.md."""
    grammar: Callable[["Family", bool], Grammar] | None = None
    """Builds the grammar, for families whose markup is more than blocks."""

    def splitter(self, starts_inside: bool | None = None, *, json_answer: bool = False) -> Splitter:
        """Returns a splitter for one text.

        starts_inside: None: the family's default. json_answer: the answer is JSON, so a text that
        begins like JSON is the answer.
        """
        return Splitter(self.grammar_of(starts_inside, json_answer=json_answer))

    def labelled_splitter(self) -> Splitter:
        """A splitter for the content beside labelled reasoning: blocks at its head alone count."""
        return Splitter(_labelled_grammar(self))

    def grammar_of(self, starts_inside: bool | None, *, json_answer: bool = False) -> Grammar:
        """Returns the grammar of such a splitter."""
        inside = self.starts_inside if starts_inside is None else starts_inside
        return _grammar(self, inside, json_answer and inside)

    def thinks_always(self, model: str) -> bool:
        """Whether a model of this family has no switch for thinking. model: its plain name."""
        return any(fnmatchcase(model, glob) for glob in self.always_thinks)


_JSON_BEGINS = ("{", "[", "```")


@lru_cache(maxsize=1024)
def _grammar(family: Family, inside: bool, json_answer: bool) -> Grammar:
    build = family.grammar or (_phrase_grammar if family.phrases else _block_grammar)
    grammar = build(family, inside)
    states = dict(grammar.states)
    head, after = states[grammar.start], states.get("after block")
    if not isinstance(head, Gate):
        head = Gate({}, otherwise=grammar.start)
    if not isinstance(after, Gate):
        after = Gate({}, otherwise="answer")
    general: dict[str, Exit] = {}
    repeated: dict[str, Exit] = {}
    for number, block in enumerate(family.general):
        name = f"general reasoning {number}"
        ends = dict.fromkeys(block.end, Exit("after block"))
        states |= _reasoning(family, name, ends)
        general |= dict.fromkeys(block.start, Exit(name))
        repeated |= ends
    json = dict.fromkeys(_JSON_BEGINS, Exit("json", MarkerHandling.KEEP_IN_NEW_TEXT))
    states["json"] = Text(SegmentKind.ANSWER, {})
    # The family's own markers take precedence over general ones.
    exits = (json if json_answer else {}) | general | dict(head.exits)
    if not exits:
        return grammar
    states["start"] = Gate(exits, head.otherwise)
    if general:
        states["after block"] = Gate(repeated | general | dict(after.exits), after.otherwise)
    return replace(grammar, states=states, start="start")


@lru_cache(maxsize=1024)
def _labelled_grammar(family: Family) -> Grammar:
    """Blocks of reasoning at the head, then the answer, in which all is text."""
    states: dict[str, State] = {"answer": Text(SegmentKind.ANSWER, {})}
    starts: dict[str, Exit] = {}
    for number, block in enumerate((*family.general, *(() if family.phrases else family.blocks))):
        ends = dict.fromkeys(block.end, Exit("head"))
        states[f"reasoning {number}"] = Text(SegmentKind.REASONING, ends)
        starts |= dict.fromkeys(block.start, Exit(f"reasoning {number}"))
    if not starts:
        return Grammar(states, "answer")
    states["head"] = Gate(starts, "answer")
    return Grammar(states, "head")


def _block_grammar(family: Family, inside: bool) -> Grammar:
    """Blocks of reasoning, then the answer, which may be wrapped. The states:

    head                       a gate: a block, a wrapper, or an answer without reasoning
    head inside                the same where the template has opened the first block
    reasoning N                in block N
    reasoning of the template  in the block that the template opened
    after block                a gate: another block, a wrapper, or the answer
    answer                     the answer after the reasoning
    bare answer                an answer without reasoning before it
    quotation `                a quotation in a bare answer: markers in it are text
    … of reasoning N           see _reasoning
    wrapped answer N           in wrapper N
    tool call                  from the marker of a tool call to the end
    """
    opens: dict[str, Exit] = {}
    ends: dict[str, Exit] = {}
    for number, block in enumerate(family.blocks):
        opens |= dict.fromkeys(block.start, Exit(f"reasoning {number}"))
        ends |= dict.fromkeys(block.end, Exit("after block"))
    wrapper_ends: dict[str, Exit] = {}
    for number, wrapper in enumerate(family.wrappers):
        opens |= dict.fromkeys(wrapper.start, Exit(f"wrapped answer {number}"))
        if not wrapper.start or family.anywhere:
            wrapper_ends |= dict.fromkeys(wrapper.end, Exit("answer"))
    calls = dict.fromkeys(family.tools, Exit("tool call", MarkerHandling.KEEP_IN_NEW_TEXT))
    unopened_ends = dict.fromkeys(ends, Exit("answer", unopened_end=True))
    ends_of_template = dict.fromkeys(ends, Exit("after block", unopened_end=True))
    # A special token is never text. If it opens a block, it also ends the block before it. An end
    # marker without a start is dropped.
    tokens = opens | calls if family.anywhere else {}
    stray_ends = dict.fromkeys(ends, Exit("answer")) if family.anywhere else {}

    bare_answer = unopened_ends | wrapper_ends | (tokens or _markers_of_bare_answer(family, opens))
    states: dict[str, State] = {
        "head": Gate(unopened_ends | opens, otherwise="bare answer"),
        "head inside": Gate(opens, otherwise="reasoning of the template"),
        **_reasoning(family, "reasoning of the template", tokens | calls | ends_of_template),
        # Some models repeat an end marker.
        "after block": Gate(ends | stray_ends | opens, otherwise="answer"),
        "bare answer": Text(SegmentKind.ANSWER, bare_answer),
        "answer": Text(SegmentKind.ANSWER, stray_ends | wrapper_ends | tokens),
        "tool call": Text(SegmentKind.ANSWER, {}),
    }
    for quote in _QUOTES:
        closing = Exit("bare answer", MarkerHandling.KEEP_IN_OLD_TEXT)
        states[f"quotation {quote}"] = Text(SegmentKind.ANSWER, {quote: closing})
    for number, block in enumerate(family.blocks):
        exits = tokens | calls | dict.fromkeys(block.end, Exit("after block"))
        states |= _reasoning(family, f"reasoning {number}", exits)
    for number, wrapper in enumerate(family.wrappers):
        after = Exit("after block" if family.anywhere else "answer")
        exits = dict.fromkeys(wrapper.end, after)
        states[f"wrapped answer {number}"] = Text(SegmentKind.ANSWER, tokens | exits)
    if inside:
        return Grammar(states, "head inside", starts_inside=True, unconfirmed=True)
    return Grammar(states, "head")


def _reasoning(family: Family, name: str, exits: dict[str, Exit]) -> dict[str, State]:
    """A state of reasoning, and those for the end tags of other blocks, with which some models
    close theirs: `<think>…</thinking>`. But thoughts may also speak of tags. So such a tag

    - ends the reasoning if it stands alone on its line or ends a paragraph;
    - is text between quotes, and behind its own start tag;
    - is undecided elsewhere: text if an end comes after it, else an end itself.

    The states beside the one of that name:

    quotation ` of …   between quotes; a single one ends with its line
    other block of …   behind the start tag of another block
    undecided … head   a gate behind an end tag that may be text: quotation marks show that it is
    undecided …        what comes after it
    """
    blocks = (*family.blocks, *family.general)
    tags = [
        tag for block in blocks for tag in block.end if tag.startswith("</") and tag not in exits
    ]
    if not tags:
        return {name: Text(SegmentKind.REASONING, exits)}
    ends = {marker: exit for marker, exit in exits.items() if exit.to == "after block"}
    end = next(iter(ends.values()))
    was_end = end._replace(marker=MarkerHandling.READ_AGAIN)
    undecided = f"undecided {name}"
    held = Exit(f"{undecided}, head", MarkerHandling.HOLD, on_new_line=f"{undecided}, line head")
    back = Exit(name, MarkerHandling.KEEP_IN_OLD_TEXT)
    in_block = Exit(f"other block of {name}", MarkerHandling.KEEP_IN_OLD_TEXT)
    starts = [
        start
        for block in blocks
        if set(block.end) <= set(tags)
        for start in block.start
        if start.startswith("<")
    ]
    begun = {start[:-1] + end: in_block for start in starts for end in "> "}
    in_quotes = {
        quote: Exit(f"quotation {quote} of {name}", MarkerHandling.KEEP_IN_OLD_TEXT)
        for quote in _QUOTES
    }
    alone = {lines: end for tag in tags for lines in (f"\n{tag}\n", f"{tag}\n\n")}
    states: dict[str, State] = {
        name: Text(SegmentKind.REASONING, dict.fromkeys(tags, held) | begun | in_quotes | exits),
        in_block.to: Text(SegmentKind.REASONING, dict.fromkeys(tags, back) | exits),
        undecided: Text(
            SegmentKind.UNDECIDED, dict.fromkeys(exits, was_end) | alone | ends, at_end=was_end
        ),
    }
    goes_on = dict.fromkeys(_AFTER_QUOTED, Exit(name, MarkerHandling.PASS))
    for head, break_ in ((held.to, "\n\n"), (held.on_new_line, "\n")):
        states[str(head)] = Gate(goes_on | {break_: was_end}, undecided, skips_space=False)
    for quote, exit in in_quotes.items():
        line_end = {"\n": Exit(name, MarkerHandling.PASS)} if quote == "`" else {}
        states[exit.to] = Text(SegmentKind.REASONING, {quote: back} | line_end | exits)
    return states


def _markers_of_bare_answer(family: Family, opens: dict[str, Exit]) -> dict[str, Exit]:
    """Returns the exits at quotes, and at the markers that open a block.

    After an opening marker that is text, an end marker is text too. So the answer continues in the
    state without markers. Only with `preface`, the opening marker opens its block.
    """
    quotes = {
        quote: Exit(f"quotation {quote}", MarkerHandling.KEEP_IN_OLD_TEXT) for quote in _QUOTES
    }
    literal = dict.fromkeys(opens, Exit("answer", MarkerHandling.KEEP_IN_OLD_TEXT))
    return quotes | (opens if family.preface else literal)


def _phrase_grammar(family: Family, inside: bool) -> Grammar:
    """One block between phrases, which stay in the text. White space comes before an end."""
    [block] = family.blocks
    end = Exit("answer", MarkerHandling.KEEP_IN_NEW_TEXT)
    ends = {space + phrase: end for phrase in block.end for space in " \n"}
    starts = dict.fromkeys(block.start, Exit("reasoning", MarkerHandling.KEEP_IN_NEW_TEXT))
    states: dict[str, State] = {
        "head": Gate(starts, otherwise="answer"),
        "reasoning": Text(SegmentKind.REASONING, ends),
        "answer": Text(SegmentKind.ANSWER, {}),
    }
    start = "reasoning" if inside else "head"
    return Grammar(states, start, starts_inside=inside, unconfirmed=inside)
