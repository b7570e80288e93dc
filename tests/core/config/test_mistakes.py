"""Each mistake in the settings is one sentence: the value given, what is allowed, file and line."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, UpstreamConfig, ignored
from gateway.config.file import SettingsFile, read_file
from gateway.core.families import FAMILIES
from gateway.errors import ConfigError
from gateway.loaded import reload_config

UPSTREAM = '[[upstreams]]\nname = "a"\nurl = "http://a.test"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistake(monkeypatch: pytest.MonkeyPatch, toml: str | bytes, environ: dict[str, str]) -> str:
    """Loads the settings as the server does; returns what it says."""
    Path("gateway.toml").write_bytes(toml.encode() if isinstance(toml, str) else toml)
    monkeypatch.setattr("os.environ", environ)
    monkeypatch.setattr("gateway.loaded._loaded", [])
    with pytest.raises(ConfigError) as caught:
        reload_config()
    return caught.value.message


@pytest.mark.parametrize(
    ("toml", "environ", "sentence"),
    [
        ("", {"PORT": "x"}, "PORT: 'x' is not a whole number from 0 to 65535."),
        ("", {"PORT": "70000"}, "PORT: 70000 is not a whole number from 0 to 65535."),
        ("", {"PORT": "1e3"}, "PORT: '1e3' is not a whole number from 0 to 65535."),
        (
            "",
            {"WEB_CONCURRENCY": "1e3"},
            "WEB_CONCURRENCY: '1e3' is not a whole number of 1 or more.",
        ),
        ("", {"MAX_STREAMS": "0"}, "MAX_STREAMS: 0 is not a whole number of 1 or more."),
        (
            "",
            {"MAX_BODY_BYTES": "20MB"},
            "MAX_BODY_BYTES: '20MB' is not a whole number of 1 or more.",
        ),
        ("", {"HEARTBEAT_S": "0"}, "HEARTBEAT_S: 0 is not a number above 0 and at most 86400."),
        (
            "",
            {"HEARTBEAT_S": "nan"},
            "HEARTBEAT_S: 'nan' is not a number above 0 and at most 86400.",
        ),
        (
            "",
            {"HEARTBEAT_S": "15s"},
            "HEARTBEAT_S: '15s' is not a number above 0 and at most 86400.",
        ),
        (
            "",
            {"LOG_LEVEL": "trace"},
            "LOG_LEVEL: 'trace' is not one of debug, info, warning, error.",
        ),
        (
            "",
            {"LOG_LEVEL": "warn"},
            "LOG_LEVEL: 'warn' is not one of debug, info, warning, error; did you mean warning?",
        ),
        (
            "",
            {"DEFAULT_FORMAT": "html"},
            "DEFAULT_FORMAT: 'html' is not one of phased, events, openai, plain.",
        ),
        ("", {"MESSAGES_SUMMARY": "no"}, "MESSAGES_SUMMARY: 'no' is not one of asked, always."),
        (
            "",
            {"SUMMARIZER_PER_REQUEST": "maybe"},
            "SUMMARIZER_PER_REQUEST: 'maybe' is not true or false.",
        ),
        (
            "",
            {"SUMMARIZER": "extractiv"},
            "SUMMARIZER: 'extractiv' is not one of extractive, model, off.",
        ),
        (
            "",
            {"UPSTREAM_URL": "localhost:9000"},
            (
                "UPSTREAM_URL: 'localhost:9000' is not an address like 'http://127.0.0.1:8000'; "
                "it begins with http:// or https://."
            ),
        ),
        (
            "",
            {"UPSTREAM_URL": "http://u:secret@:80"},
            "UPSTREAM_URL: 'http://…@:80' is not an address like 'http://127.0.0.1:8000'.",
        ),
        (
            "",
            {"STREAM_STORE": "memcached://host"},
            (
                "STREAM_STORE: 'memcached://host' is neither 'memory' nor an address like "
                "'redis://127.0.0.1:6379/0'."
            ),
        ),
        (
            "",
            {"STREAM_STORE": "redis://:secret@host/name"},
            (
                "STREAM_STORE: 'redis://…@host/name' is neither 'memory' nor an address like "
                "'redis://127.0.0.1:6379/0'."
            ),
        ),
        (
            "",
            {"UPSTREAM_API_KEY": "a\nb"},
            "UPSTREAM_API_KEY: the key can't be sent in a header: only printable ASCII can.",
        ),
        (
            "",
            {"UPSTREAM_CA_FILE": "/nowhere.pem"},
            "UPSTREAM_CA_FILE: '/nowhere.pem' can't be read: No such file or directory.",
        ),
        ("", {"API_KEYS": " , "}, "API_KEYS: there is no key in it."),
        (
            "",
            {"API_KEYS": "k,schlüssel"},
            "API_KEYS: the key can't be sent in a header: only printable ASCII can.",
        ),
        (
            "",
            {"SEAL_KEY": "short"},
            "SEAL_KEY: not each of the keys has 32 bytes, in hex or base64.",
        ),
        (
            "",
            {"REASONING_START": "<a>"},
            "REASONING_START: REASONING_END is missing; the two go together.",
        ),
        (
            "",
            {"SUMMARIZER_MODEL": "m"},
            "SUMMARIZER_MODEL: SUMMARIZER_URL is missing; the two go together.",
        ),
        (
            "",
            {"ALLOWED_ORIGINS": "chat.example"},
            "ALLOWED_ORIGINS: 'chat.example' is not an origin like 'https://chat.example'.",
        ),
        *(
            (
                "",
                {"HOST": host},
                f"HOST: {host!r} is not an address like '127.0.0.1' or '::1', without scheme and "
                "port.",
            )
            for host in ("http://0.0.0.0", "0.0.0.0:8080", "[::1]", "*", "a b")
        ),
        *(
            (
                "",
                {"UPSTREAM_URL": address},
                f"UPSTREAM_URL: {address!r} is not an address like 'http://127.0.0.1:8000'.",
            )
            for address in ("http://a b/v1", "http://a/v1\n", "http://a\\v1", "http://<host>/v1")
        ),
        (
            "",
            {"ALLOWED_ORIGINS": "https://*.example"},
            "ALLOWED_ORIGINS: 'https://*.example' is not an origin like 'https://chat.example'.",
        ),
        (
            "port = 8080.0",
            {},
            "gateway.toml, line 1: port: 8080.0 is not a whole number from 0 to 65535.",
        ),
        (
            "[models]\nmatch = 'a'",
            {},
            "gateway.toml, line 1: models: a table is not a list of tables; give it two brackets, "
            "as in [[models]].",
        ),
        (
            "[[keys]]\nname = 'a'\nkey = 'x'\nmodel = ['a']",
            {},
            "gateway.toml, line 4: keys[0].model: no such setting; did you mean models?",
        ),
        (
            "\nport = 70000",
            {},
            "gateway.toml, line 2: port: 70000 is not a whole number from 0 to 65535.",
        ),
        (
            "port = true",
            {},
            "gateway.toml, line 1: port: true is not a whole number from 0 to 65535.",
        ),
        (
            "host = 127.0.0.1",
            {},
            'gateway.toml, line 1: 127.0.0.1 is no TOML value; text needs quotes: "127.0.0.1".',
        ),
        (
            "log_level = INFO # as always",
            {},
            'gateway.toml, line 1: INFO is no TOML value; text needs quotes: "INFO".',
        ),
        ("a = [", {}, "gateway.toml, line 1: the file ends before this statement does."),
        ("port = 1\nport = 2", {}, "gateway.toml, line 2: this key is given twice."),
        ("PORT = 81", {}, "gateway.toml, line 1: PORT: no such setting; in the file it is port."),
        (
            "log-level = 'info'",
            {},
            "gateway.toml, line 1: log-level: no such setting; did you mean log_level?",
        ),
        (
            "heartbeat = 3",
            {},
            "gateway.toml, line 1: heartbeat: no such setting; did you mean heartbeat_s?",
        ),
        (
            "max_stream = 5",
            {},
            "gateway.toml, line 1: max_stream: no such setting; did you mean max_streams?",
        ),
        ("colour = 1", {}, "gateway.toml, line 1: colour: no such setting."),
        (
            "[gateway]\nport = 81",
            {},
            (
                "gateway.toml, line 1: gateway: no such table; the gateway's settings stand "
                "above all tables, in none."
            ),
        ),
        (
            "[upstreams]\nname = 'a'\nurl = 'http://a.test'",
            {},
            (
                "gateway.toml, line 1: upstreams: a table is not a list of tables; give it two "
                "brackets, as in [[upstreams]]."
            ),
        ),
        (
            "[[upstream]]\nname = 'a'",
            {},
            "gateway.toml, line 1: upstream: no such setting; did you mean [[upstreams]]?",
        ),
        (
            'url = "http://a.test"',
            {},
            "gateway.toml, line 1: url: no such setting; it belongs in a table: [[upstreams]].",
        ),
        (
            'upstreams = "http://a.test"',
            {},
            "gateway.toml, line 1: upstreams: 'http://a.test' is not a list of tables.",
        ),
        (
            UPSTREAM + "port = 81",
            {},
            (
                "gateway.toml, line 4: upstreams[0].port: no such key; the setting port must "
                "stand above the first table."
            ),
        ),
        (
            UPSTREAM + "prio = 1",
            {},
            "gateway.toml, line 4: upstreams[0].prio: no such setting; did you mean priority?",
        ),
        (
            UPSTREAM + "WEIGHT = 1",
            {},
            "gateway.toml, line 4: upstreams[0].WEIGHT: no such setting; in the file it is weight.",
        ),
        (
            UPSTREAM + "weight = 0",
            {},
            "gateway.toml, line 4: upstreams[0].weight: 0 is not a whole number of 1 or more.",
        ),
        (
            UPSTREAM + "models = []",
            {},
            (
                "gateway.toml, line 4: upstreams[0].models: an empty list is not a list of one "
                "or more texts."
            ),
        ),
        (
            UPSTREAM + 'models = "m"',
            {},
            "gateway.toml, line 4: upstreams[0].models: 'm' is not a list of one or more texts.",
        ),
        (
            UPSTREAM + 'models = [""]',
            {},
            "gateway.toml, line 4: upstreams[0].models[0]: '' is not text of a character or more.",
        ),
        (
            UPSTREAM + UPSTREAM,
            {},
            "gateway.toml, line 5: upstreams[1].name: 'a' is the name of upstreams[0] too.",
        ),
        ('[[upstreams]]\nname = "a"', {}, "gateway.toml, line 1: upstreams[0]: url is missing."),
        (
            UPSTREAM + '[[upstreams]]\nname = "b"\nurl = "ftp://a.test"\n',
            {},
            (
                "gateway.toml, line 6: upstreams[1].url: 'ftp://a.test' is not an address like "
                "'http://127.0.0.1:8000'."
            ),
        ),
        (
            '[[upstreams]]\nname = "a"\nurl = "http://a:port"\n',
            {},
            (
                "gateway.toml, line 3: upstreams[0].url: 'http://a:port' is not an address like "
                "'http://127.0.0.1:8000'."
            ),
        ),
        (
            UPSTREAM + 'api_key_env = "NO_KEY"',
            {"NO_KEY": " "},
            "gateway.toml, line 4: upstreams[0].api_key_env: the environment has no NO_KEY.",
        ),
        (
            UPSTREAM + 'api_key_env = "KEY"\napi_key = "x"',
            {"KEY": "k"},
            "gateway.toml, line 4: upstreams[0].api_key_env: give this or api_key, not both.",
        ),
        (
            UPSTREAM + 'api_key_env = "KEY"',
            {"KEY": "a\nb"},
            (
                "gateway.toml, line 4: upstreams[0].api_key_env: the key can't be sent in a "
                "header: only printable ASCII can."
            ),
        ),
        (
            UPSTREAM + "api_key = 7",
            {},
            "gateway.toml, line 4: upstreams[0].api_key: the value is not text.",
        ),
        (
            UPSTREAM + 'headers = { "A:" = "1" }',
            {},
            "gateway.toml, line 4: upstreams[0].headers: 'A:' is not a header's name.",
        ),
        (
            UPSTREAM + 'headers = { "X-A" = "ü" }',
            {},
            (
                "gateway.toml, line 4: upstreams[0].headers: the value of 'X-A' can't be sent in "
                "a header: only printable ASCII can."
            ),
        ),
        (
            UPSTREAM + '[upstreams.headers]\n"X-A" = 1',
            {},
            "gateway.toml, line 5: upstreams[0].headers.X-A: the value is not text.",
        ),
        (
            UPSTREAM + 'rename = { "fast*" = "x" }',
            {},
            "gateway.toml, line 4: upstreams[0].rename: 'fast*' is not a name without wildcards.",
        ),
        (
            UPSTREAM + 'rename = { a = "b",  fast = "" }',
            {},
            (
                "gateway.toml, line 4: upstreams[0].rename.fast: '' is not text of a character "
                "or more."
            ),
        ),
        (
            UPSTREAM + 'health_path = "health"',
            {},
            (
                "gateway.toml, line 4: upstreams[0].health_path: 'health' is not text that "
                "begins with /."
            ),
        ),
        (
            UPSTREAM + 'kind = "vlm"',
            {},
            (
                "gateway.toml, line 4: upstreams[0].kind: 'vlm' is not one of vllm, sglang, "
                "llama.cpp, ollama, lmstudio, deepseek, dashscope, openrouter, chat; did you mean "
                "vllm?"
            ),
        ),
        (
            UPSTREAM + "idle_timeout_s = 0",
            {},
            (
                "gateway.toml, line 4: upstreams[0].idle_timeout_s: 0 is not a number above 0 "
                "and at most 86400."
            ),
        ),
        (
            '[[models]]\nmatch = "m"\nstart = ["<"]',
            {},
            "gateway.toml, line 3: models[0].start: end is missing; the two go together.",
        ),
        (
            '[[models]]\nmatch = "m"\nstop = 1',
            {},
            (
                "gateway.toml, line 3: models[0].stop: no such key; these exist: match, family, "
                "start, end, starts_inside, thinking_budget, summarizer."
            ),
        ),
        (
            '[[models]]\nmatch = "m"\nfamily = "deepseek"',
            {},
            (
                "gateway.toml, line 3: models[0].family: 'deepseek' is not a family; did you "
                "mean deepseek-v3?"
            ),
        ),
        (
            '[[models]]\nmatch = "m"\nsummarizer = "nope"',
            {},
            "gateway.toml, line 3: models[0].summarizer: 'nope' is not one of extractive, model, "
            "off.",
        ),
        (
            '[[models]]\nmatch = "m"\n',
            {},
            (
                "gateway.toml, line 1: models[0]: the table for 'm' sets nothing: give family, "
                "start and end, starts_inside, thinking_budget or summarizer."
            ),
        ),
        ('[[models]]\nfamily = "tags"', {}, "gateway.toml, line 1: models[0]: match is missing."),
        ('[[keys]]\nname = "a"\n', {}, "gateway.toml, line 1: keys[0]: key or key_env is missing."),
        ('[[keys]]\nname = "a"\nkey = " "', {}, "gateway.toml, line 3: keys[0].key: it is empty."),
        (
            '[[keys]]\nname = "a"\nkey_env = "A"',
            {},
            "gateway.toml, line 3: keys[0].key_env: the environment has no A.",
        ),
        (
            '[[keys]]\nname = "a"\nkey = "é"',
            {},
            (
                "gateway.toml, line 3: keys[0].key: the key can't be sent in a header: only "
                "printable ASCII can."
            ),
        ),
        (
            '[[keys]]\nname = "a"\nkey = "k"\n[[keys]]\nname = "a"\nkey = "k"',
            {},
            "gateway.toml, line 5: keys[1].name: 'a' is the name of keys[0] too.",
        ),
        (
            '[[keys]]\nname = "a"\nkey = "k"',
            {"API_KEYS": "k"},
            "gateway.toml, line 1: keys[0]: API_KEYS has the same key.",
        ),
        (
            '[[keys]]\nname = "b"\nkey = "k"\n[[keys]]\nname = "c"\nkey = "k"',
            {},
            "gateway.toml, line 4: keys[1]: keys[0] has the same key.",
        ),
        (
            '[[keys]]\nname = "a"\nkey="k"\nmodels = []',
            {},
            (
                "gateway.toml, line 4: keys[0].models: an empty list is not a list of one or "
                "more texts."
            ),
        ),
        ("api_keys = []", {}, "gateway.toml, line 1: api_keys: there is no key in it."),
        ('api_keys = [""]', {}, "gateway.toml, line 1: api_keys: there is no key in it."),
        (
            "api_keys = 7",
            {},
            "gateway.toml, line 1: api_keys: the value is not text or a list of texts.",
        ),
        (
            "port = 1979-05-27",
            {},
            (
                "gateway.toml, line 1: port: the date 1979-05-27 is not a whole number from 0 to "
                "65535."
            ),
        ),
        (
            "connect_timeout_s = 1e9",
            {},
            (
                "gateway.toml, line 1: connect_timeout_s: 1000000000 is not a number above 0 and "
                "at most 86400."
            ),
        ),
        (
            "",
            {"FORWARDED_ALLOW_IPS": "10.0.0.1/8"},
            (
                "FORWARDED_ALLOW_IPS: '10.0.0.1/8' is not an address, a network like "
                "'10.0.0.0/8' or *."
            ),
        ),
        (
            "[[models]]\nmatch = 'm'\nend = ['x']",
            {},
            "gateway.toml, line 3: models[0].end: start is missing; the two go together.",
        ),
        ("[web]\nx=1", {}, "gateway.toml, line 1: web: no such setting."),
        ('a = """\nb\n\n', {}, "gateway.toml, line 1: the file ends before this statement does."),
    ],
)
def test_a_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, toml: str, environ: dict[str, str], sentence: str
) -> None:
    assert mistake(monkeypatch, toml, environ) == sentence


