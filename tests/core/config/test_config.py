"""Settings are read once; an invalid one stops the start with one sentence that names it."""

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


KINDS = "vllm, sglang, llama.cpp, ollama, lmstudio, deepseek, dashscope, openrouter, chat."
UPSTREAM = '[[upstreams]]\nname = "a"\nurl = "http://a.test"\n'


@pytest.mark.parametrize(
    ("toml", "environ", "sentence"),
    [
        (UPSTREAM + "prio = 1", {}, "upstreams[0].prio: unknown key."),
        (UPSTREAM + "weight = 0", {}, "upstreams[0].weight: expected `int` >= 1."),
        (UPSTREAM + "models = []", {}, "upstreams[0].models: expected `array` of length >= 1."),
        (UPSTREAM + UPSTREAM, {}, "Two upstreams are called 'a'."),
        (
            '[[upstreams]]\nname = "a"',
            {},
            "upstreams[0]: object missing required field `url`.",
        ),
        (
            UPSTREAM + UPSTREAM.replace('"a"', '"b"').replace("http:", "ftp:"),
            {},
            "upstreams[1]: url must be an http or https address, not 'ftp://a.test'.",
        ),
        (
            UPSTREAM.replace(".test", ":port"),
            {},
            "upstreams[0]: url must be an http or https address, not 'http://a:port'.",
        ),
        (
            UPSTREAM + 'api_key_env = "NO_KEY"',
            {"NO_KEY": " "},
            "upstreams[0].api_key_env: the environment variable NO_KEY is not set.",
        ),
        (
            UPSTREAM + 'api_key_env = "KEY"\napi_key = "x"',
            {"KEY": "k"},
            "upstreams[0]: give api_key or api_key_env, not both.",
        ),
        (
            UPSTREAM + 'api_key_env = "KEY"',
            {"KEY": "a\nb"},
            "upstreams[0]: 'api_key' can't be sent in a header.",
        ),
        *(
            (
                UPSTREAM + f'headers = {{ "{name}" = "1" }}',
                {},
                f"upstreams[0]: '{name}' can't be sent in a header.",
            )
            for name in ("A:", "A B", "(A)")
        ),
        (
            UPSTREAM + 'headers = { "X-A" = "ü" }',
            {},
            "upstreams[0]: 'X-A' can't be sent in a header.",
        ),
        (
            UPSTREAM + 'rename = { "fast*" = "x" }',
            {},
            "upstreams[0]: rename: 'fast*' must be a name without wildcards.",
        ),
        (
            UPSTREAM + 'rename = { fast = "" }',
            {},
            "upstreams[0].rename[...]: expected `str` of length >= 1.",
        ),
        (
            UPSTREAM + 'health_path = "health"',
            {},
            "upstreams[0].health_path: expected `str` matching regex '^/'.",
        ),
        (
            "",
            {"UPSTREAM_API_KEY": "a\nb"},
            "UPSTREAM_API_KEY can't be sent in a header.",
        ),
        (
            "",
            {"UPSTREAM_CA_FILE": "/nowhere.pem"},
            "UPSTREAM_CA_FILE: '/nowhere.pem' can't be read: No such file or directory.",
        ),
        (
            f"upstream_ca_file = '{__file__}'",
            {},
            f"UPSTREAM_CA_FILE: {__file__!r} holds no valid certificates.",
        ),
        ("", {"API_KEYS": " , "}, "API_KEYS holds no key."),
        ('[[keys]]\nname = "a"', {}, "keys[0]: give key or key_env, one of them."),
        ('[[keys]]\nname = "a"\nkey = " "', {}, "keys[0].key: it is empty."),
        ('[[keys]]\nname = "a"\nkey_env = "A"', {}, "keys[0].key_env: the environment has no A."),
        ('[[keys]]\nname = "a"\nkey = "é"', {}, "keys[0]: the key can't be sent in a header."),
        (2 * '[[keys]]\nname = "a"\nkey = "k"\n', {}, "Two keys are called 'a'."),
        ("api_keys = []", {}, "API_KEYS holds no key."),
        ('api_keys = [""]', {}, "API_KEYS holds no key."),
        ("", {"API_KEYS": "k,schlüssel"}, "One of API_KEYS can't be sent in a header."),
        ("api_keys = 7", {}, "API_KEYS: expected `str | array | null`, got `int`."),
        ("", {"PORT": "x"}, "PORT: expected `int`, got `str`."),
        ("", {"PORT": "70000"}, "PORT: expected `int` <= 65535."),
        ("", {"HEARTBEAT_S": "0"}, "HEARTBEAT_S: expected `float` > 0.0."),
        ("", {"HEARTBEAT_S": "nan"}, "HEARTBEAT_S: expected `float` > 0.0."),
        (
            "",
            {"DEFAULT_FORMAT": "html"},
            "DEFAULT_FORMAT: 'html' is not one of phased, events, openai, plain.",
        ),
        (
            'default_format = "html"',
            {},
            "DEFAULT_FORMAT: 'html' is not one of phased, events, openai, plain.",
        ),
        (
            "",
            {"LOG_LEVEL": "trace"},
            "LOG_LEVEL: 'trace' is not one of debug, info, warning, error.",
        ),
        ("", {"MESSAGES_SUMMARY": "no"}, "MESSAGES_SUMMARY: 'no' is not one of asked, always."),
        (UPSTREAM + 'kind = "tgi"', {}, "upstreams[0].kind: 'tgi' is not one of " + KINDS),
        (
            UPSTREAM + UPSTREAM.replace('"a"', '"b"') + 'kind = ""',
            {},
            "upstreams[1].kind: '' is not one of " + KINDS,
        ),
        ("heartbeat = 3", {}, "HEARTBEAT: unknown key."),
        ("max_streams = 0", {}, "MAX_STREAMS: expected `int` >= 1."),
        ('[[models]]\nmatch = "a"\nstart = ["<"]', {}, "models[0]: start and end go together."),
        ('[[models]]\nmatch = "a"\nstop = 1', {}, "models[0].stop: unknown key."),
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
def test_an_invalid_setting_is_named_in_one_sentence(
    tmp_path: Path, toml: str, environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml, **environ)
    assert caught.value.message == sentence


def test_the_configured_file_must_exist_and_be_readable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        Config.load({"GATEWAY_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(ConfigError, match="could not be read"):
        load(tmp_path, "a = [")


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ConfigError, match="'nope' of 'mine' is not known; choose one of tags"):
        Families(Config(models=(ModelConfig(match="mine", family="nope"),)))


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_has_a_description(name: str) -> None:
    annotation = Config.__annotations__[name]
    assert any(getattr(meta, "description", None) for meta in annotation.__metadata__)
