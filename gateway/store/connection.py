"""Connections to Redis or Valkey. Only this module uses the client library.

Commands are not repeated after an error; by default, redis-py 8.1 repeats them up to ten times.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.errors import StoreAway
from gateway.store.layout import Item

BLOCK_MS = 1000
"""Limit for a read that waits for new entries. It must end because the deletion of a key does not
end it."""
_CONNECT_S = 2.0
_ANSWER_S = 5.0
_WAIT_S = 2.0
"""Limit for a command's wait for one of the shared connections."""
_SHARED = 8
"""Number of shared connections."""

_APPEND = """
local refused = {}
for at, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key, id, field, data, lifetime = unpack(item)
  local made = true
  if field == 'i' then
    made = redis.pcall('XADD', key, id, field, data)
  elseif id ~= '' then
    made = redis.pcall('XADD', key, 'NOMKSTREAM', id, field, data)
  end
  if type(made) == 'table' and made.err then
    refused[#refused + 1] = {at - 1, made.err}
  elseif not made or (lifetime > 0 and redis.call('PEXPIRE', key, lifetime) == 0) then
    refused[#refused + 1] = {at - 1, 'GONE'}
  end
end
return refused
"""
"""Appends entries to many streams. With a command for each entry, redis-py 8.1 takes five times as
long.

Only a stream's first entry creates its key. If later ones could, an entry for an expired key would
create a key that never expires.
"""


class Refused(msgspec.Struct):
    """An item that Redis has refused."""

    at: int
    """Its index in the list of items."""
    is_gone: bool
    """The stream does not exist."""
    is_old: bool
    """The stream has an entry with this id, or a higher one."""
    message: str


class Connections:
    """Makes connections to one server."""

    def __init__(self, url: str, certificates: str | None = None) -> None:
        """certificates: PEM of authorities to trust in addition to the public ones."""
        options: dict[str, Any] = {
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": _CONNECT_S,
            "socket_timeout": _ANSWER_S,
            "socket_keepalive": True,
            "health_check_interval": 0,
            "protocol": 2,
        }
        if certificates is not None and url.startswith("rediss:"):
            options["ssl_ca_data"] = certificates
        self._url = url
        self._options = options

    def alone(self) -> "Connection":
        """A connection for one greenlet."""
        pool = redis.ConnectionPool.from_url(self._url, max_connections=1, **self._options)
        return Connection(redis.Redis(connection_pool=pool))

    def shared(self) -> "Connection":
        """A few connections for short commands of any greenlet."""
        pool = redis.BlockingConnectionPool.from_url(
            self._url, max_connections=_SHARED, timeout=_WAIT_S, **self._options
        )
        return Connection(redis.Redis(connection_pool=pool))


class Connection:
    """Sends commands. Each method raises StoreAway if Redis does not answer, or with an error."""

    def __init__(self, client: Any) -> None:
        """client: a redis.Redis of redis-py."""
        # The raw answers are enough, and redis-py would make dicts of all entries.
        for command in ("XREAD", "XRANGE", "XREVRANGE"):
            client.set_response_callback(command, lambda answer, **_: answer)
        self._client = client
        self._append = client.register_script(_APPEND)

    def run(self, *command: Any) -> Any:
        """Runs one command."""
        with _away_on_errors():
            return self._client.execute_command(*command)

    def run_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Sends commands together; returns their raw answers."""
        with _away_on_errors(), self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
        return answers

    def append(self, items: Sequence[Item]) -> list[Refused]:
        """Appends entries; returns those that were refused."""
        with _away_on_errors():
            answer = self._append(args=[msgspec.msgpack.encode(items)])
        found = []
        for at, said in answer:
            message = said.decode("utf-8", "replace")
            is_old = "equal or smaller" in message
            if message != "GONE" and not is_old:
                raise StoreAway(message)  # it has no memory left, or is a replica
            found.append(Refused(at, message == "GONE", is_old, message))
        return found


@contextmanager
def _away_on_errors() -> Iterator[None]:
    """Raises StoreAway with the reason in one line. redis-py names the host, not the password."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StoreAway((str(error) or type(error).__name__).split("\n")[0]) from error