def test_a_table_names_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ", ".join(UpstreamConfig.__struct_fields__)
    message = mistake(monkeypatch, UPSTREAM + "colour = 1", {})
    assert message == (
        f"gateway.toml, line 4: upstreams[0].colour: no such key; these exist: {keys}."
    )


def test_an_unknown_family_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    message = mistake(monkeypatch, '[[models]]\nmatch = "m"\nfamily = "nope"', {})
    names = ", ".join(family.name for family in FAMILIES)
    assert message == f"gateway.toml, line 3: models[0].family: 'nope' is not a family of {names}."


def test_text_that_is_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    message = mistake(monkeypatch, b"port = 1\n# caf\xe9", {})
    assert message == "gateway.toml, line 2: the text is not UTF-8."


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        (UPSTREAM + 'api_key = "sk-1\\n"', {}),
        (UPSTREAM + 'api_key = ["sk-1"]', {}),
        (UPSTREAM + 'headers = { A = ["sk-1"] }', {}),
        (UPSTREAM.replace("a.test", "me:sk-1@:80"), {}),
        (UPSTREAM.replace("a.test", "me:a/@sk-1@:80"), {}),
        ("", {"SUMMARIZER_API_KEY": "sk-1\n\x00"}),
        ("", {"SEAL_KEY": "sk-1"}),
        ('api_keys = { a = "sk-1" }', {}),
    ],
)
def test_no_sentence_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch, toml: str, environ: dict[str, str]
) -> None:
    assert "sk-1" not in mistake(monkeypatch, toml, environ)


