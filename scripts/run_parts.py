"""Runs targets of the Makefile in order, even if one fails, and prints a table of results.

    python scripts/run_parts.py check parallel alone

The exit status is 1 if any target failed.
"""

import subprocess
import sys
import time


def main(targets: list[str]) -> int:
    rows = []
    failed = False
    for target in targets:
        print(f"\n=== make {target}", flush=True)
        began = time.monotonic()
        status = subprocess.call(["make", "--no-print-directory", target])
        failed |= status != 0
        rows.append((target, time.monotonic() - began, "FAILED" if status else "ok"))
    rows.append(("total", sum(seconds for _, seconds, _ in rows), "FAILED" if failed else "ok"))
    print(f"\n{'part':<12}{'seconds':>8}  result")
    for name, seconds, result in rows:
        print(f"{name:<12}{seconds:8.0f}  {result}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
