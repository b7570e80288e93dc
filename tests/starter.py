"""Starts the gateway and the mock without the second or two that their imports take.

`python -m tests.starter` imports what they import, then forks for each start. The process that it
forks runs the same `__main__` as the command: gunicorn's master reads the settings, its workers
patch the standard library and build the app. Tests of the start itself run the command.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from werkzeug.routing import Rule

_OF_MASTER = (
    "gateway.cli.serve",
    "gunicorn.app.wsgiapp",
    "gateway.server.gunicorn_settings",
    "gateway.server.log",
    "gateway.server.worker",
)
_OF_WORKER_AND_MOCK = ("gateway.app", "gateway.mock.command")
_POLL_S = 0.01


class ForkedProcess:
    """A process that the starter has forked. It has what tests use of `subprocess.Popen`."""

    def __init__(self, args: Sequence[str], cwd: Path, env: dict[str, str], output: str) -> None:
        """args: `gateway` or `mock_upstream.py`, then options. It writes to the file `output`."""
        self.returncode: int | None = None
        self.pid: int = _starter().ask(
            [list(args), str(cwd), env, resource.getrlimit(resource.RLIMIT_NOFILE), output]
        )

    def poll(self) -> int | None:
        """Returns the exit status; a signal's number is negative. None if the process runs."""
        if self.returncode is None:
            self.returncode = _starter().ask(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit status. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(_POLL_S)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Starter:
    """The process that forks. It ends when its standard input does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.starter"],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()

    def ask(self, question: Any) -> Any:
        """Sends one line of JSON, and returns the answer."""
        ask, answers = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answers is not None
        with self._lock:
            print(json.dumps(question), file=ask, flush=True)
            return json.loads(answers.readline())

    def stop(self) -> None:
        self._process.communicate()


@functools.cache
def _starter() -> _Starter:
    starter = _Starter()
    atexit.register(starter.stop)
    return starter


def import_programs() -> None:
    """Imports what gunicorn's master does, and then, patched by gevent, what worker and mock do."""
    for name in _OF_MASTER:
        importlib.import_module(name)
    _omit_url_builders()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = "/"  # prometheus_client looks whether there is one
    with _patched():
        for name in _OF_WORKER_AND_MOCK:
            importlib.import_module(name)


def _omit_url_builders() -> None:
    """werkzeug compiles two functions for each route, which build its URL from parts.

    The gateway never asks for that, and they take most of the time to make an app.
    """
    setattr(Rule, "_compile_builder", lambda *_: lambda *_, **__: None)  # noqa: B010


@contextmanager
def _patched() -> Iterator[None]:
    """Lets gevent patch the standard library, as the worker and the mock do once they run.

    Patched threads would be known to the interpreter: of these it only replaces the names.
    """
    from gevent import get_hub, monkey

    # gevent looks for plug-ins 25 times, each time in the metadata of all installed packages.
    metadata.entry_points = functools.cache(metadata.entry_points)
    monkey.patch_all(thread=False)
    for name in ("_thread", "threading"):
        source = importlib.import_module(f"gevent.{name.lstrip('_')}")
        monkey.patch_module(sys.modules[name], source, _call_hooks=False)
    yield
    for name, items in monkey.saved.items():
        for item, original in items.items():
            if name in sys.modules:
                setattr(sys.modules[name], item, original)
    monkey.saved.clear()
    get_hub().destroy(destroy_loop=True)


def serve() -> None:
    """Forks for each line of standard input. Returns only in a process that it has forked."""
    for line in sys.stdin:
        question = json.loads(line)
        if isinstance(question, int):
            pid, status = os.waitpid(question, os.WNOHANG)
            _answer(os.waitstatus_to_exitcode(status) if pid else None)
        elif pid := os.fork():
            _answer(pid)
        else:
            _become(*question)
            return
    sys.exit()


def _answer(answer: int | None) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")


def _become(
    args: list[str], cwd: str, env: dict[str, str], open_files: tuple[int, int], output: str
) -> None:
    """Gives this process what a command has: arguments, environment, limits and files."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    importlib.reload(sys.modules["gunicorn.config"])  # it reads the environment
    sys.argv = args
    resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(output, os.O_WRONLY)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    for file in (nothing, log):
        os.close(file)


def run(program: str) -> None:
    """Runs what the command `python -m gateway` or `python mock_upstream.py` runs, and exits.

    The interpreter frees no memory before: a forked process would copy what all have imported, page
    by page. Everything else that is done at an exit is done. gunicorn's workers exit here too.
    """
    try:
        if program == "gateway":
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        status = ended.code or 0
    else:
        status = 0
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    import_programs()
    gc.freeze()  # no process need look through what all of them have imported
    serve()
    run(sys.argv[0])
