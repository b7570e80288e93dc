"""Makes a model's reply from the text of a prompt. Pure functions."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from gateway.mock.demo import demo_reply, other_reply
from gateway.mock.texts import (
    HI,
    LONG_THINKING,
    LONG_THINKING_LINE,
    RECURSION,
    STREAMING,
    UNICODE,
    Reply,
)

TOPICS = {r"\bstream(ing|ed|s)?\b": STREAMING, r"\brecurs(ion|ive)": RECURSION}

SUBJECT_PATTERNS = {
    r"how do(?:es)? (.+) works?": "the workings of {}",
    r"how (?:do|can|should) (?:i|you|we|one) (.+)": "how to {}",
    r"(?:explain|describe|discuss|define|compare|tell me about|write(?: me)?|what (?:is|are))"
    r"(?: to me)? (.+)": "{}",
}

ARITHMETIC = re.compile(
    r"(?:please )?(?:what(?:'s| is)|calculate|compute|how much is|solve|work out)?:? *"
    r"(-?[\d(][\d.()+\-*/ ]{0,200}[\d)]) *(?:[=?.!,;].*)?",
    re.I | re.S,
)
PLAIN_SIGNS = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "\u2019": "'"})
OPERATIONS: Mapping[type[ast.operator], tuple[str, Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}


def reply_to(prompt: str) -> Reply:
    """A demo's reply, a calculation, a text on a known topic, or the list of the demos."""
    if prompt.strip().lower() == "hi":
        return HI
    if written := demo_reply(prompt):
        return written
    if calculated := calculate(prompt):
        return calculated
    for pattern, text in TOPICS.items():
        if re.search(pattern, prompt, re.I):
            return text
    return other_reply(topic_of(prompt))


def long_reply(prompt: str) -> Reply:
    """The usual answer after some hundred words of reasoning; a demo keeps its own."""
    if written := demo_reply(prompt):
        return written
    return Reply(LONG_THINKING.format(topic=topic_of(prompt)), reply_to(prompt).answer)


def reasoning_only(prompt: str) -> Reply:
    """The long reasoning without an answer."""
    return Reply(long_reply(prompt).reasoning, "")


def natural_reply(prompt: str) -> Reply:
    """The usual reply, its phases marked only by the phrases that open them."""
    reasoning, answer = reply_to(prompt)
    opening = f"Let me think about {topic_of(prompt)}."
    return Reply(f"{opening} {reasoning}", f"Therefore, my answer is this: {answer}")


def tool_reply(prompt: str) -> Reply:
    """The reasoning before a tool call."""
    return Reply(
        f"The subject here is {topic_of(prompt)}. I can not know this by myself, because it "
        "changes. One of the tools can look it up. I will call it once and wait for its result.",
        "",
    )


def summary_reply(prompt: str) -> Reply:
    """A summary of the reasoning between <reasoning> tags: its longest sentence."""
    given = re.findall(r"<reasoning>\n(.*)\n</reasoning>", prompt, re.S) or [prompt]
    steps = re.findall(r"[^.!?]+[.!?]", " ".join(given[-1].split())) or ["Nothing is found yet."]
    return Reply("", f"**Working through it**\n\n{max(steps, key=len).strip()}")


def asked_to_sum_up(prompt: str) -> str | None:
    """The prompt, if it asks for a summary of the reasoning that it ends with."""
    return prompt if re.search(r"</reasoning>\n\n[^\n]+\Z", prompt) else None


def edited_summary(_: str) -> Reply:
    """A line about the usual reasoning of long-thinking, as an editor would write it."""
    return Reply("", LONG_THINKING_LINE)


def invented_summary(prompt: str) -> Reply:
    """A summary with a number that is not in the reasoning."""
    return Reply("", f"{summary_reply(prompt).answer} It comes to 8675309.")


def unicode_reply(_: str) -> Reply:
    """Scripts, emoji and line separators, whatever the prompt."""
    return UNICODE


def topic_of(prompt: str) -> str:
    """The prompt's subject, worded to fit after "about": `What is X?` gives `X`."""
    words = " ".join(prompt.split())
    words = words if len(words) <= 80 else words[:80].rpartition(" ")[0] + " …"
    question = re.sub("^(?:please|can you|could you) ", "", words.rstrip(" ?!.:"), flags=re.I)
    for pattern, phrase in SUBJECT_PATTERNS.items():
        if found := re.fullmatch(pattern, question, re.I):
            return phrase.format(found[1])
    return f"the request “{words}”"


def calculate(prompt: str) -> Reply | None:
    """The reply to a prompt such as `What is 2+2?`; None if it is not arithmetic."""
    found = ARITHMETIC.fullmatch(prompt.strip().translate(PLAIN_SIGNS))
    steps: list[str] = []
    try:
        tree = ast.parse(found[1] if found else "", mode="eval").body
        expression = ast.unparse(tree)
        result = show(evaluate(tree, steps))
    except ZeroDivisionError:
        reasoning = f"The user asks for {expression}. One step divides by zero, and has no value."
        return Reply(reasoning, f"{expression} has no result, because it divides by zero.")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not steps:
        return None
    listed = " ".join(f"Step {n}: {step}." for n, step in enumerate(steps, 1))
    return Reply(
        f"The user asks for {expression}. This is plain arithmetic, so I work it out in order. "
        f"{listed} I go through it once more and get {result} again. I can answer in one line.",
        f"{expression} = {result}." + (f" {listed}" if len(steps) > 1 else ""),
    )


def evaluate(node: ast.expr, steps: list[str]) -> Fraction:
    """The value of a parsed expression; each operation appends a line to `steps`.

    Raises ValueError for anything but arithmetic, and ZeroDivisionError.
    """
    match node:
        case ast.Constant(value=int() | float() as value):
            return Fraction(str(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluate(operand, steps)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            sign, apply = OPERATIONS[type(op)]
            a, b = evaluate(left, steps), evaluate(right, steps)
            result = apply(a, b)
            steps.append(f"{show(a)} {sign} {show(b)} = {show(result)}")
            return result
    raise ValueError("not arithmetic")


def show(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):.10g}"
