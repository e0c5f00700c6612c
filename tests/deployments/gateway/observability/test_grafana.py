"""Dashboard and alerts ask for nothing that is not exported, by no label that it does not bear."""

import asyncio
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

FOLDER = files("deployments.gateway.observability")
PAGE = Path(__file__).parents[4] / "docs" / "observability.md"
WORDS = {"sum", "max", "min", "by", "rate", "increase", "histogram_quantile", "label_values", "le", "delta", "time"}
SCRAPERS = {"instance", "job"}
"""Labels that Prometheus itself adds."""
OWN = {"up"}
"""Series that Prometheus itself adds."""
DURATION = re.compile(r"[1-9]\d*[smh]")


@pytest.fixture
def exported(build: Callable[..., FastAPI]) -> dict[str, set[str]]:
    """Labels by name of sample, of an application that has answered one request, on a machine with a GPU or without."""

    async def scrape() -> str:
        transport = httpx.ASGITransport(build(), client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as session:
            await session.get("/things/1")
            return (await session.get("/metrics")).text

    found: dict[str, set[str]] = {
        name: {"node", "gpu"} for name in ("gpu_utilization_percent", "gpu_memory_used_bytes")
    }
    text = asyncio.run(scrape())
    assert "# TYPE gpu_utilization_percent gauge" in text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FOLDER.joinpath("grafana.json").read_text())
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(FOLDER.joinpath("alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def asked(question: str, known: dict[str, set[str]]) -> tuple[set[str], set[str]]:
    """Check a question; give the series that it asks for, and the labels of its answer."""
    assert question.count("(") == question.count(")")
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([\w, ]*\)|\b[\d.]+\b", " ", question)
    series = set(re.findall(r"[a-z_]{2,}", bare.split(",")[0] if "label_values" in question else bare)) - WORDS
    assert series <= set(known) | OWN, question
    grouped = {label for group in re.findall(r"by \(([\w, ]*)\)", question) for label in group.split(", ")}
    labels = set(re.findall(r"(\w+)[=!]~?\"", question)) | grouped
    bears = set().union(*(known.get(name, set()) for name in series))
    assert labels <= bears | SCRAPERS, question
    assert all(DURATION.fullmatch(span) for span in re.findall(r"\[([^]]*)\]", question)), question
    return series, grouped


def test_every_metric_and_label_of_the_dashboard_is_exported(exported: dict[str, set[str]]) -> None:
    panels, variables = board()["panels"], board()["templating"]["list"]
    questions = [target["expr"] for panel in panels for target in panel["targets"]]
    questions += [found["query"] for found in variables if found["type"] == "query"]
    found = set().union(*(asked(question, exported)[0] for question in questions))
    assert {
        "http_requests_total", "http_request_duration_seconds_bucket", "trades_executed_total", "trade_pnl",
        "process_resident_memory_bytes", "gpu_utilization_percent", "venue_up", "orders_in_doubt",
        "risk_used", "risk_limit", "portfolio_value_at_risk", "jobs", "live_sessions",
    } <= found  # fmt: skip
    for panel in panels:
        for target in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            series, grouped = asked(target["expr"], exported)
            assert used <= (grouped or exported[min(series)]), target


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_exported_and_says_what_to_do(
    rule: dict[str, Any], exported: dict[str, set[str]]
) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    _, grouped = asked(rule["expr"], exported)
    assert re.search(r"(==|>) [\d.]+$", rule["expr"])
    assert DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description"}
    written = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", written)) <= grouped


def test_alerts_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_page_lists_every_series_with_its_labels_and_no_other(exported: dict[str, set[str]]) -> None:
    table = re.findall(r"^\| `(\w+)(?:\{([\w, ]*)\})?` \|", PAGE.read_text().partition("## Logs")[0], re.MULTILINE)
    listed = {name: {label for label in labels.split(", ") if label} for name, labels in table}
    families: dict[str, set[str]] = {}
    for name, labels in exported.items():
        if not name.startswith(("process_", "python_")):
            families.setdefault(re.sub(r"_(bucket|count|sum)$", "", name), set()).update(labels - {"le"})
    assert listed == families
