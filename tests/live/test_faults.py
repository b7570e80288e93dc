"""Whatever an upstream sends, the stream ends in `done` or in one clear failure, after all text."""

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
from tests.machine import allowed, within
from tests.programs import DRIVERS, Program, start_gateway

ANSWER = "Grüße, 世界 😀!"
FRAMES = [frame({"role": "assistant"}), *say("<think>\nHm…\n</think>\n\n", *ANSWER), FINISH, DONE]
BODY = b"".join(FRAMES)
FEW_FRAMES = [*say("<think>\nHm…\n</think>\n\nGr", "üße, 世", "界 😀!"), FINISH, DONE]
"""The same answer in fewer bytes, for tests that cut it at each of them."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=DRIVERS)
def gateway(upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[Program]:
    # Its only upstream fails all the time; the breaker has its own tests.
    settings = {"breaker_failures": 10_000, "relay_driver": request.param}
    with start_gateway(upstream.url, **settings) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def no_errors_are_logged(gateway: Program) -> Iterator[None]:
    """Checks that the gateway logs no error and leaves no stream open."""
    before = gateway.output_size()
    yield
    output = gateway.output(before)
    assert "Traceback" not in output, output
    assert '"level": "error"' not in output, output
    assert "Exception" not in output, output
    wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)


def ask_model(gateway: Program, model: str, format: str = "events") -> Transcript:
    """Returns the transcript of this model's script, or the error if the gateway answers one."""
    body = request_body(model, gateway={"format": format, "reasoning": "raw"})
    with ask(gateway.url, body) as stream:
        if stream.status == 200:
            return parse_stream(format, stream.read_all(), "raw")
        assert stream.status in (400, 404, 429, 502, 504)
        transcript = Transcript()
        transcript.error = json.loads(stream.response.read())["error"]
        transcript.ends = 1
        return transcript


@pytest.mark.parametrize(
    "end",
    [[], [b"zz\r\nnot a chunk\r\n"]],
    ids=["ends", "has an invalid chunk"],
)
def test_an_unfinished_last_event_is_delivered_before_the_failure(
    upstream: Upstream, gateway: Program, end: list[Piece]
) -> None:
    last = say("two")[0].rstrip(b"\n")
    upstream.set_script("unfinished", CHUNKED, *chunked([*say("one "), last], end=False), *end)
    assert_ended(ask_model(gateway, "unfinished"), "one two")


def test_an_invalid_chunk_after_the_first_words_fails_at_once(
    upstream: Upstream, gateway: Program
) -> None:
    """Also if the upstream sends nothing more and keeps its connection open."""
    never = threading.Event()
    first = CHUNKED + b"".join(chunked(say("one"), end=False)) + b"zz\r\n"
    with within(10):
        result = ask_model(gateway, upstream.set_script("bad chunk", first, never))
    never.set()
    assert_ended(result, "one")


def assert_ended(
    transcript: Transcript, least: str = "", code: str | None = "upstream_broke_off"
) -> None:
    """Asserts that the text was delivered, then a failure with this code, or `done` for None."""
    assert transcript.answer.startswith(least)
    assert (transcript.error or {}).get("code") == code
    if transcript.error:
        assert transcript.error["message"].endswith(".")


# --- Valid bodies ---------------------------------------------------------------------------------

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
def test_every_valid_body_is_read(
    upstream: Upstream, gateway: Program, name: str, format: str
) -> None:
    result = ask_model(gateway, upstream.set_script(f"good {name}", *GOOD_BODIES[name]), format)
    assert (result.answer, result.error, result.finish_reason) == (ANSWER, None, "stop")
    assert result.trace == "Hm…"


# --- Cuts -----------------------------------------------------------------------------------------


def expected_answer(body: bytes) -> tuple[str, bool]:
    """The answer in the complete frames of a truncated body, and whether it has a finish reason."""
    whole = body.decode("utf-8", "ignore").split("\n\n")[:-1]
    chunks = [json.loads(f[6:]) for f in whole if f != "data: [DONE]"]
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
    return text.rpartition("</think>\n\n")[2], any(c["choices"][0]["finish_reason"] for c in chunks)


def dechunk(wire: bytes) -> bytes:
    """The body in a truncated chunked one."""
    body = b""
    while wire:
        size, end, rest = wire.partition(b"\r\n")
        if not end or not int(size, 16):
            break
        body += rest[: int(size, 16)]
        wire = rest[int(size, 16) + 2 :]
    return body


def check_cut(gateway: Program, model: str, received: bytes) -> None:
    answer, ended = expected_answer(received)
    result = ask_model(gateway, model)
    assert ANSWER.startswith(result.answer), (model, result)
    assert result.answer.startswith(answer if ANSWER.startswith(answer) else ""), (model, result)
    if ended:
        assert (result.answer, result.error) == (ANSWER, None), (model, result)
    elif not received.endswith(FINISH.rstrip()) and not received.endswith(FINISH[:-1]):
        assert result.error is not None, (model, result)
        assert result.error["code"] in ("upstream_broke_off", "upstream_bad_chunk"), (model, result)


