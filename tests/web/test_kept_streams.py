"""Streams that are kept: read again in every format, stopped, forgotten; and kept responses."""

import io
import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest
import responses
from flask.testing import FlaskClient

from gateway.apis import DIALECTS
from gateway.config import KeyConfig
from tests.core.scripted import DONE, FINISH, contents, delta
from tests.web.conftest import answers, sent, sse, typed_events
from tests.web.test_answer_now import Pausing

MakeClient = Callable[..., FlaskClient]
Mock = responses.RequestsMock
COMPLETIONS = "http://upstream.test/v1/chat/completions"
ANSWER = (delta(reasoning_content="I add one and one. It is two."), *contents("It ", "is two."))
PATHS = {"responses": "/v1/responses", "messages": "/v1/messages", "ollama": "/api/chat"}
KEYS = {
    "keys": (KeyConfig(name="one", key="key-one"), KeyConfig(name="other", key="key-other")),
}


def ask(client: FlaskClient, format: str = "events", **more: Any) -> Any:
    """Asks for a kept stream in a format."""
    messages = [{"role": "user", "content": "What is 1+1?"}]
    body: dict[str, Any] = {"model": "m", "stream": True, "gateway": {"keep": True}}
    body |= {"input": messages} if format == "responses" else {"messages": messages}
    body |= {"max_tokens": 100} if format == "messages" else {}
    path = PATHS.get(format, f"/{format}/v1/chat/completions")
    return client.post(path, json=body | more)


def respond(client: FlaskClient, **more: Any) -> Any:
    """Asks for a response."""
    return client.post("/v1/responses", json={"model": "m", "input": "What is 1+1?", **more})


def pauses(upstream: Mock, *first: Any) -> Pausing:
    """The upstream sends these frames, and the rest once it is told to go on."""
    body = Pausing(sse(*first), sse(*contents("It ", "is two."), FINISH, DONE))
    upstream.post(COMPLETIONS, body=io.BufferedReader(body), content_type="text/event-stream")
    return body


def error_of(response: Any) -> tuple[int, str | None, str]:
    error = response.get_json()["error"]
    return response.status_code, error["code"], error["message"]


@pytest.mark.parametrize("format", DIALECTS)
def test_a_kept_stream_reads_again_as_it_was(
    client: FlaskClient, upstream: Mock, format: str
) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    first = ask(client, format)
    whole = first.get_data()
    again = client.get(f"/v1/streams/{first.headers['X-Stream-Id']}")
    assert (again.status_code, again.content_type) == (200, first.content_type)
    assert again.get_data() == whole


@pytest.mark.parametrize("format", DIALECTS)
def test_what_follows_an_event_completes_what_came_before_it(
    client: FlaskClient, upstream: Mock, format: str
) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    id = (first := ask(client)).headers["X-Stream-Id"]
    events = first.get_data().count(b"\nevent: ")
    last = max(int(line[4:]) for line in first.text.split("\n") if line.startswith("id: "))
    assert events > 3
    path = f"/v1/streams/{id}?format={format}"
    whole = client.get(path).get_data()
    rests = [client.get(f"{path}&after={n}").get_data() for n in range(last + 1)]
    assert all(whole.endswith(rest) for rest in rests)
    assert [len(rest) for rest in rests] == sorted(map(len, rests), reverse=True)
    assert rests[-1] == b""


def test_a_turn_goes_on_without_its_client(client: FlaskClient, upstream: Mock) -> None:
    body = pauses(upstream, *ANSWER[:1])
    response = ask(client)
    stream = response.iter_encoded()
    assert b"prompt_summary" in next(stream)
    response.close()
    reader = gevent.spawn(client.get, f"/v1/streams/{response.headers['X-Stream-Id']}")
    body.is_waiting.wait(5)
    body.goes_on.set()
    reader.join(5)
    text = reader.value.get_data(as_text=True)
    assert "is two." in text
    assert text.rstrip().rsplit("\n\n", 1)[1].split("\n")[1] == "event: done"


def test_without_keep_a_turn_ends_with_its_client_and_cannot_be_read(
    client: FlaskClient, upstream: Mock
) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    response = ask(client, gateway={})
    response.get_data()
    read = client.get(f"/v1/streams/{response.headers['X-Stream-Id']}")
    assert error_of(read)[:2] == (404, "stream_not_found")


