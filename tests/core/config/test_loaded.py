"""What a server runs with: the settings that were read last and were good."""

from pathlib import Path

import pytest

from gateway import loaded
from gateway.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "gateway.toml"
    monkeypatch.setenv("GATEWAY_CONFIG", str(path))
    monkeypatch.setattr(loaded, "_kept", [])
    return path


def test_bad_settings_stop_the_start(file: Path) -> None:
    file.write_text("prot = 1")
    with pytest.raises(ConfigError):
        loaded.reread()
    with pytest.raises(ConfigError):
        loaded.current()


@pytest.mark.parametrize(
    "broken", ["[", "prot = 1", '[[models]]\nmatch = "m"\nfamily = "nope"', 'summarizer = "nope"']
)
def test_bad_settings_later_change_nothing(file: Path, broken: str) -> None:
    file.write_text("heartbeat_s = 3")
    assert loaded.reread() is None
    file.write_text(broken)
    assert loaded.reread() is not None
    assert loaded.current().heartbeat_s == 3
    file.write_text("heartbeat_s = 4")
    assert loaded.reread() is None
    assert loaded.current().heartbeat_s == 4


def test_the_address_stays(file: Path) -> None:
    file.write_text("port = 81")
    loaded.reread()
    file.write_text('port = 82\nhost = "nowhere"\nheartbeat_s = 4')
    loaded.reread()
    config = loaded.current()
    assert (config.host, config.port, config.heartbeat_s) == ("127.0.0.1", 81, 4)
