"""OpenAI's chat completions in four formats: `phased`, `events`, `openai` and `plain`."""

from typing import get_args

from gateway.apis.base import Api, Schema, StreamFormat
from gateway.apis.chat.events import EventsDialect
from gateway.apis.chat.openai import OpenAIDialect
from gateway.apis.chat.phased import PhasedDialect
from gateway.apis.chat.plain import PlainDialect
from gateway.apis.chat.request import ChatBody, choose_format, read_chat
from gateway.apis.schemas import (
    COUNT,
    OBJECT,
    OPENAI_ERROR,
    STRING,
    STRING_OR_NULL,
    list_of,
    object_of,
)
from gateway.core.effects import WhyEnded

_MESSAGE = object_of(
    {"role": {"const": "assistant"}, "content": STRING_OR_NULL},
    reasoning_content={**STRING, "description": "The summary, or the trace for raw and both."},
    reasoning={**STRING, "description": "The same text; clients read one or the other."},
    tool_calls=list_of(OBJECT),
    reasoning_details=list_of(OBJECT),
)
_CHOICE = object_of(
    {"index": COUNT, "message": _MESSAGE, "finish_reason": STRING}, logprobs={}, phases={}
)
_COMPLETION = object_of(
    {
        "id": STRING,
        "object": {"const": "chat.completion"},
        "created": COUNT,
        "model": STRING,
        "choices": list_of(_CHOICE),
        "phases": object_of(
            {"prompt_summary": STRING, "reasoning_summary": STRING_OR_NULL},
            reasoning=STRING,
            thinking_ended={"enum": list(get_args(WhyEnded))},
        ),
    },
    usage=OBJECT,
)
_PROMPT = {
    "type": "object",
    "description": "The gateway's own short form: one user message, answered in `plain`.",
    "properties": {
        "prompt": {"type": "string", "description": "At most `MAX_PROMPT_CHARS`."},
        "stream": {"const": True},
    },
    "required": ["prompt", "stream"],
}

CHAT = Api(
    name="chat",
    title="A chat completion",
    paths=("/v1/chat/completions", "/{format}/v1/chat/completions"),
    formats={
        "phased": StreamFormat(PhasedDialect, "Chat completion chunks that carry their phase."),
        "events": StreamFormat(
            EventsDialect, "Named events. The final summary takes the place of the live lines."
        ),
        "openai": StreamFormat(OpenAIDialect, "Strict chat completion chunks, for any client."),
        "plain": StreamFormat(PlainDialect, "The answer alone."),
    },
    choose_format=choose_format,
    read=read_chat,
    request=ChatBody,
    other_bodies=(Schema("PromptRequest", _PROMPT),),
    answer=Schema("ChatCompletion", _COMPLETION),
    error=OPENAI_ERROR,
)
