"""Kept responses: to read, stop, delete and continue them by their ids.

Statuses and messages are those of OpenAI's API. A response with `background` can be read and
streamed at any time. Any other one can only be read, and only after its end.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from gateway.apis.base import EndpointRequest, Replay
from gateway.apis.kept import AnswerStore, KeptAnswer
from gateway.apis.responses.stream import ResponseObject, ResponsesDialect
from gateway.core.events import Done, Failed
from gateway.errors import BadRequest, Cancelled, GatewayError, NotFound, StreamNotFound

_PREFIX = "resp_"
_MAX_LISTED = 100
_LISTED = 20
_ID_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}


def retrieve(request: EndpointRequest) -> dict[str, Any] | Replay:
    """GET /v1/responses/{id}: returns the response in its present state, or its stream."""
    streams = _choice(request.query, "stream", ("false", "true")) == "true"
    after = _number(request.query, "starting_after", -1, lowest=0)
    kept = _find(request)
    if not streams:
        return _response(kept)
    for member, is_given in (
        ("background", kept.info.keep == "background"),
        ("stream", kept.info.streamed),
    ):
        if not is_given:
            raise BadRequest(
                f"This response cannot be streamed because it was not created with {member}=true.",
                param="stream",
            )
    return Replay(kept.info.id, partial(ResponsesDialect, skip=after + 1))


def cancel(request: EndpointRequest) -> dict[str, Any]:
    """POST /v1/responses/{id}/cancel: stops the model. A cancelled response has no output."""
    kept = _find(request)
    if kept.info.keep != "background":
        raise BadRequest("Cannot cancel a synchronous response.")
    if kept.end is None:
        kept = request.answers.stop(kept.info.id)
    match kept.end:
        case Done():
            raise BadRequest("Cannot cancel a completed response.")
        case Failed(error) if error.code != Cancelled.code:
            raise BadRequest("Cannot cancel a failed response.")
    return _response(kept)


def delete(request: EndpointRequest) -> dict[str, Any]:
    """DELETE /v1/responses/{id}: deletes a response that has ended."""
    kept = _find(request)
    if kept.end is None:
        raise BadRequest("Cannot delete an in-flight response.")
    request.answers.forget(kept.info.id)
    return {"id": request.segments["id"], "object": "response.deleted", "deleted": True}


def input_items(request: EndpointRequest) -> dict[str, Any]:
    """GET /v1/responses/{id}/input_items: returns the items of the input, the newest one first."""
    order = _choice(request.query, "order", ("desc", "asc"))
    limit = _number(request.query, "limit", _LISTED, lowest=1, highest=_MAX_LISTED)
    kept = _find(request)
    items = [_listed_item(kept.info.id, at, item) for at, item in enumerate(kept.info.input or ())]
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    begin = _place(request.query, "after", ids, -1) + 1
    end = _place(request.query, "before", ids, len(ids))
    page = items[begin:end][:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": begin + len(page) < end,
    }


def with_previous(body: dict[str, Any], answers: AnswerStore) -> dict[str, Any]:
    """Returns the body with the conversation of its `previous_response_id` before the input.

    Raises NotFound, or BadRequest if the previous response is not complete.
    """
    id = body.get("previous_response_id")
    if not isinstance(id, str) or body.get("conversation") is not None:
        return body
    param = "previous_response_id"
    try:
        kept = answers.find(_stream_id(id))
        if kept.info.dialect != "responses":
            raise StreamNotFound(id)
    except GatewayError:
        raise NotFound(
            f"Previous response with id '{id}' not found.",
            param=param,
            code="previous_response_not_found",
        ) from None
    if not isinstance(kept.end, Done):
        what = "is still in progress" if kept.end is None else "has failed"
        raise BadRequest(f"The previous response '{id}' {what}.", param=param)
    earlier = [*(kept.info.input or ()), *_response(kept)["output"]]
    return body | {"input": [*earlier, *items_of(body.get("input"))]}


def items_of(input: Any) -> list[Any]:
    """Returns the items of an input; one message if the input is a text."""
    if isinstance(input, str):
        text = {"type": "input_text", "text": input}
        return [{"type": "message", "role": "user", "content": [text]}]
    return [*input] if isinstance(input, list) else []


def _find(request: EndpointRequest) -> KeptAnswer:
    id = request.segments["id"]
    try:
        kept = request.answers.find(_stream_id(id))
    except StreamNotFound:
        kept = None
    if kept is None or kept.info.dialect != "responses":
        raise NotFound(f"Response with id '{id}' not found.")
    return kept


def _stream_id(id: str) -> str:
    return id.removeprefix(_PREFIX) if id.startswith(_PREFIX) else ""


def _response(kept: KeptAnswer) -> dict[str, Any]:
    response = ResponseObject(kept.answer)
    response.begin()
    response.add(kept.events)
    return response.body()


def _choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """Returns the value of a parameter. The first allowed value is the default."""
    value = query.get(name, allowed[0])
    if value.lower() not in allowed:
        raise BadRequest(f"{name}: {value!r} is not one of {', '.join(allowed)}.", param=name)
    return value.lower()


def _number(
    query: Mapping[str, str], name: str, default: int, *, lowest: int, highest: int | None = None
) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= lowest):
        raise BadRequest(f"{name}: give a number, from {lowest}.", param=name)
    if highest is not None and int(text) > highest:
        raise BadRequest(f"{name}: give a number up to {highest}.", param=name)
    return int(text)


def _place(query: Mapping[str, str], name: str, ids: list[str], default: int) -> int:
    """Where the item stands whose id a parameter gives."""
    id = query.get(name)
    if not id:
        return default
    if id not in ids:
        raise BadRequest(f"{name}: this response has no input item with id '{id}'.", param=name)
    return ids.index(id)


def _listed_item(stream_id: str, at: int, item: Any) -> dict[str, Any]:
    """Returns an item as it is in the list: with an id, and a message's content as parts."""
    if not isinstance(item, dict):
        item = {"type": "message", "role": "user", "content": str(item)}
    type = item.get("type") or "message"
    listed = {"id": f"{_ID_PREFIXES.get(type, 'item')}_{stream_id}_in{at}", **item, "type": type}
    content = listed.get("content")
    if type == "message" and isinstance(content, str):
        kind = "output_text" if listed.get("role") == "assistant" else "input_text"
        part: dict[str, Any] = {"type": kind, "text": content}
        listed["content"] = [part | ({"annotations": []} if kind == "output_text" else {})]
    return listed
