"""Calls between the workers of all hosts, over a stream in Redis for each worker: its inbox."""

import json
from itertools import count
from typing import Any

import gevent
import gevent.event
import msgspec

from gateway.core.sse import dumps
from gateway.errors import ErrorInfo, GatewayError, GatewayFault, RemoteError
from gateway.store.base import Handler, OwnerGone
from gateway.store.connection import Connection
from gateway.store.layout import inbox_key, lease_key

_ANSWER_S = 8.0
_MAX_MESSAGES = 10_000
"""In an inbox, about."""
_INBOX_S = 60
"""The lifetime of an inbox after its last message."""


class _Message(msgspec.Struct, omit_defaults=True):
    """A call, an answer to one, or a notice, which gets no answer."""

    call: int = 0
    """Its number, which its sender has drawn; 0 for a notice."""
    sender: str = ""
    """The place that gets the answer; "" in an answer."""
    name: str = ""
    arguments: dict[str, Any] = {}
    values: list[Any] = []
    error: ErrorInfo | None = None


class Calls:
    """One worker's end."""

    def __init__(self, connection: Connection, place: str, log: Any) -> None:
        """connection: a shared one."""
        self._connection = connection
        self._place = place
        self._log = log
        self._handlers: dict[str, Handler] = {}
        self._numbers = count(1)
        self._waiting: dict[int, gevent.event.AsyncResult] = {}

    def add(self, name: str, handler: Handler) -> None:
        """Answers calls of this name."""
        self._handlers[name] = handler

    def wake(self) -> None:
        """Has this worker's reader look again. Does not wait."""
        gevent.spawn(self._send, self._place, None)

    def notify(self, place: str, name: str, **arguments: Any) -> None:
        """Calls a worker and wants no answer. Does not wait."""
        gevent.spawn(self._send, place, _Message(name=name, arguments=arguments))

    def call(self, place: str, name: str, **arguments: Any) -> list[Any]:
        """Returns what a worker answers. Raises what it raises, OwnerGone or StoreAway."""
        number = next(self._numbers)
        result = self._waiting[number] = gevent.event.AsyncResult()
        try:
            lives, *_ = self._connection.run_all(
                [
                    ("EXISTS", lease_key(place)),
                    *_commands(place, _Message(number, self._place, name, arguments)),
                ]
            )
            if not lives:
                raise OwnerGone
            answer: _Message = result.get(timeout=_ANSWER_S)
        except gevent.Timeout:
            raise OwnerGone from None
        finally:
            del self._waiting[number]
        if answer.error is not None:
            raise RemoteError(answer.error)
        return answer.values

    def take(self, data: bytes) -> None:
        """Takes a message from the inbox. Does not wait."""
        try:
            message = msgspec.convert(json.loads(data), _Message)
        except ValueError:
            self._log.warning("stream store has an unknown message")
            return
        if message.name:
            gevent.spawn(self._answer, message)
        elif (result := self._waiting.get(message.call)) is not None:
            result.set(message)

    def _answer(self, message: _Message) -> None:
        answer = _Message(message.call)
        try:
            answer.values = list(self._handlers[message.name](**message.arguments))
        except GatewayError as error:
            answer.error = error.info
        except Exception:
            self._log.exception("a call of another worker failed")
            answer.error = GatewayFault("The gateway failed; its log says why.").info
        if message.sender:
            self._send(message.sender, answer)

    def _send(self, place: str, message: _Message | None) -> None:
        try:
            self._connection.run_all(_commands(place, message))
        except GatewayError as error:
            self._log.debug("a message was not sent", error=repr(error))


def _commands(place: str, message: _Message | None) -> list[tuple[Any, ...]]:
    """message: None only wakes."""
    key = inbox_key(place)
    data = dumps(msgspec.to_builtins(message)) if message is not None else ""
    return [("XADD", key, "MAXLEN", "~", _MAX_MESSAGES, "*", "m", data), ("EXPIRE", key, _INBOX_S)]
