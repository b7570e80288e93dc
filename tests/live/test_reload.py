"""SIGHUP reads gateway.toml again; no stream is dropped, and an invalid file changes nothing."""

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_upstreams import EVENTS, GOOD, gateway_with, table
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import ask, get_json, logged_turn, parse_stream, request_body, wait_until
from tests.machine import PATIENCE_S
from tests.programs import Program

INVALID = {
    "not TOML": ("[[upstreams", "line 1: "),
    "an unknown key": ("prot = 1", "line 1: prot: no such setting; did you mean port?"),
    "a bad value": (
        '[[upstreams]]\nname = "a"\nurl = "nope"',
        "line 3: upstreams[0].url: 'nope' is not an address",
    ),
    "a key that is not set": (
        '[[upstreams]]\nname = "a"\nurl = "http://a.test"\napi_key_env = "NO_SUCH_KEY"',
        "line 4: upstreams[0].api_key_env: the environment has no NO_SUCH_KEY",
    ),
    "an unknown family": ('[[models]]\nmatch = "m"\nfamily = "nope"', "'nope'"),
    "an unknown summarizer": ('summarizer = "nope"', "nope"),
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.set_script("m", *GOOD)
        yield upstream


def reload(gateway: Program, tmp_path: Path, text: str) -> None:
    """Gives the master a new file and waits until a new worker has started."""
    (tmp_path / "gateway.toml").write_text(text)
    old = workers(gateway)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: workers(gateway) - old)


def workers(gateway: Program) -> set[str]:
    """The process ids of all workers that were ever started."""
    return set(re.findall(r"Booting worker with pid: (\d+)", gateway.output()))


def upstreams(gateway: Program) -> list[str]:
    return [upstream["name"] for upstream in get_json(f"{gateway.url}/health")["upstreams"]]


def test_open_streams_continue_and_new_ones_use_the_new_file(
    tmp_path: Path, upstream: Upstream
) -> None:
    more = threading.Event()
    rest = chunked([*say("two"), FINISH, DONE])
    upstream.set_script("long", CHUNKED, *chunked(say("one "), end=False), more, *rest)
    with gateway_with(tmp_path, table("old", upstream.url), web_concurrency=2) as gateway:
        with ask(gateway.url, request_body("long", **EVENTS), request_id="long") as stream:
            stream.read_until(lambda frame: frame.event == "final_output_delta")
            for name in ("new", "newer"):
                reload(gateway, tmp_path, table(name, upstream.url))
                wait_until(lambda name=name: upstreams(gateway) == [name])
                for number in range(5):
                    request_id = f"{name}-{number}"
                    body = request_body("m", **EVENTS)
                    with ask(gateway.url, body, request_id=request_id) as other:
                        assert parse_stream("events", other.read_all()).answer == "Hi!"
                    assert logged_turn(gateway, request_id)["upstream"] == name
            more.set()
            said = parse_stream("events", stream.read_all())
        assert (said.answer, said.error) == ("one two", None)
        assert logged_turn(gateway, "long")["upstream"] == "old"
        wait_until(lambda: len([pid for pid in workers(gateway) if alive(pid)]) == 2)


def alive(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_an_invalid_file_changes_nothing_and_logs_one_line(
    tmp_path: Path, upstream: Upstream
) -> None:
    with gateway_with(tmp_path, table("old", upstream.url)) as gateway:
        for text, sentence in INVALID.values():
            before = len(gateway.output())
            reload(gateway, tmp_path, text)
            lines = [line for line in gateway.output()[before:].splitlines() if sentence in line]
            assert len(lines) == 1
            assert json.loads(lines[0])["event"].endswith("The settings stay as they were.")
            with ask(gateway.url, request_body("m", **EVENTS)) as stream:
                assert parse_stream("events", stream.read_all()).answer == "Hi!"
            assert upstreams(gateway) == ["old"]

        # A worker that dies now is replaced by one with the previous settings.
        for pid in filter(alive, workers(gateway)):
            os.kill(int(pid), signal.SIGKILL)
        with ask(gateway.url, request_body("m", **EVENTS)) as stream:
            assert parse_stream("events", stream.read_all()).answer == "Hi!"
        assert upstreams(gateway) == ["old"]


def test_no_request_is_lost_during_a_reload(tmp_path: Path, upstream: Upstream) -> None:
    stop = threading.Event()
    fates: list[str] = []

    def ask_on() -> None:
        while not stop.is_set():
            with ask(gateway.url, request_body("m", **EVENTS)) as stream:
                fates.append(parse_stream("events", stream.read_all()).answer)

    file = table("a", upstream.url)
    with gateway_with(tmp_path, file, web_concurrency=2) as gateway:
        askers = [threading.Thread(target=ask_on) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            for _ in range(3):
                reload(gateway, tmp_path, file)
                seen = len(fates)
                wait_until(lambda seen=seen: len(fates) > seen + 20)
        finally:
            stop.set()
            for asker in askers:
                asker.join(20)
    assert set(fates) == {"Hi!"}


def test_the_master_handles_signals_while_old_streams_continue(
    tmp_path: Path, upstream: Upstream
) -> None:
    """It replaces dead workers, and a second signal stops everything at once."""
    upstream.set_script("endless", CHUNKED, *chunked(say("one"), end=False), threading.Event())
    file = table("a", upstream.url)
    with gateway_with(tmp_path, file, drain_timeout_s=60) as gateway:
        before = workers(gateway)
        with ask(gateway.url, request_body("endless", **EVENTS)) as stream:
            stream.read_until(lambda frame: frame.event == "final_output_delta")
            reload(gateway, tmp_path, file)
            [new] = workers(gateway) - before
            os.kill(int(new), signal.SIGKILL)
            wait_until(lambda: workers(gateway) - before - {new})
            with ask(gateway.url, request_body("m", **EVENTS)) as other:
                assert parse_stream("events", other.read_all()).answer == "Hi!"
            gateway.process.terminate()
            gateway.wait_for("Handling signal: term")
            gateway.process.send_signal(signal.SIGQUIT)
            gateway.process.wait(PATIENCE_S)
