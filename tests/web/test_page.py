"""How the page's files are sent."""

import gzip

from flask.testing import FlaskClient

FILE = "/static/page.js"


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
