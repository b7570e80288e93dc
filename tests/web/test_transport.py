"""A body becomes lines, those of one read together, however the reads cut it."""

import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamBroke
from gateway.transport import client, lines
from gateway.transport.client import Reply
from gateway.transport.session import make_session
from tests.core.cuts import cut, every_cut, places


class Reads:
    """A `raw` whose read1 returns prepared pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter([piece for piece in pieces if piece])
        self.closed = False

    def read1(self, amount: int, decode_content: bool) -> bytes:
        return next(self._pieces, b"")

    def close(self) -> None:
        self.closed = True

    def release_conn(self) -> None:
        pass


def batches(pieces: list[bytes]) -> list[list[bytes]]:
    response = requests.Response()
    response.status_code = 200
    response.raw = Reads(pieces)
    with Reply(response) as reply:
        return list(reply.batches())


def lines_of(pieces: list[bytes]) -> list[bytes]:
    return [line for batch in batches(pieces) for line in batch]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: a\n\ndata: b\n\n",
        b"data: a\r\n\r\ndata: b\r\n\r\n",
        b"data: a\r\rdata: b\r\r",
        b"data: a\n\ndata: the end",
        b"data: a\r\n\r\ndata: b\r",
        "data: é🤔\u2028\x85\n\n".encode(),
        b"\n\n\n",
        b"",
    ],
)
def test_cuts_do_not_change_the_lines(stream: bytes) -> None:
    for pieces in every_cut(stream):
        assert lines_of(pieces) == stream.splitlines()


@given(st.text(alphabet="ab\r\n").map(str.encode), places)
def test_cuts_do_not_change_the_lines_of_any_bytes(stream: bytes, where: list[int]) -> None:
    assert lines_of(cut(stream, where)) == stream.splitlines()


def test_lines_of_one_read_are_one_batch() -> None:
    assert batches([b"a\n\nb\n", b"\nc", b"d\n\n"]) == [[b"a", b"", b"b"], [b""], [b"cd", b""]]


def test_a_long_line_in_small_reads_takes_linear_time() -> None:
    [line] = lines_of([b"x" * 1000] * 15_000 + [b"\n"])
    assert len(line) == 15_000_000


def test_a_line_without_end_is_cut_off_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 5000)
    with pytest.raises(UpstreamBroke, match="too long"):
        batches([b"x" * 1000] * 6)


def test_the_session_ignores_proxies_and_netrc_of_the_environment() -> None:
    session = make_session(7)
    assert not session.trust_env


def test_cookies_of_upstreams_are_not_kept() -> None:
    class Answer:
        def info(self) -> Message:
            headers = Message()
            headers["Set-Cookie"] = "user=1; Path=/"
            return headers

    session = make_session(7)
    request = urllib.request.Request("http://127.0.0.1/")
    session.cookies.extract_cookies(Answer(), request)
    assert list(session.cookies) == []


def test_an_endless_model_list_is_cut_off_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_LINE_BYTES", 100_000)
    response = requests.Response()
    response.status_code = 200
    response.raw = Endless()
    with Reply(response) as reply, pytest.raises(UpstreamBroke):
        reply.read()
    assert response.raw.given < 300_000


class Endless(Reads):
    """A `raw` that always has more, up to a million bytes."""

    def __init__(self) -> None:
        super().__init__([])
        self.given = 0

    def stream(self, amount: int, decode_content: bool) -> Iterator[bytes]:
        while self.given < 1_000_000:
            self.given += amount
            yield b"[" * amount
