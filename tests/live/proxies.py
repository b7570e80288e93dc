"""nginx and HAProxy with the files of `deploy/`, in front of two real gateways, on free ports."""

import os
import re
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.programs import ROOT, Program, start_gateway

PROXIES = ("nginx", "haproxy")
_FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}


def find_proxy(name: str) -> str | None:
    """Returns the program's path. Debian installs it in /usr/sbin, which may not be in PATH."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def free_port() -> int:
    """Returns a port that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class ProxiedGateways:
    """Two gateways behind a proxy; a context manager."""

    def __init__(self, proxy: str, upstream_url: str, folder: Path, **settings: object) -> None:
        self._upstream_url = upstream_url
        self._settings = settings
        self._ports = [free_port(), free_port()]
        with ExitStack() as self._stack:
            self.gateways = [self._start(port) for port in self._ports]
            port = free_port()
            ports = {8080: port, 8081: self._ports[0], 8082: self._ports[1]}
            self.proxy = self._stack.enter_context(_run(proxy, folder, ports))
            self.url = f"http://127.0.0.1:{port}"
            self._stack = self._stack.pop_all()

    def restart(self, number: int) -> Program:
        """Restarts a gateway with SIGTERM, on the same port. Returns the one that was stopped."""
        old = self.gateways[number]
        old.process.terminate()
        old.process.wait(60)
        self.gateways[number] = self._start(self._ports[number])
        return old

    def output(self) -> str:
        """Returns the output of both gateways."""
        return "".join(gateway.output() for gateway in self.gateways)

    def __enter__(self) -> "ProxiedGateways":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self, port: int) -> Program:
        gateway = start_gateway(self._upstream_url, port=port, **self._settings)
        return self._stack.enter_context(gateway)


def _run(proxy: str, folder: Path, ports: dict[int, int]) -> Program:
    """Starts the proxy with the file of `deploy/`, in which only the ports are replaced."""
    text = (ROOT / "deploy" / _FILES[proxy]).read_text()
    for stated, port in ports.items():
        text, found = re.subn(rf"127\.0\.0\.1:{stated}\b", f"127.0.0.1:{port}", text)
        assert found == 1
    config = folder / _FILES[proxy]
    config.write_text(text)
    if proxy == "haproxy":
        return Program([find_proxy(proxy), "-W", "-f", str(config)], r"Loading success()")
    options = f"daemon off; pid {folder}/nginx.pid; {'user root;' * (os.getuid() == 0)}"
    options += "error_log stderr notice;"
    config.write_text(text.replace("error_log stderr warn;\n", ""))
    return Program(
        [find_proxy(proxy), "-c", str(config), "-g", options], r"(start worker process) "
    )
