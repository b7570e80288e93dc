"""A model's sealed thoughts in `reasoning_details`, OpenRouter's field of a delta and a message.

Clients that know the field keep its blocks and send them back with the message.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.apis.base import Answer
from gateway.core.events import Thoughts
from gateway.core.thoughts import ThoughtRecord

_FIELD = "reasoning_details"
_TYPE = "reasoning.encrypted"


def sealed_block(answer: Answer, thoughts: Thoughts, index: int = 0) -> dict[str, Any]:
    """Returns the block that holds the sealed thoughts. The answer must have a seal.

    index: the number of the block. openai-python joins the texts of blocks with the same number.
    The block has the id of the tool call, by which some clients find its message.
    """
    assert answer.seal is not None, "the answer has no seal"
    id = thoughts.call_id or f"rs_{answer.id}_{index}"
    data = answer.seal(thoughts.record)
    return {"type": _TYPE, "data": data, "id": id, "format": "unknown", "index": index}


def open_sealed(
    message: Mapping[str, Any], open_seal: Callable[[str], ThoughtRecord | None]
) -> ThoughtRecord | None:
    """Returns the thoughts in a message of the history; None: there are none that can be opened.

    open_seal: see Sealer.open.
    """
    blocks = message.get(_FIELD)
    for block in reversed(blocks) if isinstance(blocks, list) else ():
        data = block.get("data") if isinstance(block, dict) else None
        if isinstance(data, str) and (thoughts := open_seal(data)) is not None:
            return thoughts
    return None
