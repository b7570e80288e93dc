"""Whatever an upstream sends ends in `done` or in one clear failure, with all text up to there."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.upstream import (
    CHUNKED,
    CLOSE_DELIMITED,
    DONE,
    EVENT_STREAM,
    FINISH,
    RESET,
    Piece,
    Upstream,
    chunked,
    frame,
    say,
    with_length,
)
from tests.live.wire import (
    FORMATS,
    Transcript,
    ask,
    get_json,
    logged_turn,
    parse_stream,
    request_body,
    wait_until,
)
from tests.programs import DRIVERS, Program, start_gateway

ANSWER = "Grüße, 世界 😀!"
FRAMES = [frame({"role": "assistant"}), *say("<think>\nHm…\n</think>\n\n", *ANSWER), FINISH, DONE]
BODY = b"".join(FRAMES)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=DRIVERS)
def gateway(upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[Program]:
    # Its one upstream fails on and on here; the breaker has tests of its own.
    settings = {"breaker_failures": 10_000, "relay_driver": request.param}
    with start_gateway(upstream.url, **settings) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def nothing_unforeseen(gateway: Program) -> Iterator[None]:
    """The gateway has nothing to complain about, and nothing stays open."""
    before = len(gateway.output())
    yield
    said = gateway.output()[before:]
    assert "Traceback" not in said, said
    assert '"level": "error"' not in said, said
    assert "[ERROR]" not in said, said
    assert "Exception" not in said, said
    wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)


def hear(gateway: Program, model: str, format: str = "events") -> Transcript:
    """What the gateway tells of this model's script, also when it refuses."""
    body = request_body(model, gateway={"format": format, "reasoning": "raw"})
    with ask(gateway.url, body) as stream:
        if stream.status == 200:
            return parse_stream(format, stream.read_all(), "raw")
        assert stream.status in (400, 404, 429, 502, 504)
        refused = Transcript()
        refused.error = json.loads(stream.response.read())["error"]
        refused.ends = 1
        return refused


@pytest.mark.parametrize(
    "end",
    [[], [b"zz\r\nnot a chunk\r\n"]],
    ids=["ends", "is no chunk any more"],
)
def test_a_last_event_without_its_line_end_is_delivered_before_the_failure(
    upstream: Upstream, gateway: Program, end: list[Piece]
) -> None:
    last = say("two")[0].rstrip(b"\n")
    upstream.set_script("unfinished", CHUNKED, *chunked([*say("one "), last], end=False), *end)
    assert_told(hear(gateway, "unfinished"), "one two")


def test_a_bad_chunk_that_came_with_the_first_words_is_told_at_once(
    upstream: Upstream, gateway: Program
) -> None:
    """Also when the upstream says no more and keeps its connection."""
    never = threading.Event()
    first = CHUNKED + b"".join(chunked(say("one"), end=False)) + b"zz\r\n"
    began = time.monotonic()
    said = hear(gateway, upstream.set_script("bad chunk", first, never))
    never.set()
    assert_told(said, "one")
    assert time.monotonic() - began < 10


def assert_told(told: Transcript, least: str = "", code: str | None = "upstream_broke_off") -> None:
    """The text so far was delivered; then `done` where code is None, else a failure with it."""
    assert told.answer.startswith(least)
    assert (told.error or {}).get("code") == code
    if told.error:
        assert told.error["message"].endswith(".")


# --- Every body -----------------------------------------------------------------------------------

CRLF_BODY = (b": hello\n\n" + BODY).replace(b"\n", b"\r\n")
CR_BODY = BODY.replace(b"\n", b"\r")
GZIPPED = gzip.compress(BODY)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


