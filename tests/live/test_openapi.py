"""A running gateway answers as its OpenAPI document says, checked by schemathesis."""

import os
import subprocess
import sys
from pathlib import Path

import requests
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from tests.programs import ROOT, start_gateway, start_mock

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",  # not positive_data_acceptance: no schema has every rule
    "unsupported_method",
)
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]

[[operations]]
include-path-regex = '^/(openai|\\{format\\})/v1/|/count_tokens$'
phases.coverage.enabled = false
"""
"""501 is what the gateway does not offer of an API. Hundreds of cases for each rule of a schema are
tried at the first paths of an API; its other paths have the same schema and code."""
COMPACTION = "/responses/compact$"
"""Takes any history, has no answer if the model writes none within the limit, and is with another
method the path of a response called `compact`."""


def test_the_document_is_valid_openapi(gateway_url: str) -> None:
    document = requests.get(f"{gateway_url}/openapi.json", timeout=60).json()
    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


def test_the_gateway_answers_as_the_document_says(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [
        *(str(Path(sys.executable).parent / "st"), "run"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "coverage,fuzzing", "--exclude-path-regex", COMPACTION),
        *("--max-examples", "2", "--seed", "1", "--generation-database", "none"),
        *("--request-timeout", "60", "--no-color"),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.live.openapi_hooks", "PYTHONPATH": str(ROOT)}
    with start_mock("--tokens-per-second", "0") as mock, start_gateway(mock.url) as gateway:
        run = subprocess.run(
            [*command, f"{gateway.url}/openapi.json"],
            cwd=tmp_path,
            env=os.environ | hooks,
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert run.returncode == 0, run.stdout[-8000:]
