"""Calls between the workers of all hosts. Each worker has an inbox: a stream in Redis."""

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
"""A worker that has not answered after this long counts as gone."""
_MAX_MESSAGES = 10_000
"""Approximate limit for the messages in an inbox."""
_INBOX_S = 60
"""Lifetime of an inbox after its last message."""


class _Message(msgspec.Struct, omit_defaults=True):
    """A call, an answer to one, or a notice, which gets no answer."""

    call: int = 0
    """The number that the sender gave the call; 0 for a notice."""
    sender: str = ""
    """The place of the caller, which gets the answer; "" in an answer."""
    name: str = ""
    arguments: dict[str, Any] = {}
    values: list[Any] = []
    error: ErrorInfo | None = None


class Calls:
    """The calls that one worker makes and answers."""

    def __init__(self, connection: Connection, place: str, log: Any) -> None:
        """connection: a shared one. place: of this worker."""
        self._connection = connection
        self._place = place
        self._log = log
        self._handlers: dict[str, Handler] = {}
        self._numbers = count(1)
        self._waiting: dict[int, gevent.event.AsyncResult] = {}

    def add(self, name: str, handler: Handler) -> None:
        """Makes a handler answer the calls of this name."""
        self._handlers[name] = handler

    def wake(self) -> None:
        """Ends the present read of this worker's reader, so that it reads again. Does not wait."""
        gevent.spawn(self._send, self._place, None)

    def notify(self, place: str, name: str, **arguments: Any) -> None:
        """Calls a worker without an answer. Does not wait."""
        gevent.spawn(self._send, place, _Message(name=name, arguments=arguments))

    def call(self, place: str, name: str, **arguments: Any) -> list[Any]:
        """See StreamStore."""
        number = next(self._numbers)
        result = self._waiting[number] = gevent.event.AsyncResult()
        try:
            message = _Message(number, self._place, name, arguments)
            commands = [("EXISTS", lease_key(place)), *_commands(place, message)]
            is_alive, *_ = self._connection.run_all(commands)
            if not is_alive:
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
        """Handles a message from the inbox. Does not wait."""
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
            answer.error = GatewayFault().info
        if message.sender:
            self._send(message.sender, answer)

    def _send(self, place: str, message: _Message | None) -> None:
        try:
            self._connection.run_all(_commands(place, message))
        except GatewayError as error:
            self._log.debug("a message was not sent", error=repr(error))


def _commands(place: str, message: _Message | None) -> list[tuple[Any, ...]]:
    """Returns the commands that put a message into an inbox. None: an empty one, to wake."""
    key = inbox_key(place)
    data = dumps(msgspec.to_builtins(message)) if message is not None else ""
    return [("XADD", key, "MAXLEN", "~", _MAX_MESSAGES, "*", "m", data), ("EXPIRE", key, _INBOX_S)]
