"""Errors of model servers: their words reach the client in every shape, without keys."""

import json
from typing import Any

import pytest

from gateway.config import UpstreamConfig
from gateway.core.events import Done, Failed, OutputDelta
from gateway.core.parts import Fault
from gateway.errors import UpstreamRefused
from gateway.upstreams.chat import ChatUpstream
from gateway.upstreams.chat_reader import ChatReader
from gateway.upstreams.error_bodies import read_wait
from tests.core.scripted import DONE, FINISH, contents, lines, make_turn, run, text

SHAPES: list[Any] = [
    {"error": {"message": "boom", "code": 7}},
    {"error": "boom"},
    {"error": {"error": {"message": "boom"}}} | {"error": {"message": {"message": "boom"}}},
    [{"error": {"code": 7, "message": "boom", "status": "INVALID"}}],
    {"errors": [{"code": 7003, "message": "boom"}], "success": False, "messages": []},
    {"base_resp": {"status_code": 7, "status_msg": "boom"}},
    {"error_code": 7, "error_msg": "boom"},
    {"detail": "boom"},
    {"detail": [{"type": "missing", "msg": "boom"}]},
    {"message": "boom", "code": 7},
    {"message": {"detail": "boom"}},
    {"code": 7, "msg": "boom"},
    # An error within an error, or within a text.
    {"error": {"error": {"message": "boom"}}},
    {"error": '{"message": "boom", "code": 7}'},
    {"detail": {"error": {"message": "boom"}}},
    # Apigee, Volcengine, Tencent, iFlytek, AWS.
    {"fault": {"faultstring": "boom", "detail": {"errorcode": "x"}}},
    {"ResponseMetadata": {"RequestId": "r", "Error": {"Code": "x", "Message": "boom"}}},
    {"Response": {"Error": {"Code": "x", "Message": "boom"}, "RequestId": "r"}},
    {"header": {"code": 10013, "message": "boom"}},
    {"__type": "ValidationException", "Message": "boom"},
    {"error": True, "reason": "boom"},
    {"success": False, "info": "boom"},
]
IDS = [json.dumps(shape)[:40] for shape in SHAPES]


def refuse(status: int, body: Any, headers: dict[str, str] | None = None) -> UpstreamRefused:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    config = UpstreamConfig(name="a", url="http://a.test/v1", api_key_env="A_KEY")
    upstream = ChatUpstream(config, lambda message: message.replace("sk-1", "…"))
    return upstream.refusal(status, headers or {}, data)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_the_message_of_every_shape_of_body_reaches_the_client(shape: Any) -> None:
    assert refuse(400, shape).message == "boom"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"statusCode": 400, "error": "Bad Request", "message": "No tools."},
            "Bad Request: No tools.",
        ),
        (
            {"error": {"message": '{"error": {"message": "No tools."}}'}},
            "No tools.",
        ),
        *(
            (
                {"error": {"message": "Provider returned error", "metadata": {"raw": raw}}},
                "Provider returned error: No tools.",
            )
            for raw in (
                "No tools.",
                '{"error": {"message": "No tools."}}',
                {"message": "No tools."},
            )
        ),
        (b'data: {"error": {"message": "No tools."}}\n\ndata: [DONE]\n\n', "No tools."),
        (b'event: error\ndata: {"message": "No tools."}\n\n', "No tools."),
        (b'\xef\xbb\xbf{"error": "No tools."}', "No tools."),
        (b"<Error><Code>x</Code><Message>No tools.</Message></Error>", "No tools."),
        (
            b"<html><body><h1>504 Gateway Time-out</h1></body></html>",
            "The upstream answered with a web page: 504 Gateway Time-out.",
        ),
        ({"message": {"message": {"message": {"message": "No tools."}}}}, "No tools."),
    ],
)
def test_the_words_of_a_server_behind_the_server_reach_the_client(body: Any, message: str) -> None:
    assert refuse(400, body).message == message


