"""A page behind HAProxy and two hosts with Redis: the host that runs its turn goes away."""

import os
import signal
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from tests.live.proxies import ProxiedGateways, find_proxy
from tests.live.wire import get_json, wait_until
from tests.machine import PATIENCE_S
from tests.programs import workers_of
from tests.redis_server import RedisServer, needs_redis

pytestmark = [
    needs_redis,
    pytest.mark.skipif(find_proxy("haproxy") is None, reason="haproxy is not installed"),
]
PROMPT = "Explain streaming APIs"


@pytest.fixture(scope="module")
def hosts(mock_url, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("haproxy")
    with (
        RedisServer() as redis,
        ProxiedGateways("haproxy", mock_url, folder, stream_store=redis.url) as hosts,
    ):
        yield hosts


@pytest.fixture
def gateway_url(hosts):
    return f"{hosts.url}/"


def runs_the_turn(hosts):
    """The number of the gateway that runs the turn."""

    def find():
        for number, gateway in enumerate(hosts.gateways):
            if get_json(f"{gateway.url}/health")["open_streams"]:
                return number + 1
        return None

    return wait_until(find, PATIENCE_S) - 1


def reload(demo, times):
    for _ in range(times):
        demo.page.wait_for_timeout(200)
        demo.page.reload()
        expect(demo.turns).to_have_count(1)


def test_a_turn_goes_on_through_five_reloads_and_the_stop_of_its_host(demo, hosts):
    demo.ask(PROMPT, model="default@tps=35")
    number = runs_the_turn(hosts)
    reload(demo, 2)
    hosts.gateways[number].process.terminate()
    reload(demo, 3)
    expect(demo.status).to_contain_text("Done in", timeout=PATIENCE_S * 1000)
    expect(demo.error).to_be_hidden()
    hosts.restart(number)

    body = {"model": "default@tps=2000", "messages": [{"role": "user", "content": PROMPT}]}
    url = f"{hosts.gateways[number].url}/plain/v1/chat/completions"
    whole = requests.post(url, json=body, timeout=60).json()["choices"][0]["message"]["content"]
    shown = demo.page.evaluate("JSON.parse(sessionStorage.conversation ?? '[]')[0].answer")
    assert shown == whole


def test_a_turn_whose_host_dies_keeps_what_it_said_and_tells_it(demo, hosts):
    demo.ask(PROMPT, model="long-thinking@tps=20")
    expect(demo.trace).not_to_be_empty()
    number = runs_the_turn(hosts)
    gateway = hosts.gateways[number]
    for process in (gateway.process.pid, *workers_of(gateway)):
        os.kill(process, signal.SIGKILL)
    demo.page.reload()
    expect(demo.error).to_contain_text("has stopped", timeout=PATIENCE_S * 1000)
    expect(demo.trace).not_to_be_empty()
    hosts.restart(number)
