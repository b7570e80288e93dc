"""A file of metrics keeps its values when it grows, and when the disk has no room for it."""

from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from gateway.observe import reserved_file
from gateway.observe.reserved_file import ReservedFile

KEYS = [f"series {number} {'x' * 200}" for number in range(3000)]


def fill(file: ReservedFile) -> None:
    for number, key in enumerate(KEYS):
        file.write_value(key, number, 0)


def assert_complete(file: MmapedDict) -> None:
    assert [file.read_value(key)[0] for key in KEYS] == list(range(len(KEYS)))


def test_a_file_grows_and_can_be_read_by_others(tmp_path: Path) -> None:
    file = ReservedFile(str(tmp_path / "a.db"))
    fill(file)
    assert_complete(file)
    read = MmapedDict.read_all_values_from_file(str(tmp_path / "a.db"))
    assert [(key.rstrip(), value) for key, value, *_ in read] == [
        (key, number) for number, key in enumerate(KEYS)
    ]
    file.close()
    again = ReservedFile(str(tmp_path / "a.db"))
    assert_complete(again)
    again.close()


@pytest.mark.parametrize("room", [0, 1, 2])
def test_without_room_on_the_disk_the_values_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """room: how often blocks can be reserved."""
    allocate, left, lost = reserved_file._allocate, [room], []

    def run_out(descriptor: int, size: int) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        allocate(descriptor, size)

    monkeypatch.setattr(reserved_file, "_allocate", run_out)
    monkeypatch.setattr(ReservedFile, "on_lost", staticmethod(lost.append))
    file = ReservedFile(str(tmp_path / "a.db"))
    fill(file)
    assert_complete(file)
    assert len(lost) == 1
    assert (tmp_path / "a.db").exists() == (room > 0)
    file.close()


def test_a_file_that_a_dead_worker_left_half_written_is_begun_anew(tmp_path: Path) -> None:
    broken = tmp_path / "a.db"
    broken.write_bytes(b"\xff\xff\x00\x00" + b"\xff" * 70_000)
    file = ReservedFile(str(broken))
    fill(file)
    assert_complete(file)
    file.close()