@pytest.mark.parametrize(
    ("status", "message", "cause"),
    [
        (403, "Content violates usage guidelines.", "content"),
        (403, "This goes against our terms of service.", "content"),
        (403, "Rejected by the acceptable use policy.", "content"),
        (403, "Jailbreak detected.", "content"),
        (403, "输入内容包含敏感信息", "content"),
        (403, "Not available in your geography.", "content"),
        (401, "Your request was flagged by moderation.", "content"),
        (401, "No such key.", "key"),
        (403, "Your plan does not include this model.", "key"),
        (400, "API key not valid. Please pass a valid API key.", "key"),
        (400, "Your credit balance is too low to access the API.", "key"),
        (400, "The tool get_api_key is not valid here.", "other"),
    ],
)
def test_what_a_refusal_is_about(status: int, message: str, cause: str) -> None:
    refused = refuse(status, {"error": {"message": message}})
    assert refused.cause == cause
    assert refused.status == {"content": 403, "key": 424, "other": 400}[cause]
    assert (refused.blame == "caller") == (cause != "key")


def test_the_path_of_a_fault_is_said() -> None:
    detail = [
        {"loc": ["body", "messages", 0], "msg": "Field required"},
        {"loc": ["body", "n"], "msg": "Too large"},
    ]
    assert refuse(422, {"detail": detail}).message == (
        "body.messages.0: Field required; body.n: Too large"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Internal Server Error", "Internal Server Error."),
        (b"model sk-1 is loading\n", "model … is loading."),
        (
            b"<html><head><title>502 Bad Gateway</title></head></html>",
            "The upstream answered with a web page: 502 Bad Gateway.",
        ),
        (b"<html>no</html>", "The upstream answered with status 500."),
        (b"", "The upstream answered with status 500."),
        (b"\xff\xfe{[\0", "The upstream answered with status 500."),
        (b'{"cut', "The upstream answered with status 500."),
        ({"error": {}}, "The upstream answered with status 500."),
        ({"error": {"message": "key sk-1 is bad"}}, "key … is bad"),
        ({"error": {"message": {"key": ["sk-1"]}}}, '{"key": ["…"]}'),
    ],
)
def test_other_bodies(body: Any, message: str) -> None:
    assert refuse(500, body).message == message


# The same in a stream.


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("end", [[], [DONE], [FINISH, DONE]], ids=["", "done", "finish"])
def test_an_error_frame_of_every_shape_fails_the_turn(shape: Any, end: list[Any]) -> None:
    events = run(make_turn(), lines(*contents("Half an"), shape, *end))
    assert text(events, OutputDelta) == "Half an"
    assert (type(events[-1]), events[-1].error.message) == (Failed, "boom")


@pytest.mark.parametrize(
    "frame",
    [
        [b"event: error", b"data: boom", b""],
        [b"event: error", b'data: {"message": "boom"}', b""],
        [b"event: error", b'data: "boom"', b""],
        [b"data: boom", b""],
        [b'data: "boom"', b""],
        [b'error: {"message": "boom"}', b""],
        [b'error: {"error": {"message": "boom"}}', b""],
        [b"Error: boom", b""],
        [b'{"error": {"message": "boom"}}', b""],
        lines({"choices": [{"delta": {"content": ""}, "error": {"message": "boom"}}]}),
        lines({"choices": [{"error": {"message": "boom"}, "finish_reason": "error"}]}),
        lines({"choices": [{"delta": {"error": {"message": "boom"}}}]}),
        lines({"choices": [{"delta": {}}], "error_code": 7, "error_msg": "boom"}),
        lines({"choices": [{"delta": {}}], "base_resp": {"status_code": 7, "status_msg": "boom"}}),
        [b"event: Exception", b'data: {"message": "boom"}', b""],
        [b'{"detail": "boom"}', b""],
        [b'{"object": "error", "message": "boom", "code": 500}', b""],
    ],
)
def test_an_error_that_is_no_object_fails_the_turn(frame: list[bytes]) -> None:
    for cut in (False, True):
        reads = [lines(*contents("Half an")), frame, lines(DONE)]
        if not cut:
            reads = [[line for read in reads for line in read]]
        events = run(make_turn(), *reads)
        assert text(events, OutputDelta) == "Half an"
        assert type(events[-1]) is Failed
        assert events[-1].error.message in ("boom", "boom.")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"Internal Server Error", "Internal Server Error."),
        (b"upstream connect error or reset", "upstream connect error or reset."),
        (b"<html><title>502</title>", "The upstream answered with a web page: 502."),
        (b"data: [ERROR] It broke", "[ERROR] It broke."),
    ],
)
def test_the_words_of_a_proxy_in_the_middle_of_a_stream_fail_the_turn(
    line: bytes, message: str
) -> None:
    failed = run(make_turn(), lines(*contents("Half an")), [line, b""], lines(DONE))[-1]
    assert (type(failed), failed.error.message) == (Failed, message)


