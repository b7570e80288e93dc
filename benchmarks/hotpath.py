"""Measures what a token costs in the core, without sockets, greenlets and HTTP.

    python benchmarks/hotpath.py            # CPU time, µs a token
    python benchmarks/hotpath.py --count    # instructions a token, under valgrind
    python benchmarks/hotpath.py --check    # the same, against benchmarks/hotpath.json: for CI
    python benchmarks/hotpath.py --record   # writes that file

Each step is timed with 1, 8, 64 and 250 frames per read. CPU time on a shared machine can't show a
change of 15 %, so CI counts instructions. They are divided by those of a fixed loop in the same
process, because every build of Python needs a different number.
"""

import argparse
import gc
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).parent.parent))

from gateway.apis import DIALECTS, Answer
from gateway.config import Config, Format, ReasoningMode
from gateway.core.events import Event, OutputDelta, ReasoningDelta
from gateway.core.families import Families
from gateway.core.reading import Reading
from gateway.core.sse import Decoder
from gateway.core.steady import Feeder
from gateway.core.summarizers import SUMMARIZERS
from gateway.core.turn import Turn
from gateway.transport.chunked import ChunkedDecoder
from gateway.upstreams.chat_reader import ChatReader

FRAMES_A_READ = (1, 8, 64, 250)
COUNTED = (1, 64)
"""The sizes for --count, which takes fifty times as long."""
TOKENS = 1000
"""Half of them are reasoning, half are answer."""
RECORD = Path(__file__).with_name("hotpath.json")
MAX_GROWTH = 0.15
_REPEATS = 5
_MARK = "getppid"
"""A libc call that nothing else makes. valgrind writes its counts at each call."""

_THOUGHT = """We need the number of primes between 100 and 200. First, list the odd numbers that are
not multiples of 3, 5 or 7. "Check" 101: not divisible by 2, 3, 5, 7, so it is prime.

So the candidates are 101, 103, 107, 109 and 113. Wait, 119 = 7 * 17, so it is not prime. Therefore
the list goes on with 127, 131, 137, 139, 149 and 151. That makes twenty-one primes in all – let me
count them once more to be sure.
"""

Step = Callable[[], object]


def pieces(count: int) -> list[str]:
    """Returns `count` tokens of English."""
    words = re.findall(r"\s?[^\s]{1,6}|\n+", _THOUGHT)
    return list(itertools.islice(itertools.cycle(words), count))


def chunk(text: str) -> bytes:
    """Returns a token as a chunk of vLLM."""
    delta = json.dumps({"content": text}, ensure_ascii=False, separators=(",", ":"))
    return (
        '{"id":"chatcmpl-3f2a9c0d7b6e4158a1d2c3b4e5f60718","object":"chat.completion.chunk",'
        '"created":1763688400,"model":"any-model","choices":[{"index":0,"delta":'
        f'{delta},"logprobs":null,"finish_reason":null,"token_ids":null}}]}}'
    ).encode()


def texts() -> list[str]:
    """Returns the tokens of the whole answer."""
    half = TOKENS // 2
    return ["<think>", *pieces(half), "</think>", *pieces(half)]


def reads(frames: int) -> list[list[bytes]]:
    """Returns the lines of each read."""
    chunks = [chunk(text) for text in texts()]
    return [
        [line for data in some for line in (b"data: " + data, b"")]
        for some in grouped(chunks, frames)
    ]


def padded(frames: int) -> list[list[bytes]]:
    """Returns the same lines, each frame with a different padding, as OpenAI sends them.

    Such frames have no template, so each needs the full parser.
    """
    return [
        [
            line[:-1] + b',"obfuscation":"%d"}' % (at * frames + i) if line else line
            for i, line in enumerate(lines)
        ]
        for at, lines in enumerate(reads(frames))
    ]


def joined(frames: int) -> list[str]:
    """Returns the text of each read."""
    return ["".join(some) for some in grouped(texts()[1:-1], frames)]


