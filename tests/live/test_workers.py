"""A dead worker is replaced and cuts only its own streams; gunicorn's -w sets their number."""

import http.client
import os
import signal
import threading
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import Stream, ask, parse_stream, request_body, wait_until
from tests.programs import Program, boot_gateway, start_gateway, workers_of

REST = chunked([*say("two"), FINISH, DONE])


def worker_of(gateway: Program, stream: Stream) -> int:
    """Returns the process id of the worker that serves this stream."""
    here, there = stream.connection.sock.getsockname()[1], urlsplit(gateway.url).port
    ends = f":{there:04X}", f":{here:04X}"
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    [inode] = [row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends]
    for pid in workers_of(gateway):
        links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        if f"socket:[{inode}]" in links:
            return pid
    raise AssertionError("no worker serves this stream")


def test_the_streams_of_other_workers_are_not_affected() -> None:
    gate = threading.Event()
    body = request_body("long", gateway={"format": "events"})
    with (
        Upstream() as upstream,
        start_gateway(upstream.url, web_concurrency=2) as gateway,
        ExitStack() as opened,
    ):
        wait_until(lambda: len(workers_of(gateway)) == 2)
        upstream.set_script("long", CHUNKED, *chunked(say("one "), end=False), gate, *REST)
        streams = defaultdict(list)

        def ask_one_more() -> bool:
            stream = opened.enter_context(ask(gateway.url, body))
            stream.read_until(lambda frame: frame.event == "final_output_delta")
            streams[worker_of(gateway, stream)].append(stream)
            return len(streams) == 2 and min(map(len, streams.values())) > 2

        wait_until(ask_one_more)
        killed, spared = streams
        os.kill(killed, signal.SIGKILL)
        gate.set()
        for stream in streams[spared]:
            result = parse_stream("events", stream.read_all())
            assert (result.answer, result.error) == ("one two", None)
        for stream in streams[killed]:
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                stream.read_all()  # the client can tell that the stream was cut
        wait_until(lambda: killed not in workers_of(gateway))
        wait_until(lambda: len(workers_of(gateway)) == 2)
        assert spared in workers_of(gateway)
        with ask(gateway.url, body) as stream:
            assert parse_stream("events", stream.read_all()).error is None


def test_gunicorn_s_own_option_sets_the_number_of_workers(mock_url: str) -> None:
    with boot_gateway(mock_url, "-w", "2", web_concurrency=1) as gateway:
        wait_until(lambda: len(workers_of(gateway)) == 2)
        with ask(gateway.url, request_body("default@tps=0", gateway={"format": "events"})) as s:
            assert parse_stream("events", s.read_all()).error is None
