"""A full disk under the metrics costs metrics, not answers. The disk is a tmpfs of our own."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.wire import ask, parse_stream, request_body
from tests.programs import ROOT, Program, workers_of

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def has_namespaces() -> bool:
    if not shutil.which("unshare"):
        return False
    mount = ["mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run([*UNSHARE, *mount], capture_output=True, timeout=60).returncode == 0


pytestmark = pytest.mark.skipif(not has_namespaces(), reason="needs a mount namespace")


@contextmanager
def gateway_on_disk(mock_url: str, folder: Path, size: str, fill: str) -> Iterator[Program]:
    """A gateway whose metrics are on a disk of this size. fill: a command that fills it up."""
    gunicorn = Path(sys.executable).parent / "gunicorn"
    script = (
        f"mount -t tmpfs -o size={size} tmpfs {folder} && cd {folder} && {fill}; "
        f"cd {ROOT} && exec {gunicorn} -c gunicorn.conf.py wsgi:app"
    )
    env = {
        "UPSTREAM_URL": mock_url,
        "PORT": "0",
        "WEB_CONCURRENCY": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
    }
    args = [*UNSHARE, "sh", "-c", script]
    with Program(args, r"Listening at: (\S+)", env) as gateway:
        gateway.wait_for(r"Booting worker")
        yield gateway


DISKS = {
    "without any room": ("64k", "head -c 65536 /dev/zero > full || true"),
    "with room for half of the files": ("192k", "true"),
    "that fills up while the gateway runs": ("1m", "true"),
}


@pytest.mark.parametrize("disk", DISKS)
def test_a_full_disk_loses_metrics_and_no_answer(mock_url: str, tmp_path: Path, disk: str) -> None:
    size, fill = DISKS[disk]
    with gateway_on_disk(mock_url, tmp_path, size, fill) as gateway:
        if "runs" in disk:
            [worker] = workers_of(gateway)
            in_its_namespace = Path(f"/proc/{worker}/root{tmp_path}/full")
            with pytest.raises(OSError, match="No space"):
                in_its_namespace.write_bytes(b"x" * 2_000_000)
        # Every label is a new series, so the files grow.
        for number in range(30):
            body = request_body("default@tps=0", gateway={"format": "events"})
            with ask(gateway.url, body, request_id=f"r{number}") as stream:
                assert parse_stream("events", stream.read_all()).error is None
        assert len(workers_of(gateway)) == 1
        assert gateway.output().count("Booting worker") == 1
        if "runs" not in disk:
            assert "metrics can't be written" in gateway.output()