@pytest.mark.parametrize("framing", ["chunked", "with a length", "until it closes", "reset"])
def test_a_cut_at_any_byte_is_a_failure(upstream: Upstream, gateway: Program, framing: str) -> None:
    """Also inside a chunk's size, a character and a frame."""
    if framing == "chunked":
        head, wire = CHUNKED, b"".join(chunked(FEW_FRAMES))
    elif framing == "with a length":
        wire = b"".join(FEW_FRAMES)
        head = EVENT_STREAM + b"Content-Length: %d\r\n\r\n" % len(wire)
    else:
        head, wire = CLOSE_DELIMITED, b"".join(FEW_FRAMES)
    end = [RESET] if framing == "reset" else []
    step = 7 if framing == "reset" else 3
    with ThreadPoolExecutor(8) as pool:
        jobs = []
        for cut in range(0, len(wire), step):
            model = upstream.set_script(f"cut {framing} {cut}", head + wire[:cut], *end)
            received = dechunk(wire[:cut]) if framing == "chunked" else wire[:cut]
            if framing == "reset":  # the kernel may drop what had arrived
                jobs.append(pool.submit(ask_model, gateway, model))
            else:
                jobs.append(pool.submit(check_cut, gateway, model, received))
        for job in jobs:
            job.result()


def test_a_cut_inside_a_crlf_is_a_failure(upstream: Upstream, gateway: Program) -> None:
    wire = b"".join(say("one", "two")).replace(b"\n", b"\r\n")
    for cut in range(len(wire) - 5, len(wire)):
        model = upstream.set_script(f"crlf cut {cut}", CLOSE_DELIMITED + wire[:cut])
        result = ask_model(gateway, model)
        assert result.error is not None
        assert result.answer in ("one", "onetwo")


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_in_the_head_is_a_failure(upstream: Upstream, gateway: Program, format: str) -> None:
    for cut in range(0, len(CHUNKED), 5):
        model = upstream.set_script(f"head cut {cut}", CHUNKED[:cut])
        result = ask_model(gateway, model, format)
        assert result.error is not None
        assert result.error["code"] in (
            "upstream_unreachable",
            "upstream_broke_off",
            502,
        )


