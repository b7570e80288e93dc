"""Several choices: each has its own turn, and all have one end."""

import json
from typing import Any

import sseclient

from gateway.apis import DIALECTS, Answer, Completion
from gateway.core.choices import Choices
from gateway.core.events import ChoiceEvent, Done, Event, Failed, OutputDelta, ReasoningDelta
from gateway.errors import UpstreamTimeout
from gateway.upstreams.chat_reader import ChatReader
from tests.core.scripted import DONE, USAGE, lines, make_turn

ANSWER = Answer(id="1", model="m", created=7, reasoning="raw", include_usage=True)


def chunk(index: int, content: str | None, finish_reason: str | None = None) -> dict[str, Any]:
    delta = {"content": content} if content else {}
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}


STREAM = [
    chunk(0, "<think>a</th"),
    chunk(1, "<think>b"),
    chunk(0, "ink>A"),
    chunk(1, "</think>B"),
    chunk(1, None, "length"),
    chunk(0, None, "stop"),
    USAGE,
    DONE,
]


def run(*frames: object, fail: bool = False) -> list[Event]:
    choices = Choices([make_turn("raw", reader=ChatReader(index)) for index in range(2)])
    events = choices.start(0.001)
    for second, frame in enumerate(frames, 1):
        events += choices.feed(lines(frame), second)
    error = UpstreamTimeout("It fell silent.")
    events += choices.fail(error, 99) if fail else choices.close(99)
    assert choices.ended
    return events


def text(events: list[Event], index: int, kind: type[Event]) -> str:
    own = [e.event for e in events if isinstance(e, ChoiceEvent) and e.index == index]
    return "".join(event.text for event in own if type(event) is kind)


def test_each_choice_is_split_separately() -> None:
    events = run(*STREAM)
    assert (text(events, 0, ReasoningDelta), text(events, 0, OutputDelta)) == ("a", "A")
    assert (text(events, 1, ReasoningDelta), text(events, 1, OutputDelta)) == ("b", "B")
    ends = [e for e in events if isinstance(e, Done | Failed)]
    assert ends == [events[-1]]
    assert events[-1].usage == {"total_tokens": 3}


def test_a_failure_comes_once_and_last() -> None:
    events = run(*STREAM[:3], fail=True)
    assert [type(e) for e in events if not isinstance(e, ChoiceEvent)] == [Failed]
    assert type(events[-1]) is Failed


def test_openai_chunks_have_the_index_of_their_choice() -> None:
    frames = DIALECTS["openai"](ANSWER).encode(1, run(*STREAM))
    datas = [event.data for event in sseclient.SSEClient([frames]).events()]
    chunks = [json.loads(data) for data in datas[:-1]]
    assert datas[-1] == DONE
    assert chunks[-1]["usage"] == {"total_tokens": 3}
    for index, content, reasoning, reason in ((0, "A", "a", "stop"), (1, "B", "b", "length")):
        first = [c["choices"][0] for c in chunks if c["choices"]]
        own = [choice for choice in first if choice["index"] == index]
        assert "".join(c["delta"].get("content", "") for c in own) == content
        assert "".join(c["delta"].get("reasoning", "") for c in own).endswith(reasoning)
        assert own[0]["delta"]["role"] == "assistant"
        assert [c["finish_reason"] for c in own if c["finish_reason"]] == [reason]


def test_a_non_streamed_answer_has_every_choice() -> None:
    completion = Completion(ANSWER)
    completion.add(run(*STREAM))
    choices = completion.body()["choices"]
    assert [c["index"] for c in choices] == [0, 1]
    assert [c["message"]["content"] for c in choices] == ["A", "B"]
    assert [c["message"]["reasoning"] for c in choices] == ["a", "b"]
    assert [c["finish_reason"] for c in choices] == ["stop", "length"]
    assert [c["phases"]["reasoning"] for c in choices] == ["a", "b"]
