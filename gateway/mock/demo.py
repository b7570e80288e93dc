"""The ten prompts of the demo with their replies, and the reply to all other prompts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.mock import demo_english, demo_languages
from gateway.mock.texts import GENERAL, Reply


class Demo(NamedTuple):
    """A prompt with the reply that was written for it."""

    prompt: str
    about: str
    """What the reply shows, for the list in the reply to other prompts."""
    reply: Reply


DEMOS: Sequence[Demo] = (
    Demo(
        "Is 3599 a prime number?",
        "mathematics, with formulas and a change of plan",
        demo_english.PRIME,
    ),
    Demo(
        "Why is 0.1 + 0.2 not 0.3 in Python?",
        "programming, with code and a table",
        demo_english.FLOATS,
    ),
    Demo(
        "Should I switch doors in the Monty Hall problem?",
        "probability, where the first intuition is wrong",
        demo_english.DOORS,
    ),
    Demo(
        "Plan a weekend in Lisbon for two with €300",
        "planning within a budget that does not fit at first",
        demo_english.LISBON,
    ),
    Demo(
        "Why is the sky blue, but the sunset red?",
        "physics, with one law behind both colours",
        demo_english.SKY,
    ),
    Demo(
        "Three switches, one lamp upstairs: which is it, in one trip?",
        "a puzzle that counts information",
        demo_english.SWITCHES,
    ),
    Demo(
        "Wie viele Klavierstimmer arbeiten in Berlin?",
        "an estimate from a few assumptions, in German",
        demo_languages.PIANOS,
    ),
    Demo(
        "¿Por qué los gatos caen de pie?",
        "biology and mechanics, in Spanish",
        demo_languages.CATS,
    ),
    Demo(
        "为什么月亮总是同一面朝向地球？",
        "astronomy, in Chinese",
        demo_languages.MOON,
    ),
    Demo(
        "لماذا ماء البحر مالح؟",
        "chemistry, in Arabic",
        demo_languages.SEA,
    ),
)


def demo_reply(prompt: str) -> Reply | None:
    """The reply to one of the ten prompts; None for others. Case and end marks are ignored."""
    return _REPLIES.get(_normalized(prompt))


def other_reply(topic: str) -> Reply:
    """The reply to a prompt that has none of its own: it says so, and lists the ten."""
    listed = "\n".join(f"- **{demo.prompt}** – {demo.about}" for demo in DEMOS)
    return Reply(
        GENERAL.reasoning.format(topic=topic), GENERAL.answer.format(topic=topic, demos=listed)
    )


def _normalized(prompt: str) -> str:
    return " ".join(prompt.split()).rstrip(" ?.!？؟").casefold()


_REPLIES: Mapping[str, Reply] = {_normalized(demo.prompt): demo.reply for demo in DEMOS}
"""Normalized prompt → reply."""