def test_a_last_frame_without_its_blank_line_is_delivered(
    upstream: Upstream, gateway: Program
) -> None:
    half = say("one", "two")[0] + say("two")[0].rstrip()
    assert_ended(ask_model(gateway, upstream.set_script("half", CLOSE_DELIMITED, half)), "onetwo")


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
    "status 500 with invalid gzip": [
        b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    ],
    "a reason in Latin-1": [b"HTTP/1.1 500 Fehl\xfcr\r\nContent-Length: 0\r\n\r\n"],
    "a line without end": [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"],
    "too many header fields": [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"],
    "an invalid header field": [b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!"],
    "a negative length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"],
    "an unknown content encoding": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: x-martian\r\nContent-Length: 5\r\n\r\nhello"
    ],
    "an empty body with a length": [EVENT_STREAM + b"Content-Length: 0\r\n\r\n"],
    "an empty chunked body": [CHUNKED, b"0\r\n\r\n"],
    "an empty body": [CLOSE_DELIMITED],
    "blank lines for a body": [CLOSE_DELIMITED, b"\n\n\r\n\r\n"],
    "comments alone": [CLOSE_DELIMITED, b": one\n\n: two\n\n"],
    "[DONE] cut": [CLOSE_DELIMITED, b"data: [DON"],
    "an HTML page": [b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<!doctype html><p>hi"],
    "JSON that is not an answer": [b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"no":"idea"}'],
    "JSON cut": [b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"choices":['],
    "JSON null": [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"],
    "an invalid chunk size": [CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"],
    "a chunk of negative size": [CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"],
    "a chunk of endless size": [CHUNKED, b"F" * 70_000],
    "a chunk larger than its data": [CHUNKED, b"FFFFFFFFFFFFFFFF\r\nhello"],
    "invalid gzip": [
        EVENT_STREAM + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\nnope nope nope"
    ],
    "gzip cut": [
        EVENT_STREAM + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + GZIPPED[:12]
    ],
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_an_invalid_answer_is_one_clear_failure(
    upstream: Upstream, gateway: Program, name: str
) -> None:
    model = upstream.set_script(f"bad {name}", *BAD_HEADS[name])
    for format in FORMATS:
        result = ask_model(gateway, model, format)
        assert result.answer == ""
        assert result.error is not None
        assert result.error["code"] != "internal_error"
        assert result.error["message"].endswith(".")


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
    result = ask_model(gateway, model)
    assert result.error is not None
    assert result.error["code"] == "upstream_refused"
    assert "redirects" in result.error["message"]
    assert len(upstream.requests) == before + 1


def test_a_redirect_with_an_endless_body_is_not_read(upstream: Upstream, gateway: Program) -> None:
    """The gateway spends neither time nor memory on it."""
    never = threading.Event()
    head = b"HTTP/1.1 307 Moved\r\nLocation: /x\r\nContent-Length: 1000\r\n\r\nhello"
    with within(2):
        result = ask_model(gateway, upstream.set_script("endless redirect", head, never))
    never.set()
    assert result.error is not None
    assert "redirects" in result.error["message"]


def test_an_error_status_with_an_endless_body_fails_at_once(
    upstream: Upstream, gateway: Program
) -> None:
    never = threading.Event()
    error = b'{"error":{"message":"Too much.","code":"busy"}}'
    head = b"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n"
    script = [head, *chunked([error], end=False), never]
    with within(5):
        result = ask_model(gateway, upstream.set_script("endless refusal", *script))
    never.set()
    assert result.error is not None
    assert (result.error["message"], result.error["code"]) == ("Too much.", "busy")


# --- Frames ---------------------------------------------------------------------------------------


def test_a_frame_of_five_megabytes(upstream: Upstream, gateway: Program) -> None:
    text = "Wörter und Zahlen 0123456789. " * 175_000
    script = [CHUNKED, *chunked([*say(text), FINISH, DONE])]
    for format in FORMATS:
        result = ask_model(gateway, upstream.set_script("one large frame", *script), format)
        assert result.error is None
        assert result.answer == text


@pytest.mark.parametrize("head", [CHUNKED, CLOSE_DELIMITED], ids=["chunked", "close"])
def test_50_000_tiny_frames(upstream: Upstream, gateway: Program, head: bytes) -> None:
    """Text, comments and empty frames, in bounded time, and other clients are served meanwhile."""
    tiny = [say("x")[0], b"data: {}\n\n", b":\n\n", b"\n", b'data: {"choices":null}\n\n']
    body = b"".join(tiny) * 10_000 + FINISH + DONE
    chunks = chunked(pieces(body, 50_000)) if head is CHUNKED else [body]
    model = upstream.set_script("tiny frames", head, *chunks)
    longest_s = 0.0
    with within(4), ThreadPoolExecutor() as pool:
        asked = pool.submit(ask_model, gateway, model)
        while not asked.done():
            began = time.monotonic()
            get_json(f"{gateway.url}/health")
            longest_s = max(longest_s, time.monotonic() - began)
            time.sleep(0.1)
    assert longest_s < allowed(1.25)
    assert asked.result().error is None
    assert asked.result().answer == "x" * 10_000


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
def test_an_error_in_the_stream_keeps_its_message(
    upstream: Upstream, gateway: Program, sent: bytes
) -> None:
    frames = [*say("one"), b"data: " + sent + b"\n\n", *say("never"), DONE]
    result = ask_model(gateway, upstream.set_script("error frame", CHUNKED, *chunked(frames)))
    assert result.answer == "one"
    assert result.error is not None
    assert result.error["message"] == "Out of memory."


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
def test_frames_without_content_are_skipped(
    upstream: Upstream, gateway: Program, sent: bytes
) -> None:
    frames = [*say("one "), b"data: " + sent + b"\n\n", *say("two"), FINISH, DONE]
    result = ask_model(gateway, upstream.set_script("empty frame", CHUNKED, *chunked(frames)))
    assert (result.answer, result.error) == ("one two", None)


@pytest.mark.parametrize(
    "sent",
    [
        b'{"choices":[{"delta":{"content":"half',
        b'{"choices":"none"}',
        b'{"choices":[{"delta":"none"}]}',
        b"{" * 100_000,
    ],
)
def test_an_invalid_frame_is_a_failure(upstream: Upstream, gateway: Program, sent: bytes) -> None:
    frames = [*say("one"), b"data: " + sent + b"\n\n", *say("never"), FINISH, DONE]
    model = upstream.set_script("broken frame", CHUNKED, *chunked(frames))
    assert_ended(ask_model(gateway, model), "one", "upstream_bad_chunk")


def test_invalid_utf_8_is_replaced(upstream: Upstream, gateway: Program) -> None:
    broken = say("one")[0].replace(b"one", b"\xff\xfe one")
    model = upstream.set_script("not UTF-8", CLOSE_DELIMITED, broken, FINISH, DONE)
    assert ask_model(gateway, model).answer == "\ufffd\ufffd one"


# --- The request and the rest --------------------------------------------------------------------


def test_cookies_are_not_kept(upstream: Upstream, gateway: Program) -> None:
    head = EVENT_STREAM + b"Set-Cookie: session=secret; Path=/\r\n"
    body = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    model = upstream.set_script("cookie", head + body)
    for _ in range(2):
        assert ask_model(gateway, model).error is None
    assert "cookie" not in upstream.requests[-1].head.lower()


def test_the_request_to_the_upstream(upstream: Upstream, gateway: Program) -> None:
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


def test_proxies_in_the_environment_are_ignored(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with start_gateway(upstream.url) as behind:
        assert ask_model(behind, upstream.set_script("proxied", with_length(BODY))).error is None


def test_an_unreachable_upstream_is_a_failure_at_once() -> None:
    with start_gateway("http://127.0.0.1:1") as alone:
        for format in FORMATS:
            result = ask_model(alone, "any", format)
            assert result.error is not None
            assert result.error["code"] == (502 if format == "plain" else "upstream_unreachable")
