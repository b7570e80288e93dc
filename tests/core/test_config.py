"""Settings are read once, and a fault stops the start with one sentence that names it."""

from pathlib import Path

import pytest

from gateway.config import Config, ModelConfig, setting_names
from gateway.errors import ConfigError
from gateway.families import Families


def load(tmp_path: Path, toml: str = "", **environ: str) -> Config:
    path = tmp_path / "gateway.toml"
    path.write_text(toml)
    return Config.load({"GATEWAY_CONFIG": str(path), **environ})


def test_defaults_need_nothing(tmp_path: Path) -> None:
    assert load(tmp_path) == Config()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, "heartbeat_s = 3\nport = 81", PORT="82")
    assert (config.heartbeat_s, config.port) == (3, 82)


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, UPSTREAM_API_KEY="", PORT="").upstream_api_key is None


def test_models_come_from_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[[models]]\nmatch = "mine*"\nstart = ["<a>"]\nend = ["</a>"]\nstarts_inside = true',
    )
    assert config.models == (
        ModelConfig(match="mine*", start=("<a>",), end=("</a>",), starts_inside=True),
    )


@pytest.mark.parametrize(
    ("toml", "environ", "sentence"),
    [
        ("", {"PORT": "x"}, "PORT: expected `int`, got `str`."),
        ("", {"PORT": "70000"}, "PORT: expected `int` <= 65535."),
        ("", {"HEARTBEAT_S": "0"}, "HEARTBEAT_S: expected `float` > 0.0."),
        ("", {"HEARTBEAT_S": "nan"}, "HEARTBEAT_S: expected `float` > 0.0."),
        ("", {"DEFAULT_FORMAT": "html"}, "DEFAULT_FORMAT: invalid enum value 'html'."),
        ("heartbeat = 3", {}, "HEARTBEAT: is not known."),
        ("max_streams = 0", {}, "MAX_STREAMS: expected `int` >= 1."),
        ('[[models]]\nmatch = "a"\nstart = ["<"]', {}, "models[0]: start and end go together."),
        ('[[models]]\nmatch = "a"\nstop = 1', {}, "models[0].stop: is not known."),
        (
            "",
            {"REASONING_START": "<a>"},
            "REASONING_START and REASONING_END go together.",
        ),
        (
            "",
            {"UPSTREAM_URL": "localhost:9000"},
            "UPSTREAM_URL must be an http or https address, not 'localhost:9000'.",
        ),
    ],
)
def test_a_fault_is_one_sentence(
    tmp_path: Path, toml: str, environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml, **environ)
    assert caught.value.message == sentence


def test_a_named_file_must_be_there_and_readable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        Config.load({"GATEWAY_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(ConfigError, match="could not be read"):
        load(tmp_path, "a = [")


def test_a_family_that_is_not_known_is_named() -> None:
    with pytest.raises(ConfigError, match="'nope' of 'mine' is not known; choose one of tags"):
        Families(Config(models=(ModelConfig(match="mine", family="nope"),)))


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_has_a_description(name: str) -> None:
    annotation = Config.__annotations__[name]
    assert any(getattr(meta, "description", None) for meta in annotation.__metadata__)