def grouped(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def turn(reasoning: ReasoningMode) -> Turn:
    made = Turn(
        started=0.0,
        prompt_summary="How many primes are there?",
        reasoning=reasoning,
        source=lambda upstream, model: Reading(
            ChatReader(), Families(Config()).reading(upstream, model, {}, None)
        ),
        summarizer=SUMMARIZERS["extractive"]("How many primes are there?", 60),
    )
    made.call("upstream", "any-model")
    return made


def steps(frames: int) -> Iterator[tuple[str, Step]]:
    """Yields each step of the core, then all steps together, for one answer."""
    lines, joints = reads(frames), joined(frames)
    without_template = padded(frames)
    body = [
        b"".join(b"%x\r\n%s\n\n\r\n" % (len(line) + 2, line) for line in read if line)
        for read in lines
    ]
    yield "dechunk", lambda: feed_all(ChunkedDecoder(), body)
    yield "decoder", lambda: feed_all(Decoder(), lines)
    yield "reader", lambda: feed_all(ChatReader(), lines)
    yield "reader, full parse", lambda: feed_all(ChatReader(), without_template)
    splitter = Families(Config()).find("any-model").splitter
    yield "splitter", lambda: feed_all(splitter(), ["<think>", *joints])
    yield "summarizer", lambda: feed_all(SUMMARIZERS["extractive"]("", 60), joints)
    deltas: list[list[Event]] = [[OutputDelta(text)] for text in joints]
    for format in get_args(Format):
        yield f"dialect {format}", lambda f=format: encode_all(f, "summary", deltas)
    traces: list[list[Event]] = [[ReasoningDelta(text)] for text in joints]
    yield "dialect openai, trace", lambda: encode_all("openai", "raw", traces)
    yield "all, phased", lambda: whole("phased", "summary", lines)
    yield "all, openai raw", lambda: whole("openai", "raw", lines)
    for format in DIALECTS:
        yield f"fast path, {format} raw", lambda f=format: fast(f, "raw", body)


def feed_all(machine: Any, batches: list[Any]) -> None:
    for batch in batches:
        machine.feed(batch)


def encode_all(format: Format, reasoning: ReasoningMode, batches: list[list[Event]]) -> None:
    dialect = DIALECTS[format](Answer("id", "any-model", 0, reasoning))
    for number, events in enumerate(batches, 1):
        dialect.encode(number, events)


def whole(format: Format, reasoning: ReasoningMode, batches: list[list[bytes]]) -> None:
    """From the lines of each read to the bytes for the client."""
    machine = turn(reasoning)
    dialect = DIALECTS[format](Answer("id", "any-model", 0, reasoning))
    dialect.encode(1, machine.start(0.0))
    for lines in batches:
        dialect.encode(2, machine.feed(lines, 1.0))


def fast(format: str, reasoning: ReasoningMode, body: list[bytes]) -> None:
    """From the HTTP chunks of each read to the client's bytes, as the callback driver does it."""
    machine = turn(reasoning)
    dialect = DIALECTS[format](Answer("id", "any-model", 0, reasoning))
    dialect.begin()
    dialect.encode(1, machine.start(0.0))
    decoder = ChunkedDecoder()
    feeder = Feeder(
        machine, lambda data: decoder.feed(data).splitlines(), lambda: decoder.at_boundary
    )
    for number, data in enumerate(body, 2):
        dialect.encode(number, feeder.feed(data, 1.0))


def calibration() -> int:
    """A fixed loop of typical Python work, independent of the gateway's code."""
    total = 0
    for number in range(2000):
        text = f"{number} of some"
        total += len(text.split(" ")) + {"a": number}["a"]
    return total


def time_all() -> dict[str, dict[int, float]]:
    """Step → frames per read → µs per token, the best of five runs."""
    found: dict[str, dict[int, float]] = {}
    for frames in FRAMES_A_READ:
        for name, step in steps(frames):
            best = min(_cpu_s(step) for _ in range(_REPEATS))
            found.setdefault(name, {})[frames] = best / TOKENS * 1e6
    return found


def _cpu_s(step: Step) -> float:
    gc.collect()
    began = time.process_time()
    step()
    return time.process_time() - began


def count_all() -> dict[str, dict[int, float]]:
    """Step → frames per read → instructions per token, in rounds of the calibration loop."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--dump-before={_MARK}"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__, "--marked"]
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        counts = [_count(Path(f"{folder}/out.{i + 1}")) for i in range(done.stdout.count("\n"))]
    counted = dict(zip(done.stdout.splitlines(), counts, strict=True))
    del counted["between"]
    unit = counted.pop("calibration") / 2000
    found: dict[str, dict[int, float]] = {}
    for label, instructions in counted.items():
        name, frames = label.rsplit(" ", 1)
        found.setdefault(name, {})[int(frames)] = round(instructions / TOKENS / unit, 2)
    return found


def run_marked() -> None:
    """Runs under valgrind, with a mark before and after each step. Prints a line for each dump."""
    gc.disable()
    cases: list[tuple[str, Step]] = [("calibration", calibration)]
    cases += [(f"{n} {frames}", step) for frames in COUNTED for n, step in steps(frames)]
    for name, step in cases:
        step()  # compiles patterns and fills caches
        os.getppid()
        step()
        os.getppid()
        print(f"between\n{name}")


def _count(dump: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def show(found: dict[str, dict[int, float]], unit: str) -> None:
    sizes = next(iter(found.values()))
    print(f"{unit + ', by frames per read':50}" + "".join(f"{n:>8}" for n in sizes))
    for name, figures in found.items():
        print(f"{name:50}" + "".join(f"{figures[n]:8.2f}" for n in sizes))


def compare(found: dict[str, dict[int, float]]) -> int:
    """Returns the exit status: 1 if a step exceeds the record by more than MAX_GROWTH."""
    recorded = json.loads(RECORD.read_text())
    grown = [
        f"{name}, {frames} frames per read: {was:.2f} → {found[name][int(frames)]:.2f}"
        for name, figures in recorded.items()
        for frames, was in figures.items()
        if found[name][int(frames)] > was * (1 + MAX_GROWTH)
    ]
    if grown:
        print(f"\nInstructions per token grew by more than {MAX_GROWTH:.0%}:", *grown, sep="\n  ")
        print("If that is intended, run benchmarks/hotpath.py --record and say why in the commit.")
    return 1 if grown else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for option in ("count", "check", "record", "marked"):
        parser.add_argument(f"--{option}", action="store_true")
    asked = parser.parse_args()
    if asked.marked:
        run_marked()
        return 0
    if not (asked.count or asked.check or asked.record):
        show(time_all(), "µs of CPU time per token")
        return 0
    if not shutil.which("valgrind"):
        sys.exit("Counting instructions needs valgrind, which is not installed.")
    found = count_all()
    show(found, "instructions per token (1: a round of a fixed loop)")
    if asked.record:
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    return compare(found) if asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
