"""How the page's files are sent."""

import gzip
import re

import pytest
from flask.testing import FlaskClient

FILE = "/static/any/page.js"


def test_a_browser_asks_for_a_file_of_the_page_once(client: FlaskClient) -> None:
    paths = re.findall(r'(?:src|href)="(static/[^"]+)"', client.get("/").text)
    assert len(paths) > 20
    for path in paths:
        with client.get(path) as file:
            assert file.status_code == 200
            assert file.cache_control.immutable
            assert file.cache_control.max_age >= 30 * 24 * 3600


def test_under_the_address_of_another_edition_a_file_is_asked_for_again(
    client: FlaskClient,
) -> None:
    with client.get(FILE) as file:
        assert (file.status_code, file.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["none.js", "../page.py", "%2e%2e/page.py", "markdown"])
def test_only_the_page_s_files_are_there(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/any/{name}").status_code == 404


def test_files_are_compressed_for_those_who_take_it(client: FlaskClient) -> None:
    packs = {"Accept-Encoding": "gzip, br"}
    with client.get(FILE) as plain, client.get(FILE, headers=packs) as packed:
        assert plain.content_encoding is None
        assert packed.content_encoding == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 2


def test_a_compressed_file_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    with client.get(FILE, headers=headers) as first:
        headers["If-None-Match"] = first.headers["ETag"]
    with client.get(FILE, headers=headers) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_nothing_else_is_compressed(client: FlaskClient) -> None:
    for path in ("/", "/health"):
        assert client.get(path, headers={"Accept-Encoding": "gzip"}).content_encoding is None
