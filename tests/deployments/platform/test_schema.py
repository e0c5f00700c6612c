"""Every operation of the whole document, called with data made from its own schema and against it.

No answer is a failure of the server, each fits the schema that the document gives for it, and without a credential
none is served that the document does not call open.
"""

import json
from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deployments.gateway.middleware.idempotency import HEADER, UNKEPT
from deployments.gateway.openapi import ABSENT

EXAMPLES = 2
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
OPEN = {"/", "/assets/{name}", "/health/live", "/health/ready", "/metrics", "/api/v1/auth/token", "/api/v1/auth/revoke"}


@pytest.fixture(scope="module")
def own_house(new_house: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A house that may be left as it falls: whatever can be asked for is asked for here."""
    with new_house(tmp_path_factory.mktemp("schema")) as built:
        yield built


@pytest.fixture(scope="module")
def document(own_house: Any) -> dict[str, Any]:
    found: dict[str, Any] = own_house.app.openapi()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation) for path, found in document["paths"].items() for method, operation in found.items()
    ]


@pytest.mark.parametrize(
    ("mode", "who"),
    [(GenerationMode.POSITIVE, "admin"), (GenerationMode.NEGATIVE, "admin"), (GenerationMode.POSITIVE, "reader")],
)
def test_every_answer_fits_the_document(
    own_house: Any, document: dict[str, Any], mode: GenerationMode, who: str
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    calls: Counter[str] = Counter()
    faults: dict[str, str] = {}
    with requests.Session() as session:
        session.headers.update({"X-API-Key": own_house.keys[who], "NT-Account": "paper"})
        for found in schema.get_all_operations():
            operation = found.ok()
            try:
                statuses = _calls(operation.as_strategy(generation_mode=mode), own_house.url, session)
            except Unsatisfiable:
                # Nothing can be wrong about a request without parameters.
                assert mode is GenerationMode.NEGATIVE
                continue
            except (FailureGroup, AssertionError) as error:
                faults[operation.label] = f"{error} {getattr(error, 'exceptions', '')}"
                continue
            calls[operation.label] += len(statuses)
            if who == "reader" and operation.method != "get" and not operation.path.startswith(UNKEPT):
                assert all(status >= 400 for status in statuses), operation.label
            if mode is GenerationMode.NEGATIVE:
                assert any(status >= 400 for status in statuses), operation.label
    assert not faults, "\n".join(f"{label}: {fault}" for label, fault in faults.items())
    every = {f"{method.upper()} {path}" for method, path, _ in operations(document)}
    if mode is GenerationMode.POSITIVE:
        assert set(calls) == every
    assert calls.total() > len(every)


def _calls(cases: Any, url: str, session: requests.Session) -> list[int]:
    """Call an operation with some of its cases; the statuses that came back."""
    statuses: list[int] = []

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(cases)
    def call(case: Case) -> None:
        # A stream of events lasts as long as its job: those that there are have ended, or are not there.
        answer = case.call(base_url=url, session=session, timeout=20)
        statuses.append(answer.status_code)
        assert answer.status_code < 500, answer.content
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400 and case.method != "HEAD":
            assert json.loads(answer.content)["code"], answer.content

    call()
    return statuses


def test_without_a_credential_nothing_is_served_that_the_document_does_not_call_open(
    own_house: Any, document: dict[str, Any]
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    wide_open: set[str] = set()
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            statuses = set(_bare(cases, own_house.url, session))
            raw = document["paths"][operation.path][operation.method]
            if not raw.get("security", document["security"]) or {} in raw.get("security", ()):
                wide_open.add(operation.path)
                assert 401 not in statuses or operation.path.startswith("/api/v1/auth/"), operation.label
            else:
                assert statuses == {401}, (operation.label, statuses)
    assert wide_open <= OPEN


def _bare(cases: Any, url: str, session: requests.Session) -> list[int]:
    statuses: list[int] = []

    @settings(
        max_examples=1,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(cases)
    def call(case: Case) -> None:
        for name in ("Authorization", "X-API-Key", "APCA-API-KEY-ID", "APCA-API-SECRET-KEY"):
            case.headers.pop(name, None)
        statuses.append(case.call(base_url=url, session=session, timeout=20).status_code)

    call()
    return statuses


def test_every_operation_says_what_it_is_what_it_needs_and_what_it_answers(document: dict[str, Any]) -> None:
    names: Counter[str] = Counter()
    for method, path, operation in operations(document):
        where = (method, path)
        names[operation["operationId"]] += 1
        assert operation["summary"], where
        assert operation["tags"], where
        assert "security" in operation or document["security"], where
        answers = [code for code in operation["responses"] if code.startswith("2")]
        assert bool(answers) is (ABSENT not in operation["tags"]), where
        shown = [operation["responses"][code].get("content", {}) for code in answers or ["404"]]
        shown += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for content in shown:
            assert all("schema" in kind for kind in content.values()), where
            assert not content or any("example" in kind for kind in content.values()), where
        refusal = operation["responses"]["default"]["content"]
        assert set(refusal) == {"application/json" if path.startswith("/v2/") else "application/problem+json"}, where
        keys = [given for given in operation.get("parameters", []) if given["name"] == HEADER]
        assert len(keys) == (method != "get" and not path.startswith(UNKEPT)), where
    assert set(names.values()) == {1}


def test_every_example_fits_its_own_schema(document: dict[str, Any]) -> None:
    root = Resource(contents=document, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:document", root)
    checked = 0
    for where, schema, example in _examples(document, "#"):
        absolute = json.loads(json.dumps(schema).replace('"$ref": "#', '"$ref": "urn:document#'))
        faults = [fault.message for fault in Draft202012Validator(absolute, registry=registry).iter_errors(example)]
        assert not faults, (where, example, faults)
        checked += 1
    assert checked > 20


def _examples(node: Any, where: str) -> Any:
    """Each example of the document, with the schema that it stands beside."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _examples(item, f"{where}/{index}")
    if not isinstance(node, dict):
        return
    schema = node.get("schema", node)
    if isinstance(schema, dict) and ({"type", "$ref", "anyOf", "properties"} & set(schema)):
        if "example" in node and not isinstance(node.get("properties"), list):
            yield where, schema, node["example"]
        listed = node.get("examples", [])
        for example in listed.values() if isinstance(listed, dict) else listed:
            yield where, schema, example["value"] if isinstance(listed, dict) else example
    for key, item in node.items():
        if key not in ("example", "examples", "default"):
            yield from _examples(item, f"{where}/{key}")