def test_a_message_of_success_is_no_error() -> None:
    frames = [{"code": 0, "msg": "success"}, *contents("Hi"), FINISH, DONE]
    assert type(run(make_turn(), lines(*frames))[-1]) is Done


@pytest.mark.parametrize("cut", [b"d", b"data", b"data: [DON", b"da", b"event: err"])
def test_a_line_that_is_cut_is_no_error_of_the_server(cut: bytes) -> None:
    for before in ([], lines(*contents("Hi"))):
        failed = run(make_turn(), before, [cut])[-1]
        assert failed.error.code == "upstream_broke_off"


@pytest.mark.parametrize(
    "sign",
    [
        *(b"data: ping", b"data: PING", b"data: [PING]", b"data: ping 17", b"data: keepalive"),
        *(b"data: keep-alive", b"data: : keep-alive", b"data: heartbeat", b"data: {}", b"data:"),
        *(b"data: null", b"data: [1]", b": OPENROUTER PROCESSING", b"data: connected", b"retry: 1"),
        *(b'data: {"error": null}', b'data: {"error": ""}', b"unknown: field"),
    ],
)
def test_signs_of_life_are_no_errors(sign: bytes) -> None:
    events = run(make_turn(), lines(*contents("Hi")), [sign, b""], lines(*contents("!"), FINISH))
    assert (text(events, OutputDelta), type(events[-1])) == ("Hi!", Done)


@pytest.mark.parametrize("event", [b"ping", b"keepalive", b"heartbeat"])
def test_events_that_are_named_as_signs_of_life_say_nothing(event: bytes) -> None:
    frame = [b"event: " + event, b"data: 2026-11-26 20:00", b""]
    events = run(make_turn(), lines(*contents("Hi")), frame, lines(FINISH))
    assert type(events[-1]) is Done


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([b'[{"error": {"message": "boom"}}]'], "boom"),
        ([b'{"choices": null, "base_resp": {"status_code": 1, "status_msg": "boom"}}'], "boom"),
        ([b"Internal Server Error"], "Internal Server Error."),
    ],
)
def test_a_body_with_an_error_in_place_of_a_stream(body: list[bytes], message: str) -> None:
    assert run(make_turn(), body)[-1].error.message == message


def test_base_resp_of_a_good_chunk_is_no_error() -> None:
    good = {**contents("Hi")[0], "base_resp": {"status_code": 0, "status_msg": ""}}
    assert type(run(make_turn(), lines(good, FINISH))[-1]) is Done
    last = {"choices": [], "base_resp": {"status_code": 0, "status_msg": ""}}
    assert type(run(make_turn(), lines(*contents("Hi"), last, FINISH))[-1]) is Done


def test_keys_are_taken_out_of_error_frames() -> None:
    reader = ChatReader(redact=lambda message: message.replace("sk-1", "…"))
    events = run(make_turn(reader=reader), lines({"error": {"message": "key sk-1"}}))
    assert events[-1].error.message == "key …"


# Whose fault it is.

