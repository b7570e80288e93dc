"""The server runs with the last valid settings."""

from pathlib import Path

import pytest

from gateway import loaded
from gateway.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "gateway.toml"
    monkeypatch.setenv("GATEWAY_CONFIG", str(path))
    monkeypatch.setattr(loaded, "_loaded", [])
    return path


def test_invalid_settings_stop_the_start(file: Path) -> None:
    file.write_text("prot = 1")
    with pytest.raises(ConfigError):
        loaded.reload_config()
    with pytest.raises(ConfigError):
        loaded.loaded_config()


@pytest.mark.parametrize(
    "broken", ["[", "prot = 1", '[[models]]\nmatch = "m"\nfamily = "nope"', 'summarizer = "nope"']
)
def test_invalid_settings_on_a_reload_change_nothing(file: Path, broken: str) -> None:
    file.write_text("heartbeat_s = 3")
    assert loaded.reload_config() is None
    file.write_text(broken)
    assert loaded.reload_config() is not None
    assert loaded.loaded_config().heartbeat_s == 3
    file.write_text("heartbeat_s = 4")
    assert loaded.reload_config() is None
    assert loaded.loaded_config().heartbeat_s == 4


def test_a_reload_keeps_the_address(file: Path) -> None:
    file.write_text('port = 81\nadmin_bind = "127.0.0.1:91"')
    loaded.reload_config()
    file.write_text('port = 82\nadmin_bind = "127.0.0.1:92"\nhost = "nowhere"\nheartbeat_s = 4')
    loaded.reload_config()
    config = loaded.loaded_config()
    assert (config.host, config.port, config.heartbeat_s) == ("127.0.0.1", 81, 4)
    assert config.admin_address == ("127.0.0.1", 91)