@pytest.mark.parametrize(
    ("environ", "setting", "value"),
    [
        ({"LOG_LEVEL": "INFO"}, "log_level", "info"),
        ({"LOG_LEVEL": " Warning "}, "log_level", "warning"),
        ({"PORT": " 81\n"}, "port", 81),
        ({"HEARTBEAT_S": "1.5"}, "heartbeat_s", 1.5),
        ({"SUMMARIZER_PER_REQUEST": "off"}, "summarizer_per_request", False),
        ({"FORWARDED_ALLOW_IPS": "*, ::1,10.0.0.0/8"}, "port", 8080),
    ],
)
def test_text_of_the_environment_is_understood(
    environ: dict[str, str], setting: str, value: object
) -> None:
    assert getattr(Config.load(environ), setting) == value


def test_the_file_may_have_a_mark_of_byte_order_and_windows_lines() -> None:
    Path("gateway.toml").write_bytes(b"\xef\xbb\xbfport = 81\r\nlog_level = 'DEBUG'\r\n")
    config = Config.load({})
    assert (config.port, config.log_level) == (81, "debug")


@pytest.mark.parametrize(
    ("toml", "environ", "sentences"),
    [
        ("port = 1", {"PATH": "/bin", "HOSTNAME": "h", "PORT": "1", "GATEWAY_CONFIG": ""}, []),
        (
            "",
            {"port": "1"},
            ["port in the environment has no effect: its name is PORT."],
        ),
        (
            "",
            {"UPSTREAMS": "x"},
            [
                "UPSTREAMS in the environment has no effect: only gateway.toml can hold it, as "
                "[[upstreams]]."
            ],
        ),
        (
            "",
            {"UPSTREAM_ULR": "x"},
            ["UPSTREAM_ULR in the environment has no effect; did you mean UPSTREAM_URL?"],
        ),
        (
            "",
            {"API_KEY": "x"},
            ["API_KEY in the environment has no effect; did you mean API_KEYS?"],
        ),
        (
            "",
            {"UPSTREAM": "http://127.0.0.1:1"},
            ["UPSTREAM in the environment has no effect; did you mean UPSTREAM_URL?"],
        ),
        (
            '[[upstreams]]\nname = "a"\nurl = "http://a/v1/chat/"\n',
            {},
            [
                "upstreams[0].url ends in /chat: requests go to /chat/chat/completions. Give the "
                "base, …/v1 or the full …/chat/completions."
            ],
        ),
        ("", {"UPSTREAM_URL": "http://a/v1/chat/completions"}, []),
        (
            "",
            {"UPSTREAM_URL": "http://a/v1/models"},
            [
                "UPSTREAM_URL ends in /models: requests go to /models/chat/completions. Give the "
                "base, …/v1 or the full …/chat/completions."
            ],
        ),
        (
            UPSTREAM,
            {"UPSTREAM_URL": "http://b.test"},
            ["UPSTREAM_URL has no effect beside [[upstreams]] in gateway.toml."],
        ),
        (
            'upstream_api_key = "k"\n' + UPSTREAM,
            {},
            ["UPSTREAM_API_KEY has no effect beside [[upstreams]] in gateway.toml."],
        ),
        (
            '[[models]]\nmatch = "*"\nfamily = "tags"\n[[models]]\nmatch = "a"\nfamily = "tags"',
            {},
            [
                "models[1] in gateway.toml does not say how reasoning is marked: models[0] stands "
                "above it and matches the same models."
            ],
        ),
    ],
)
def test_settings_without_effect_are_told(
    toml: str, environ: dict[str, str], sentences: list[str]
) -> None:
    Path("gateway.toml").write_text(toml)
    assert ignored(environ) == sentences


