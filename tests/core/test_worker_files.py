"""The metrics' files of all workers can be read at any moment of a worker's life."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from gateway.observe.metrics import WorkerFiles


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """Of a folder with the file of one worker, which has counted to 3."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    counted = MmapedDict(str(tmp_path / "counter_1.db"))
    counted.write_value(mmap_key("turns", "turns_total", [], [], "Turns."), 3.0, 0.0)
    counted.close()
    made = CollectorRegistry()
    WorkerFiles(made)
    return made


def test_a_file_that_a_worker_has_just_opened_is_left_out(
    registry: CollectorRegistry, tmp_path: Path
) -> None:
    (tmp_path / "counter_2.db").touch()
    (tmp_path / "gauge_livesum_2.db").touch()
    assert b"turns_total 3.0" in generate_latest(registry)


def test_a_file_that_is_removed_meanwhile_is_left_out(
    registry: CollectorRegistry, tmp_path: Path
) -> None:
    (tmp_path / "gauge_livesum_2.db").symlink_to(tmp_path / "removed")
    assert b"turns_total 3.0" in generate_latest(registry)