GOOD_BODIES: dict[str, list[Piece]] = {
    "chunked": [CHUNKED, *chunked(FRAMES)],
    "chunked, a byte a chunk": [CHUNKED, *chunked(pieces(BODY, 1))],
    "chunked, chunks that are no frames": [CHUNKED, *chunked(pieces(BODY, 7))],
    "chunked, with extensions and trailers": [
        CHUNKED,
        b"%x;name=value\r\n%s\r\n0\r\nTrailer: yes\r\n\r\n" % (len(BODY), BODY),
    ],
    "with a length": [with_length(BODY)],
    "with a length, a byte at a time": pieces(with_length(BODY), 1),
    "until the connection closes": [CLOSE_DELIMITED, *FRAMES],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\n", BODY],
    "no content type": [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", BODY],
    "the end without a blank line": [CLOSE_DELIMITED, BODY.removesuffix(b"\n\n")],
    "no [DONE]": [CLOSE_DELIMITED, BODY.removesuffix(DONE)],
    "more after the end": [CLOSE_DELIMITED, BODY, *say("never"), b"garbage"],
    "CRLF": [CHUNKED, *chunked([CRLF_BODY])],
    "CRLF, each cut in half": [CHUNKED, *chunked(pieces(CRLF_BODY, 1))],
    "CR": [CLOSE_DELIMITED, CR_BODY],
    "a byte order mark": [CLOSE_DELIMITED, b"\xef\xbb\xbf", BODY],
    "gzip although identity was asked for": [
        EVENT_STREAM + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        *chunked([GZIPPED]),
    ],
    "gzip, a byte a chunk": [
        EVENT_STREAM + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        *chunked(pieces(GZIPPED, 1)),
    ],
    "gzip with a length": [
        EVENT_STREAM
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIPPED)
        + GZIPPED
    ],
    "a length that is no number": [EVENT_STREAM + b"Content-Length: many\r\n\r\n", BODY],
    "a hundred continues": [b"HTTP/1.1 100 Continue\r\n\r\n" * 100, with_length(BODY)],
}


@pytest.mark.parametrize("name", GOOD_BODIES)
@pytest.mark.parametrize("format", ["events", "openai"])
def test_every_kind_of_body_is_read(
    upstream: Upstream, gateway: Program, name: str, format: str
) -> None:
    said = hear(gateway, upstream.set_script(f"good {name}", *GOOD_BODIES[name]), format)
    assert (said.answer, said.error, said.finish_reason) == (ANSWER, None, "stop")
    assert said.trace == "Hm…"


# --- Cuts -----------------------------------------------------------------------------------------


def told_by(body: bytes) -> tuple[str, bool]:
    """The answer in the whole frames of this beginning of the body, and whether it has ended."""
    whole = body.decode("utf-8", "ignore").split("\n\n")[:-1]
    chunks = [json.loads(f[6:]) for f in whole if f != "data: [DONE]"]
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
    return text.rpartition("</think>\n\n")[2], any(c["choices"][0]["finish_reason"] for c in chunks)


def dechunked(wire: bytes) -> bytes:
    """The body in this beginning of a chunked one."""
    body = b""
    while wire:
        size, end, rest = wire.partition(b"\r\n")
        if not end or not int(size, 16):
            break
        body += rest[: int(size, 16)]
        wire = rest[int(size, 16) + 2 :]
    return body


def check_cut(gateway: Program, model: str, received: bytes) -> None:
    answer, ended = told_by(received)
    said = hear(gateway, model)
    assert ANSWER.startswith(said.answer), (model, said)
    assert said.answer.startswith(answer if ANSWER.startswith(answer) else ""), (model, said)
    if ended:
        assert (said.answer, said.error) == (ANSWER, None), (model, said)
    elif not received.endswith(FINISH.rstrip()) and not received.endswith(FINISH[:-1]):
        assert said.error is not None, (model, said)
        assert said.error["code"] in ("upstream_broke_off", "upstream_bad_chunk"), (model, said)


@pytest.mark.parametrize("framing", ["chunked", "with a length", "until it closes", "reset"])
def test_a_cut_at_any_byte_is_told(upstream: Upstream, gateway: Program, framing: str) -> None:
    """Also inside chunk framing, inside a character and inside a frame."""
    if framing == "chunked":
        head, wire = CHUNKED, b"".join(chunked(FRAMES))
    elif framing == "with a length":
        head, wire = EVENT_STREAM + b"Content-Length: %d\r\n\r\n" % len(BODY), BODY
    else:
        head, wire = CLOSE_DELIMITED, BODY
    end = [RESET] if framing == "reset" else []
    step = 7 if framing == "reset" else 2
    with ThreadPoolExecutor(8) as pool:
        jobs = []
        for cut in range(0, len(wire), step):
            model = upstream.set_script(f"cut {framing} {cut}", head + wire[:cut], *end)
            received = dechunked(wire[:cut]) if framing == "chunked" else wire[:cut]
            if framing == "reset":  # what had arrived may be thrown away by the system
                jobs.append(pool.submit(hear, gateway, model))
            else:
                jobs.append(pool.submit(check_cut, gateway, model, received))
        for job in jobs:
            job.result()


