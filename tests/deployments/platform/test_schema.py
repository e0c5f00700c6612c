"""Every operation of the document, called with data made from its own schema and against it.

No answer is a failure of the server, and each fits the schema that the document gives for it.
"""

import json
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

PREFIX = "/api/v1/"
NOT_BUILT = 501
EXAMPLES = 5
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_fits_the_document(house: Any, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_dict(house.app.openapi()).include(path_regex=f"^{PREFIX}")
    called = 0
    with requests.Session() as session:
        session.headers["X-API-Key"] = house.keys["admin"]
        for found in document.get_all_operations():
            operation = found.ok()
            try:
                cases = operation.as_strategy(generation_mode=mode)
                statuses = _calls(cases, house.url, session)
            except Unsatisfiable:
                # Nothing can be wrong about a request without parameters.
                assert mode is GenerationMode.NEGATIVE
                continue
            called += 1
            if mode is GenerationMode.NEGATIVE:
                assert any(status >= 400 for status in statuses), operation.label
    assert called >= (33 if mode is GenerationMode.POSITIVE else 20)


def _calls(cases: Any, url: str, session: requests.Session) -> list[int]:
    """Call an operation with some of its cases; the statuses that came back."""
    statuses: list[int] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(cases)
    def call(case: Case) -> None:
        # A stream of events lasts as long as its job: those that there are have ended, or are not there.
        answer = case.call(base_url=url, session=session, timeout=20)
        statuses.append(answer.status_code)
        told = json.loads(answer.content) if "json" in str(answer.headers.get("content-type")) else {}
        if answer.status_code == NOT_BUILT:
            assert told["code"] == "not_available"
        else:
            assert answer.status_code < 500, answer.content
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400 and case.method != "HEAD":
            assert told.get("code"), answer.content

    call()
    return statuses


def test_every_operation_of_the_document_says_what_it_is_and_shows_what_it_answers(house: Any) -> None:
    document = house.app.openapi()
    for path, methods in document["paths"].items():
        if not path.startswith(PREFIX):
            continue
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["tags"], (method, path)
            answers = [code for code in operation["responses"] if code.startswith("2")]
            assert answers, (method, path)
            for content in operation["responses"][answers[0]].get("content", {}).values():
                assert content or path.endswith(("/events", "/{name}")), (method, path)
