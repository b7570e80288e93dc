"""Measures the quality of the summaries on your own traces.

    python benchmarks/summaries.py traces.jsonl            # or a folder of .jsonl files
    python benchmarks/summaries.py traces.jsonl --show 10  # and ten summaries to read

One JSON object a line: `prompt`, `reasoning` and `answer`, and if you like `id`, `model` and
`domain`. The table sets the extractive summarizer beside KL-Sum and the first sentences; the
interval of a difference is a paired bootstrap over the traces. `docs/summaries.md` says what is
measured.
"""

import argparse
import itertools
import json
import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from summary_measures import (
    Trace,
    churn,
    content,
    measure,
    meta_talk,
    reasoning_tokens,
    sentences,
    tokens,
    words,
)

from gateway.core.summarizers import SUMMARIZERS, prompt_of
from gateway.core.summarizers.text import stem

BUDGETS = (30, 60, 120)
COLUMNS = (
    *("R1", "R2", "R1c", "keys", "final", "redund", "echo", "meta", "retract", "stale", "broken"),
    *("novel", "over", "words"),
)
COMPARED = ("R1", "R1c", "keys", "redund", "meta")
_RESAMPLES = 2000
_PIECE_CHARS = 12
_SNAPSHOTS = 10

Row = dict[str, float]
Method = Callable[[Trace, int], str]


def ours(trace: Trace, budget: int) -> str:
    """The extractive summarizer."""
    summarizer = SUMMARIZERS["extractive"](trace.prompt, budget)
    summarizer.feed(trace.reasoning)
    return summarizer.close().text


def lead(trace: Trace, budget: int) -> str:
    """The first sentences."""
    taken: list[str] = []
    left = float(budget)
    for sentence in sentences(trace.reasoning):
        if words(sentence) > left:
            break
        taken.append(sentence)
        left -= words(sentence)
    return "\n".join(taken or sentences(trace.reasoning)[:1])


def kl_sum(trace: Trace, budget: int) -> str:
    """KL-Sum (Haghighi and Vanderwende 2009): greedy, sentences that fit, until the budget is full.

    KL(summary || reasoning) over stems without stop words, sentences as they are written.
    """
    found = sentences(trace.reasoning)
    bags = [list(map(stem, content(tokens(s)))) for s in found]
    lengths = list(map(words, found))
    counts = Counter(term for bag in bags for term in bag)
    every = counts.total()
    left = float(budget)
    summary: Counter[str] = Counter()
    chosen: list[int] = []
    open_ = [i for i, bag in enumerate(bags) if bag]
    while open_ := [i for i in open_ if lengths[i] <= left and i not in chosen]:
        best = min(open_, key=lambda i: _divergence(summary + Counter(bags[i]), counts, every))
        chosen.append(best)
        summary.update(bags[best])
        left -= lengths[best]
        if left < 3:
            break
    return "\n".join(found[i] for i in sorted(chosen))


def _divergence(summary: Counter[str], counts: Mapping[str, int], every: int) -> float:
    total = summary.total()
    return sum(c / total * math.log(c / total / (counts[t] / every)) for t, c in summary.items())


METHODS: dict[str, Method] = {"extractive": ours, "KL-Sum": kl_sum, "lead": lead}


def live(trace: Trace) -> Row:
    """Measures the live lines of one trace, and their cost. Tokens are those of the reasoning."""
    summarizer = SUMMARIZERS["extractive"](trace.prompt, 60)
    text = trace.reasoning
    lines: list[str] = []
    at = [0.0]
    snapshots: list[str] = []
    seconds = 0.0
    for begin in range(0, len(text), _PIECE_CHARS):
        end = min(len(text), begin + _PIECE_CHARS)
        began = time.perf_counter()
        new = summarizer.feed(text[begin:end])
        seconds += time.perf_counter() - began
        lines += new
        at += [reasoning_tokens(text[:end])] * len(new)
        if end * _SNAPSHOTS // len(text) > len(snapshots):
            snapshots.append(summarizer.snapshot(60))
    total = reasoning_tokens(text)
    began = time.perf_counter()
    summary = summarizer.close()
    closing_seconds = time.perf_counter() - began
    lines += [summary.closing] * bool(summary.closing)
    at += [total] * (1 + bool(summary.closing))
    places = [place for line in lines if (place := trace.place(line)) is not None]
    return {
        "first line, tokens": at[1],
        "longest silence, tokens": max(b - a for a, b in itertools.pairwise(at)),
        "lines per 1,000 tokens": 1000 * len(lines) / total,
        "words a line": statistics.mean(map(words, lines)) if lines else 0.0,
        "talk in lines, %": 100 * meta_talk("\n".join(lines)),
        "lines taken back, %": 100 * _mean(map(trace.taken_back, places)),
        "churn of the summary so far, %": 100 * churn(snapshots),
        "CPU, µs a token": 1e6 * (seconds + closing_seconds) / total,
        "summary ready after, ms": 1e3 * closing_seconds,
    }


