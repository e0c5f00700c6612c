"""The Grafana dashboard asks for nothing that is not exported, by no label that it does not bear."""

import asyncio
import json
import re
from collections.abc import Callable
from importlib.resources import files

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

WORDS = {"sum", "max", "min", "by", "rate", "histogram_quantile", "label_values", "le"}
SCRAPERS = {"instance", "job"}
"""Labels that Prometheus itself adds."""


def exported(app: FastAPI) -> dict[str, set[str]]:
    """Labels by name of sample, of an application that has answered one request, on a machine with a GPU or without."""

    async def scrape() -> str:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as session:
            await session.get("/things/1")
            return (await session.get("/metrics")).text

    found: dict[str, set[str]] = {"gpu_utilization_percent": {"gpu"}}
    text = asyncio.run(scrape())
    assert "# TYPE gpu_utilization_percent gauge" in text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def questions() -> list[str]:
    board = json.loads(files("deployments.gateway.observability").joinpath("grafana.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return asked + [found["query"] for found in board["templating"]["list"] if found["type"] == "query"]


def test_every_metric_and_label_of_the_dashboard_is_exported(build: Callable[..., FastAPI]) -> None:
    known = exported(build())
    asked = set()
    for question in questions():
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\([\w, ]*\)(?= \()|\b[\d.]+\b", " ", question)
        names = set(re.findall(r"[a-z_]{3,}", bare.split(",")[0] if "label_values" in question else bare)) - WORDS
        assert names <= set(known), question
        asked |= names
        labels = set(re.findall(r"(\w+)=~?\"", question))
        for group in re.findall(r"by \(([\w, ]*)\)", question):
            labels |= set(group.split(", "))
        assert labels <= set().union(*(known[name] for name in names)) | SCRAPERS, question
    assert {
        "http_requests_total",
        "http_request_duration_seconds_bucket",
        "trades_executed_total",
        "trade_pnl",
    } <= asked


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    board = json.loads(files("deployments.gateway.observability").joinpath("grafana.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
