"""Settings are read once, from the environment and the file."""

from pathlib import Path

import pytest

from gateway.config import Config, ModelConfig, setting_names
from gateway.core.families import Families
from gateway.errors import ConfigError


def load(tmp_path: Path, toml: str = "", **environ: str) -> Config:
    path = tmp_path / "gateway.toml"
    path.write_text(toml)
    return Config.load({"GATEWAY_CONFIG": str(path), **environ})


def test_no_setting_is_required(tmp_path: Path) -> None:
    assert load(tmp_path) == Config()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, "heartbeat_s = 3\nport = 81", PORT="82")
    assert (config.heartbeat_s, config.port) == (3, 82)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, UPSTREAM_API_KEY="", PORT="").upstream_api_key is None


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        ("", {"API_KEYS": " k-1 ,k-2,\n"}),
        ('api_keys = "k-1,k-2"', {}),
        ('api_keys = ["k-1", "k-2"]', {}),
        ('api_keys = ["other"]', {"API_KEYS": "k-1,k-2"}),
    ],
)
def test_client_keys_are_a_list(tmp_path: Path, toml: str, environ: dict[str, str]) -> None:
    config = load(tmp_path, toml, **environ)
    assert config.client_keys == ("k-1", "k-2")
    assert {"k-1", "k-2"} <= set(config.secrets)


def test_empty_api_keys_means_no_keys(tmp_path: Path) -> None:
    assert load(tmp_path, API_KEYS="").client_keys == ()


def test_models_come_from_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[[models]]\nmatch = "mine*"\nstart = ["<a>"]\nend = ["</a>"]\nstarts_inside = true',
    )
    assert config.models == (
        ModelConfig(match="mine*", start=("<a>",), end=("</a>",), starts_inside=True),
    )


def test_upstreams_come_from_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        idle_timeout_s = 7
        [[upstreams]]
        name = "local"
        url = "http://127.0.0.1:8000/v1"
        models = ["qwen3-*"]
        [[upstreams]]
        name = "far"
        url = "https://far.test"
        api_key_env = "FAR_KEY"
        idle_timeout_s = 9
        rename = { fast = "org/Model" }
        """,
        FAR_KEY=" sk-1\n",
        FIRST_BYTE_TIMEOUT_S="8",
    )
    local, far = config.effective_upstreams
    assert (local.name, local.models, local.priority, local.weight) == ("local", ("qwen3-*",), 1, 1)
    assert (local.api_key, far.api_key) == (None, "sk-1")
    assert far.rename == {"fast": "org/Model"}
    assert [u.idle_timeout_s for u in config.effective_upstreams] == [7, 9]
    assert [u.first_byte_timeout_s for u in config.effective_upstreams] == [8, 8]
    assert [u.connect_timeout_s for u in config.effective_upstreams] == [5, 5]


def test_without_tables_there_is_one_upstream(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        UPSTREAM_URL="http://a.test",
        UPSTREAM_API_KEY="k",
        TOTAL_TIMEOUT_S="9",
    )
    [alone] = config.effective_upstreams
    assert (alone.name, alone.url, alone.api_key) == ("default", "http://a.test", "k")
    assert alone.total_timeout_s == 9
    assert alone.models == ("*",)


def test_the_configured_file_must_exist_and_be_readable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file '.*none\.toml'"):
        Config.load({"GATEWAY_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        Config.load({"GATEWAY_CONFIG": str(tmp_path)})


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ConfigError, match="'nope' is not a family of tags"):
        Families(Config(models=(ModelConfig(match="mine", family="nope"),)))


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_has_a_description(name: str) -> None:
    annotation = Config.__annotations__[name]
    assert any(getattr(meta, "description", None) for meta in annotation.__metadata__)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9090", ("127.0.0.1", 9090)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9090", ("::1", 9090)),
    ],
)
def test_the_operators_listener_has_an_address_and_a_port(
    text: str, address: tuple[str, int]
) -> None:
    assert Config(admin_bind=text).admin_address == address
    assert Config().admin_address is None


@pytest.mark.parametrize("text", ["9090", ":9090", "a:", "a:x", "::1:9090", "a:65536", "a:-1"])
def test_an_operators_listener_needs_both(text: str) -> None:
    with pytest.raises(ValueError, match=r"ADMIN_BIND: .* is not an address and a port like"):
        Config(admin_bind=text)


def test_the_operators_listener_has_a_port_of_its_own() -> None:
    with pytest.raises(ValueError, match="ADMIN_BIND: it needs a port other than PORT"):
        Config(admin_bind="127.0.0.1:8080")
