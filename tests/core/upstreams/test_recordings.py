"""Recorded answers, one of each shape, give what they say, wherever they are cut."""

from pathlib import Path

import pytest

from benchmarks.replay import problems, recordings
from tests.programs import ROOT

FOLDER = ROOT / "tests/recordings"


@pytest.mark.parametrize("path", recordings(FOLDER), ids=lambda path: path.stem)
def test_a_recording(path: Path) -> None:
    assert problems(path) == []


def test_what_differs_is_found(tmp_path: Path) -> None:
    stream = (FOLDER / "tags.sse").read_bytes()
    (tmp_path / "a.sse").write_bytes(stream)
    (tmp_path / "a.expected").write_text('{"answer": "Five."}')
    assert problems(tmp_path / "a.sse") == ["answer: 'Four.' instead of 'Five.'"]