def _mean(flags: Iterable[float]) -> float:
    every = list(flags)
    return statistics.fmean(every) if every else 0.0


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean."""
    chance = random.Random(0)
    means = sorted(
        statistics.fmean(chance.choices(values, k=len(values))) for _ in range(_RESAMPLES)
    )
    return means[_RESAMPLES // 40], means[-_RESAMPLES // 40]


def load(path: Path) -> list[dict[str, Any]]:
    """The traces of a file or of all .jsonl files of a folder."""
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
    return [row for row in rows if row.get("reasoning") and row.get("answer")]


def table(traces: Sequence[Trace], budget: int) -> None:
    """Prints one table with a row for each method, and the differences between ours and KL-Sum."""
    rows = {
        name: [measure(trace, method(trace, budget), budget) for trace in traces]
        for name, method in METHODS.items()
    }
    print(f"\n## {budget} words\n\n| method | {' | '.join(COLUMNS)} |")
    print(f"|{'---|' * (len(COLUMNS) + 1)}")
    for name, measured in rows.items():
        cells = [_column(measured, column) for column in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} |")
    print()
    for column in COMPARED:
        pairs = zip(rows["extractive"], rows["KL-Sum"], strict=True)
        gained = [100 * (a[column] - b[column]) for a, b in pairs if column in a]
        if gained:
            low, high = interval(gained)
            mean = statistics.fmean(gained)
            print(f"{column}: {mean:+.1f} against KL-Sum, 95 % [{low:+.1f}, {high:+.1f}]")


def _column(rows: Sequence[Row], column: str) -> str:
    values = [100 * row[column] for row in rows if column in row]
    if not values:
        return "-"
    mean = statistics.fmean(values)
    if column not in ("R1", "keys", "final"):
        return f"{mean:.1f}"
    low, high = interval(values)
    return f"{mean:.1f} ±{(high - low) / 2:.1f}"


def show(row: Mapping[str, Any]) -> None:
    """Prints the summaries of one trace."""
    print(f"\n### {row.get('id', '')} {row.get('domain', '')} {row.get('model', '')}\n")
    print("prompt:  ", prompt_of([{"role": "user", "content": row.get("prompt", "")}]).summary)
    summarizer = SUMMARIZERS["extractive"](row.get("prompt", ""), 60)
    for begin in range(0, len(row["reasoning"]), _PIECE_CHARS):
        for line in summarizer.feed(row["reasoning"][begin : begin + _PIECE_CHARS]):
            print(f"  [{reasoning_tokens(row['reasoning'][:begin]):5.0f}]", line)
    summary = summarizer.close()
    print("  closing:", summary.closing)
    print("summary: ", summary.text)
    print("answer:  ", " ".join(row["answer"][:300].split()))


def main() -> None:
    """Reads the traces, prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("traces", type=Path, help="a .jsonl file or a folder of them")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="summaries to read")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, metavar="WORDS")
    options = parser.parse_args()
    rows = load(options.traces)
    if not rows:
        sys.exit(f"No traces in {options.traces}.")
    traces = [Trace(row.get("prompt", ""), row["reasoning"], row["answer"]) for row in rows]
    print(f"{len(traces)} traces; all figures x 100, words as they are")
    for budget in options.budgets:
        table(traces, budget)
    print("\n## live\n\n| | mean | median | largest |\n|---|---|---|---|")
    watched = [live(trace) for trace in traces]
    for name in watched[0]:
        values = [row[name] for row in watched]
        mean, median = statistics.fmean(values), statistics.median(values)
        print(f"| {name} | {mean:.1f} | {median:.1f} | {max(values):.1f} |")
    for row in rows[:: max(1, len(rows) // options.show)][: options.show] if options.show else ():
        show(row)


if __name__ == "__main__":
    main()
