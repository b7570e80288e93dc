"""Runs targets of the Makefile in order, even if one fails, and prints a table of results.

    python scripts/run_parts.py check parallel alone lowest+hotpath

Targets joined by + run side by side. The exit status is 1 if any target failed.
"""

import subprocess
import sys
import time

# With one target, its lines are shown when they are written.
SIDE_BY_SIDE = ["--jobs", "--keep-going", "--output-sync=target"]


def main(parts: list[str]) -> int:
    rows = []
    failed = False
    for part in parts:
        targets = part.split("+")
        options = SIDE_BY_SIDE if len(targets) > 1 else []
        print(f"\n=== make {' '.join(targets)}", flush=True)
        began = time.monotonic()
        status = subprocess.call(["make", "--no-print-directory", *options, *targets])
        failed |= status != 0
        rows.append((part, time.monotonic() - began, "FAILED" if status else "ok"))
    rows.append(("total", sum(seconds for _, seconds, _ in rows), "FAILED" if failed else "ok"))
    print(f"\n{'part':<24}{'seconds':>8}  result")
    for name, seconds, result in rows:
        print(f"{name:<24}{seconds:8.0f}  {result}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