KEYS = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", '"g#\\""', "h.i", "j . k"])
VALUES = st.sampled_from(
    [
        "1",
        '"x # y"',
        '"""\nb = 1\n[c]\n"""',
        "'''\n[[d]]\n'''",
        "[1,\n# ]\n 2]",
        "{ x = [1], y = 2 }",
        "[\n{ z = 1 },\n{ z = 2 }]",
        "1979-05-27",
        "true # [no]",
    ]
)
HEADERS = st.sampled_from(["[t]", "[[u]]", "[u.v]", "[[u.w]]", '[ "t" . x ]', "[[ u ]]"])
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES), HEADERS, st.sampled_from(["", "# a = 1", "  "])
)


def is_valid(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def at(settings: object, path: tuple[object, ...]) -> object:
    for step in path:
        settings = settings[step]  # type: ignore[index]
    return settings


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(below for step, held in inner for below in paths(held, (*path, step)))]


@given(st.lists(LINES, max_size=9))
def test_the_line_of_a_value_is_the_first_without_which_it_is_not_there(lines: list[str]) -> None:
    """The document before the line does not hold the value; with the line's statement it does."""
    statements: list[str] = []
    for line in lines:
        if is_valid("\n".join([*statements, line])):
            statements.append(line)
    text = "\n".join(statements)
    file = SettingsFile("f", text, tomllib.loads(text))
    starts = [len("\n".join([*statements[:n], ""]).split("\n")) for n in range(len(statements))]
    for path in paths(file.settings)[1:]:
        number = int(file.place(path).rpartition(" ")[2])
        index = starts.index(number)
        before = tomllib.loads("\n".join(statements[:index]))
        after = tomllib.loads("\n".join(statements[: index + 1]))
        at(after, path)
        with pytest.raises((KeyError, IndexError, TypeError)):
            at(before, path)


def test_a_value_without_a_line_has_the_line_of_its_table() -> None:
    Path("gateway.toml").write_text("port = 1\n" + UPSTREAM)
    file = read_file({})
    assert file.place(("upstreams", 0, "weight")) == "gateway.toml, line 2"
    assert file.place(("absent",)) == "gateway.toml"