def test_keep_streams_keeps_every_turn_but_those_that_refuse(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(keep_streams=True)
    for gateway, status in (({}, 200), ({"keep": False}, 404)):
        answers(upstream, *ANSWER, FINISH, DONE)
        response = ask(client, gateway=gateway)
        response.get_data()
        assert client.get(f"/v1/streams/{response.headers['X-Stream-Id']}").status_code == status


def test_a_stream_that_is_stopped_ends_for_its_readers(client: FlaskClient, upstream: Mock) -> None:
    body = pauses(upstream, *ANSWER[:1])
    response = ask(client)
    stream = response.iter_encoded()
    next(stream)
    path = f"/v1/streams/{response.headers['X-Stream-Id']}"
    body.is_waiting.wait(5)
    assert client.delete(path).get_json()["status"] == "stopped"
    rest = b"".join(stream).decode()
    assert '"code":"cancelled"' in rest
    assert rest.rstrip().endswith(client.get(path).text.rstrip().rsplit("\n\n", 1)[1])
    assert client.delete(path).get_json()["status"] == "forgotten"
    assert client.get(path).status_code == 404


def test_another_key_finds_nothing(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**KEYS)
    answers(upstream, *ANSWER, FINISH, DONE)
    own, other = ({"Authorization": f"Bearer key-{name}"} for name in ("one", "other"))
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "m", "messages": messages, "stream": True, "gateway": {"keep": True}}
    response = client.post("/v1/chat/completions", json=body, headers=own)
    response.get_data()
    path = f"/v1/streams/{response.headers['X-Stream-Id']}"
    unknown = error_of(client.get(path, headers=other))
    assert unknown[:2] == (404, "stream_not_found")
    assert client.delete(path, headers=other).status_code == 404
    assert client.get(path).status_code == 401
    assert client.get(path, headers=own).status_code == 200


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?after=x", {}, 400),
        ("?after=-1", {}, 400),
        ("?after=1000", {}, 400),
        ("?format=bare", {}, 400),
        ("", {"Last-Event-ID": "a:1"}, 400),
        ("?last_event_id=1", {}, 200),
        ("", {"Last-Event-ID": "1"}, 200),
    ],
)
def test_the_place_to_read_from_is_checked(
    client: FlaskClient, upstream: Mock, query: str, headers: dict[str, str], status: int
) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    response = ask(client)
    response.get_data()
    path = f"/v1/streams/{response.headers['X-Stream-Id']}{query}"
    assert client.get(path, headers=headers).status_code == status


def test_an_event_source_is_told_that_nothing_follows(client: FlaskClient, upstream: Mock) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    response = ask(client)
    last = [line[4:] for line in response.text.split("\n") if line.startswith("id: ")][-1]
    path = f"/v1/streams/{response.headers['X-Stream-Id']}"
    assert client.get(path, headers={"Last-Event-ID": last}).status_code == 204
    assert client.get(f"{path}?after={last}").status_code == 200


@pytest.mark.parametrize("parameter", ["after", "last_event_id"])
def test_an_event_source_that_comes_back_reads_on_from_where_it_was(
    client: FlaskClient, upstream: Mock, parameter: str
) -> None:
    """It comes back to the address of its first request, which names an earlier event."""
    answers(upstream, *ANSWER, FINISH, DONE)
    response = ask(client)
    last = [line[4:] for line in response.text.split("\n") if line.startswith("id: ")][-1]
    path = f"/v1/streams/{response.headers['X-Stream-Id']}?{parameter}=1"
    assert client.get(path, headers={"Last-Event-ID": last}).status_code == 204
    again = client.get(path, headers={"Last-Event-ID": str(int(last) - 1)})
    assert again.text.startswith(f"id: {last}\n")