def test_a_cut_inside_a_crlf_is_told(upstream: Upstream, gateway: Program) -> None:
    wire = b"".join(say("one", "two")).replace(b"\n", b"\r\n")
    for cut in range(len(wire) - 5, len(wire)):
        model = upstream.set_script(f"crlf cut {cut}", CLOSE_DELIMITED + wire[:cut])
        said = hear(gateway, model)
        assert said.error is not None
        assert said.answer in ("one", "onetwo")


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_in_the_head_is_told(upstream: Upstream, gateway: Program, format: str) -> None:
    for cut in range(0, len(CHUNKED), 5):
        model = upstream.set_script(f"head cut {cut}", CHUNKED[:cut])
        said = hear(gateway, model, format)
        assert said.error is not None
        assert said.error["code"] in (
            "upstream_unreachable",
            "upstream_broke_off",
            502,
        )


def test_a_frame_without_its_blank_line_is_lenient_not_lost(
    upstream: Upstream, gateway: Program
) -> None:
    half = say("one", "two")[0] + say("two")[0].rstrip()
    assert_told(hear(gateway, upstream.set_script("half", CLOSE_DELIMITED, half)), "onetwo")


# --- Heads ----------------------------------------------------------------------------------------

BAD_HEADS: dict[str, list[Piece]] = {
    "nothing": [],
    "a reset": [RESET],
    "one byte": [b"H"],
    "blank lines": [b"\r\n\r\n\r\n"],
    "garbage": [b"garbage\r\n\r\n"],
    "zeros": [b"\0" * 1000],
    "another protocol": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "no status": [b"HTTP/1.1\r\n\r\n"],
    "a word for a status": [b"HTTP/1.1 abc OK\r\n\r\n"],
    "a huge status": [b"HTTP/1.1 99999 OK\r\n\r\n"],
    "a negative status": [b"HTTP/1.1 -200 OK\r\n\r\n"],
    "status 103 alone": [b"HTTP/1.1 103 Early Hints\r\n\r\n"],
    "status 204": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "status 206": [b"HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n"],
    "status 304": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "status 500 with garbage": [b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n\xff\xfe{[\0"],
    "status 400 with a list": [b"HTTP/1.1 400 No\r\nContent-Length: 4\r\n\r\n[[]]"],
    "status 429 with a date": [
        b"HTTP/1.1 429 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    ],
    "status 500, gzip that is none": [
        b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    ],
    "a reason in Latin-1": [b"HTTP/1.1 500 Fehl\xfcr\r\nContent-Length: 0\r\n\r\n"],
    "a line without end": [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"],
    "too many fields": [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"],
    "a field that is none": [b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!"],
    "a negative length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"],
    "an encoding that nobody knows": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: x-martian\r\nContent-Length: 5\r\n\r\nhello"
    ],
    "an empty body with a length": [EVENT_STREAM + b"Content-Length: 0\r\n\r\n"],
    "an empty chunked body": [CHUNKED, b"0\r\n\r\n"],
    "an empty body": [CLOSE_DELIMITED],
    "blank lines for a body": [CLOSE_DELIMITED, b"\n\n\r\n\r\n"],
    "comments alone": [CLOSE_DELIMITED, b": one\n\n: two\n\n"],
    "[DONE] cut": [CLOSE_DELIMITED, b"data: [DON"],
    "an HTML page": [b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<!doctype html><p>hi"],
    "JSON that is no answer": [b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"no":"idea"}'],
    "JSON cut": [b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"choices":['],
    "JSON null": [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"],
    "a chunk size that is none": [CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"],
    "a chunk of negative size": [CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"],
    "a chunk of endless size": [CHUNKED, b"F" * 70_000],
    "a chunk that promises too much": [CHUNKED, b"FFFFFFFFFFFFFFFF\r\nhello"],
    "gzip that is none": [
        EVENT_STREAM + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\nnope nope nope"
    ],
    "gzip cut": [
        EVENT_STREAM + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + GZIPPED[:12]
    ],
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_an_answer_that_is_none_is_one_clear_failure(
    upstream: Upstream, gateway: Program, name: str
) -> None:
    model = upstream.set_script(f"bad {name}", *BAD_HEADS[name])
    for format in FORMATS:
        said = hear(gateway, model, format)
        assert said.answer == ""
        assert said.error is not None
        assert said.error["code"] != "internal_error"
        assert said.error["message"].endswith(".")


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:1/elsewhere",
        "/v1/elsewhere",
        "",
        "http://[half",
        "\xff\xfe",
        "ftp://x/",
        "//",
        "http://a b/",
        "http://127.0.0.1:port/",
        "javascript:alert(1)",
    ],
)
@pytest.mark.parametrize("status", [301, 303, 307, 308])
def test_a_redirect_is_not_followed(
    upstream: Upstream, gateway: Program, where: str, status: int
) -> None:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
    model = upstream.set_script(f"redirect {status} {where}", head.encode("latin-1"))
    before = len(upstream.requests)
    said = hear(gateway, model)
    assert said.error is not None
    assert said.error["code"] == "upstream_refused"
    assert "redirects" in said.error["message"]
    assert len(upstream.requests) == before + 1


def test_a_redirect_with_an_endless_body_is_not_read(upstream: Upstream, gateway: Program) -> None:
    """Neither time nor memory goes into a body that nobody wants."""
    never = threading.Event()
    head = b"HTTP/1.1 307 Moved\r\nLocation: /x\r\nContent-Length: 1000\r\n\r\nhello"
    began = time.monotonic()
    said = hear(gateway, upstream.set_script("endless redirect", head, never))
    never.set()
    assert time.monotonic() - began < 2
    assert said.error is not None
    assert "redirects" in said.error["message"]


def test_a_refusal_with_an_endless_body_is_told_at_once(
    upstream: Upstream, gateway: Program
) -> None:
    never = threading.Event()
    said_so = b'{"error":{"message":"Too much.","code":"busy"}}'
    head = b"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n"
    script = [head, *chunked([said_so], end=False), never]
    began = time.monotonic()
    said = hear(gateway, upstream.set_script("endless refusal", *script))
    never.set()
    assert time.monotonic() - began < 5
    assert said.error is not None
    assert (said.error["message"], said.error["code"]) == ("Too much.", "busy")


# --- Frames ---------------------------------------------------------------------------------------


def test_five_megabytes_in_one_frame(upstream: Upstream, gateway: Program) -> None:
    text = "Wörter und Zahlen 0123456789. " * 175_000
    script = [CHUNKED, *chunked([*say(text), FINISH, DONE])]
    for format in FORMATS:
        said = hear(gateway, upstream.set_script("one large frame", *script), format)
        assert said.error is None
        assert said.answer == text


@pytest.mark.parametrize("head", [CHUNKED, CLOSE_DELIMITED], ids=["chunked", "close"])
def test_a_million_tiny_frames(upstream: Upstream, gateway: Program, head: bytes) -> None:
    """Text and noise of all kinds, within a bounded time, while others are served."""
    tiny = [say("x")[0], b"data: {}\n\n", b":\n\n", b"\n", b'data: {"choices":null}\n\n']
    body = b"".join(tiny) * 200_000 + FINISH + DONE
    chunks = chunked(pieces(body, 50_000)) if head is CHUNKED else [body]
    model = upstream.set_script("tiny frames", head, *chunks)
    with ThreadPoolExecutor() as pool:
        began = time.monotonic()
        told = pool.submit(hear, gateway, model)
        while not told.done():
            get_json(f"{gateway.url}/health")  # within 5 s
            time.sleep(0.1)
    assert told.result().error is None
    assert told.result().answer == "x" * 200_000
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "sent",
    [
        b'{"error":{"message":"Out of memory.","code":"oom"}}',
        b'{"error":"Out of memory."}',
        b'{"error":{"message":"Out of memory.","code":500}}',
        b'{"object":"error","message":"Out of memory."}',
        b'{"detail":"Out of memory."}',
        b'{"choices":[],"error":{"message":"Out of memory.","type":null}}',
    ],
)
def test_an_error_in_the_stream_is_told_in_its_own_words(
    upstream: Upstream, gateway: Program, sent: bytes
) -> None:
    frames = [*say("one"), b"data: " + sent + b"\n\n", *say("never"), DONE]
    said = hear(gateway, upstream.set_script("error frame", CHUNKED, *chunked(frames)))
    assert said.answer == "one"
    assert said.error is not None
    assert said.error["message"] == "Out of memory."


@pytest.mark.parametrize(
    "sent",
    [
        b'{"choices":null}',
        b'{"choices":[]}',
        b"{}",
        b'{"choices":[{}]}',
        b'{"choices":[{"delta":null,"finish_reason":null}]}',
        b'{"choices":[{"delta":{"content":null}}]}',
        b'{"choices":[{"delta":{"content":""}}],"usage":null,"error":null}',
        b'{"choices":[{"index":1,"delta":{"content":"another choice"}}]}',
        b"[1, 2]",
        b"null",
        b"ping",
        b"",
    ],
)
def test_a_frame_that_says_nothing_harms_nothing(
    upstream: Upstream, gateway: Program, sent: bytes
) -> None:
    frames = [*say("one "), b"data: " + sent + b"\n\n", *say("two"), FINISH, DONE]
    said = hear(gateway, upstream.set_script("empty frame", CHUNKED, *chunked(frames)))
    assert (said.answer, said.error) == ("one two", None)


@pytest.mark.parametrize(
    "sent",
    [
        b'{"choices":[{"delta":{"content":"half',
        b'{"choices":"none"}',
        b'{"choices":[{"delta":"none"}]}',
        b"{" * 100_000,
    ],
)
def test_a_broken_frame_is_a_failure(upstream: Upstream, gateway: Program, sent: bytes) -> None:
    frames = [*say("one"), b"data: " + sent + b"\n\n", *say("never"), FINISH, DONE]
    model = upstream.set_script("broken frame", CHUNKED, *chunked(frames))
    assert_told(hear(gateway, model), "one", "upstream_bad_chunk")


def test_broken_characters_are_replaced(upstream: Upstream, gateway: Program) -> None:
    broken = say("one")[0].replace(b"one", b"\xff\xfe one")
    model = upstream.set_script("not UTF-8", CLOSE_DELIMITED, broken, FINISH, DONE)
    assert hear(gateway, model).answer == "\ufffd\ufffd one"


# --- Around the answer ----------------------------------------------------------------------------


def test_no_cookie_is_kept(upstream: Upstream, gateway: Program) -> None:
    head = EVENT_STREAM + b"Set-Cookie: session=secret; Path=/\r\n"
    body = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    model = upstream.set_script("cookie", head + body)
    for _ in range(2):
        assert hear(gateway, model).error is None
    assert "cookie" not in upstream.requests[-1].head.lower()


def test_what_the_upstream_is_asked(upstream: Upstream, gateway: Program) -> None:
    model = upstream.set_script("asked", with_length(BODY))
    body = request_body(model, gateway={"format": "events"}, temperature=0.5, odd={"a": [None]})
    with ask(gateway.url, body, request_id="my-request") as stream:
        stream.read_all()
    head, sent = upstream.requests[-1]
    assert head.startswith("POST /v1/chat/completions HTTP/1.1")
    assert "X-Request-Id: my-request" in head
    assert "Accept-Encoding: identity" in head
    assert "gateway" not in sent
    assert (sent["temperature"], sent["odd"], sent["stream"]) == (0.5, {"a": [None]}, True)
    assert logged_turn(gateway, "my-request")["end"] == "done"


def test_a_proxy_in_the_environment_is_ignored(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with start_gateway(upstream.url) as behind:
        assert hear(behind, upstream.set_script("proxied", with_length(BODY))).error is None


def test_an_upstream_that_is_not_there_is_a_failure_at_once() -> None:
    with start_gateway("http://127.0.0.1:1") as alone:
        for format in FORMATS:
            said = hear(alone, "any", format)
            assert said.error is not None
            assert said.error["code"] == (502 if format == "plain" else "upstream_unreachable")