CONTENT: list[dict[str, Any]] = [
    {"message": "Your input was flagged.", "metadata": {"reasons": ["violence"]}},
    {"message": "moderation required", "code": 403},
    {"message": "x", "code": "unsupported_country_region_territory"},
    {"message": "User location is not supported for the API use."},
    {"message": "This model is not available in your region."},
    {"message": "Input data may contain inappropriate content.", "code": "data_inspection_failed"},
]


@pytest.mark.parametrize("error", CONTENT)
def test_a_403_about_content_or_region_is_the_callers(error: dict[str, Any]) -> None:
    refused = refuse(403, {"error": error})
    assert (refused.status, refused.blame, refused.cause) == (403, "caller", "content")
    assert (refused.message, refused.is_final) == (error["message"], False)
    events = run(make_turn(), lines({"error": {**error, "status": 403}}))
    assert (events[-1].error.status, events[-1].error.blame) == (403, "caller")


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_is_not_retried_by_clients(status: int) -> None:
    refused = refuse(status, {"error": {"message": "No sk-1 here", "code": "invalid_api_key"}})
    assert (refused.status, refused.blame, refused.cause) == (424, "upstream", "key")
    assert refused.is_final
    assert "sk-1" not in refused.message
    assert "A_KEY" in refused.message or status == 402
    events = run(make_turn(), lines({"error": {"message": "Wrong key", "code": status}}))
    assert (events[-1].error.status, events[-1].error.is_final) == (424, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("7", 7), ("7.66", 8), ("0.5", 1), ("0", 0), ("500ms", 1), ("1m30s", 90), ("6m0s", 360)],
        *[("", None), ("soon", None), ("-1", None), ("1e9", None), ("nan", None), ("³", None)],
        *[("9" * 400, None), ("20 s", None)],
    ],
)
def test_how_long_to_wait(text: str, seconds: int | None) -> None:
    assert read_wait(text) == seconds


@pytest.mark.parametrize(
    ("headers", "error", "seconds"),
    [
        ({"Retry-After": "7.66"}, {}, 8),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, {}, 2),
        ({}, {"details": [{"retryDelay": "34s"}]}, 34),
        ({}, {"retry_after": 3}, 3),
        ({"Retry-After": "5"}, {"retry_after": 3}, 5),
        ({}, {"retry_after": "later"}, None),
        ({}, {"metadata": {"headers": {"Retry-After": "9"}}}, 9),
        ({}, {"message": "Limit reached. Please try again in 7.66s. Visit us."}, 8),
        ({}, {"message": "Please try again in 6m0s."}, 360),
        ({}, {"message": "Please retry after 20 seconds."}, 20),
        ({}, {"message": "Please try again in 1 minute 30 seconds."}, 90),
        ({}, {"message": "Please retry in 250ms."}, 1),
        ({}, {"message": "Please try again in a while."}, None),
    ],
)
def test_where_a_server_says_how_long_to_wait(
    headers: dict[str, str], error: dict[str, Any], seconds: int | None
) -> None:
    assert refuse(429, {"error": {"message": "slow", **error}}, headers).retry_after_s == seconds
    flat = {"detail": {"message": "slow", **error}}
    assert refuse(503, flat, headers).retry_after_s == seconds


def test_a_rate_limit_as_an_error_frame_is_one() -> None:
    error = {"message": "slow down", "code": "rate_limit_exceeded", "retry_after": 2.5}
    failed = run(make_turn(), lines({"error": error}, DONE))[-1].error
    assert (failed.status, failed.retry_after_s, failed.message) == (429, 3, "slow down")


def test_half_a_character_where_an_object_belongs_is_an_unreadable_chunk() -> None:
    """No UTF-8 has half of a surrogate pair, so the error could not even be worded."""
    [fault] = ChatReader().feed([b'data: {"choices":[{"delta":"\\ud83d"}]}', b""])
    assert isinstance(fault, Fault)
    assert fault.code == "upstream_bad_chunk"
