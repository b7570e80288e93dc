"""The README's curl command prints what the README shows."""

import re
import shutil
import subprocess

import pytest

from tests.programs import ROOT

NUMBERS = re.compile(r'"(ttft_ms|\w+_ms)":\d+')


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_curl_command_prints_the_shown_output(gateway_url: str) -> None:
    readme = (ROOT / "README.md").read_text()
    command, shown = re.search(r"```sh\n(curl .*?)```\n```\n(.*?)```", readme, re.DOTALL).groups()
    command = command.replace("http://127.0.0.1:8080", gateway_url)
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    head, tail = NUMBERS.sub(r'"\1":0', shown).split("…\n")
    printed = NUMBERS.sub(r'"\1":0', run.stdout)
    assert printed.startswith(head)
    assert printed.rstrip("\n").endswith(tail.rstrip("\n"))
