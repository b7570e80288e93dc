"""The static files of the page: caching and compression."""

import gzip
import hashlib
import re

import pytest
from flask.testing import FlaskClient

from tests.programs import ROOT

FILE = "/static/any/page.js"
VENDOR = ROOT / "gateway/static/vendor"


def test_static_files_are_immutable(client: FlaskClient) -> None:
    paths = re.findall(r'(?:src|href)="(static/[^"]+)"', client.get("/").text)
    assert len(paths) > 20
    for path in paths:
        with client.get(path) as file:
            assert file.status_code == 200
            assert file.cache_control.immutable
            assert file.cache_control.max_age >= 30 * 24 * 3600


def test_a_file_with_another_fingerprint_is_revalidated(
    client: FlaskClient,
) -> None:
    with client.get(FILE) as file:
        assert (file.status_code, file.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["none.js", "../page.py", "%2e%2e/page.py", "markdown"])
def test_other_files_are_not_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/any/{name}").status_code == 404


def test_static_files_are_compressed_if_the_client_accepts_it(client: FlaskClient) -> None:
    accepts_gzip = {"Accept-Encoding": "gzip, br"}
    with client.get(FILE) as plain, client.get(FILE, headers=accepts_gzip) as packed:
        assert plain.content_encoding is None
        assert packed.content_encoding == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 2


def test_an_unchanged_compressed_file_is_not_sent_again(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    with client.get(FILE, headers=headers) as first:
        headers["If-None-Match"] = first.headers["ETag"]
    with client.get(FILE, headers=headers) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_the_page_is_compressed_and_nothing_else(client: FlaskClient) -> None:
    accepts_gzip = {"Accept-Encoding": "gzip"}
    packed = client.get("/", headers=accepts_gzip)
    assert gzip.decompress(packed.data) == client.get("/").data
    assert packed.headers["Vary"] == "Accept-Encoding"
    for path in ("/health", "/v1/streams/none"):
        assert client.get(path, headers=accepts_gzip).content_encoding is None


def test_the_libraries_are_as_they_were_published_and_have_their_licences() -> None:
    sums = re.findall(r"^\| (\S+) \| \S+ \| (\w{64}) \|$", (VENDOR / "README.md").read_text(), re.M)
    files = [file for file in VENDOR.rglob("*.*js") if file.is_file()]
    assert dict(sums) == {
        file.relative_to(VENDOR).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }
    assert all((folder / "LICENSE").is_file() for folder in VENDOR.iterdir() if folder.is_dir())


def test_a_library_is_served_as_a_script(client: FlaskClient) -> None:
    with client.get("/static/any/vendor/markdown-it/markdown-it.esm.min.mjs") as file:
        assert file.mimetype == "text/javascript"