def test_the_oldest_streams_make_room(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(max_kept_bytes=8000)
    ids = []
    for _ in range(4):
        answers(upstream, *ANSWER, FINISH, DONE)
        ids.append((response := ask(client)).headers["X-Stream-Id"])
        response.get_data()
    found = [client.get(f"/v1/streams/{id}").status_code for id in ids]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (404, 200)
    assert client.get("/health").get_json()["workers"][0]["kept_bytes"] <= 8000


def test_a_stream_that_takes_all_the_memory_fails(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(max_kept_bytes=5000)
    pauses(upstream, *contents(*["word " * 100] * 50))
    assert '"code":"kept_too_long"' in ask(client).text


# --- Responses ------------------------------------------------------------------------------------


def test_a_background_response_is_queued_and_then_completed(
    client: FlaskClient, upstream: Mock
) -> None:
    body = pauses(upstream, *ANSWER[:1])
    queued = respond(client, background=True).get_json()
    path = f"/v1/responses/{queued['id']}"
    assert (queued["status"], queued["background"], queued["store"]) == ("queued", True, True)
    body.is_waiting.wait(5)
    assert client.get(path).get_json()["status"] == "in_progress"
    assert error_of(client.delete(path))[2] == "Cannot delete an in-flight response."
    body.goes_on.set()
    client.get(f"/v1/streams/{queued['id'].removeprefix('resp_')}").get_data()  # to its end
    done = client.get(path).get_json()
    assert (done["status"], done["output"][-1]["content"][0]["text"]) == ("completed", "It is two.")
    assert client.get(f"{path}?stream=true").status_code == 400  # it was not asked for as a stream
    assert error_of(client.post(f"{path}/cancel"))[2] == "Cannot cancel a completed response."
    deleted = client.delete(path).get_json()
    assert deleted == {"id": queued["id"], "object": "response.deleted", "deleted": True}
    assert error_of(client.get(path))[2] == f"Response with id '{queued['id']}' not found."


def test_a_background_stream_is_read_from_any_event(client: FlaskClient, upstream: Mock) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    events = typed_events(respond(client, background=True, stream=True))
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    assert events[0]["response"]["status"] == "queued"
    path = f"/v1/responses/{events[0]['response']['id']}?stream=true"
    assert typed_events(client.get(path)) == events
    for after in range(len(events)):
        assert typed_events(client.get(f"{path}&starting_after={after}")) == events[after + 1 :]


def test_a_cancelled_response_has_no_output(client: FlaskClient, upstream: Mock) -> None:
    body = pauses(upstream, *ANSWER[:1])
    stream = (asked := respond(client, background=True, stream=True)).iter_encoded()
    id = json.loads(next(stream).decode().split("data: ")[1].split("\n")[0])["response"]["id"]
    body.is_waiting.wait(5)
    for _ in range(2):
        cancelled = client.post(f"/v1/responses/{id}/cancel").get_json()
        assert (cancelled["status"], cancelled["output"]) == ("cancelled", [])
        assert cancelled["error"] is None
    *_, last = b"".join(stream).decode().strip().split("\n\n")
    assert last.startswith("event: response.failed")
    assert json.loads(last.split("data: ")[1])["response"]["status"] == "cancelled"
    asked.close()


def test_a_stored_response_is_found_once_it_has_ended(client: FlaskClient, upstream: Mock) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    whole = respond(client).get_json()
    assert client.get(f"/v1/responses/{whole['id']}").get_json() == whole
    assert client.get(f"/openai/v1/responses/{whole['id']}").get_json() == whole
    refused = error_of(client.get(f"/v1/responses/{whole['id']}?stream=true"))
    assert "not created with background=true" in refused[2]
    cancel = error_of(client.post(f"/v1/responses/{whole['id']}/cancel"))
    assert cancel[2] == "Cannot cancel a synchronous response."


def test_what_is_not_to_be_stored_is_not(client: FlaskClient, upstream: Mock) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    body = respond(client, store=False).get_json()
    assert body["store"] is False
    assert client.get(f"/v1/responses/{body['id']}").status_code == 404


def test_a_conversation_goes_on_from_a_stored_response(client: FlaskClient, upstream: Mock) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    first = respond(client, instructions="Be brief.").get_json()
    answers(upstream, *ANSWER, FINISH, DONE)
    second = respond(client, input="And 2+2?", previous_response_id=first["id"]).get_json()
    assert second["previous_response_id"] == first["id"]
    said = [(m["role"], m["content"]) for m in sent(upstream)["messages"]]
    assert said == [
        ("user", "What is 1+1?"),
        ("assistant", "It is two."),
        ("user", "And 2+2?"),
    ]
    items = client.get(f"/v1/responses/{second['id']}/input_items?order=asc").get_json()
    texts = [item["content"][0]["text"] for item in items["data"] if item["type"] == "message"]
    assert texts == ["What is 1+1?", "It is two.", "And 2+2?"]
    unknown = error_of(respond(client, previous_response_id="resp_none"))
    assert unknown[:2] == (404, "previous_response_not_found")


def test_input_items_come_in_pages(client: FlaskClient, upstream: Mock) -> None:
    answers(upstream, *ANSWER, FINISH, DONE)
    items = [{"role": "user", "content": f"item {n}"} for n in range(5)]
    path = f"/v1/responses/{respond(client, input=items).get_json()['id']}/input_items"
    newest = client.get(f"{path}?limit=2").get_json()
    assert [i["content"][0]["text"] for i in newest["data"]] == ["item 4", "item 3"]
    assert newest["has_more"] is True
    rest = client.get(f"{path}?after={newest['last_id']}").get_json()
    assert (len(rest["data"]), rest["has_more"]) == (3, False)
    for query in ("limit=0", "limit=101", "order=x"):
        assert client.get(f"{path}?{query}").status_code == 400
    for name in ("after", "before"):
        refused = error_of(client.get(f"{path}?{name}=msg_none"))
        assert refused[0] == 400
        assert "msg_none" in refused[2]
    before = client.get(f"{path}?before={newest['last_id']}").get_json()
    assert [i["content"][0]["text"] for i in before["data"]] == ["item 4"]
