"""The dashboard in a real browser, before a gateway on loopback with a live account, jobs and a finished run."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi import APIRouter, FastAPI

from deployments.gateway import sessions
from deployments.gateway.observability.install import install
from deployments.gateway.page import routes
from deployments.gateway.platform import accounts, jobs, models
from deployments.gateway.stream.route import stream
from nt_ray.access.api_keys import PREFIX
from nt_ray.config import Settings
from nt_ray.trader import files
from nt_ray.trader.event_stream import Channel, EventStream, Followed, news
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, State

CHROMIUM = Path("/usr/bin/chromium")


class Jobs:
    """Jobs of a book in this process, as far as the page asks for them."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.book: JobBook = self._thread.submit(JobBook, path).result()

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self._thread.submit(getattr(self.book, method), *arguments, **named).result()

    async def page(self, before: int | None, limit: int, state: str | None, kind: str | None) -> list[Job]:
        wanted = None if state is None else State(state)
        named = {"before": before, "limit": limit, "state": wanted, "kind": kind}
        return await asyncio.to_thread(self.call, "page", **named)

    def close(self) -> None:
        self.call("close")
        self._thread.shutdown()


@dataclass
class Platform:
    settings: Settings
    accounts: Any
    jobs: Jobs
    cluster: Any = field(default=None)


def text_of(pair: tuple[str, str]) -> str:
    """A key's id and secret in one, as it is given to people."""
    return f"{PREFIX}{pair[0]}_{pair[1]}"


@pytest.fixture
def jobs_book(tmp_path: Path) -> Iterator[Jobs]:
    found = Jobs(tmp_path / "jobs.sqlite")
    yield found
    found.close()


class Source:
    """The stream in this process; what the test publishes reaches the server's loop."""

    def __init__(self) -> None:
        self._stream: EventStream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        if self._stream is None:
            self._stream, self._loop = EventStream(), asyncio.get_running_loop()
        return await self._stream.follow(after, epoch, wait_s)

    def publish(self, channel: Channel, account: str) -> None:
        assert self._stream is not None
        assert self._loop is not None
        told = news(channel, datetime.now(UTC), {}, account=account)
        self._loop.call_soon_threadsafe(self._stream.publish, [told])


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def board(open_desk: Callable[..., Any], plan: Any, tmp_path: Path, jobs_book: Jobs, source: Source) -> Any:
    """A gateway with its dashboard, its stream and account `paper`."""
    write_run(tmp_path / "runs")

    def complete(app: FastAPI, settings: Settings, backend: Any, guards: Any) -> None:
        platform: Any = Platform(settings, backend.accounts, jobs_book)
        api = APIRouter(prefix="/api/v1")
        for part in (accounts, jobs, models):
            api.include_router(part.router(platform))
        app.include_router(api)
        app.include_router(routes.router(backend.accounts, tmp_path / "runs"))
        app.include_router(sessions.router(guards.gatekeeper, guards.limits))
        app.router.routes.append(stream(source, guards.gatekeeper))
        install(app, settings.observability, backend.accounts)

    places = {"runs": tmp_path / "runs", "neural.registry": tmp_path / "models", "neural.cache": tmp_path / "cache"}
    return open_desk(plan, complete=complete, **places)


def write_run(runs: Path) -> None:
    """Leave what the page reads of a run: three agents in a star, four days."""
    folder = runs / "20260105-150000-swarm-7"
    folder.mkdir(parents=True)
    days = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=n) for n in range(4)]
    pl.DataFrame(
        {"time": days, "equity": [100.0, 101.0, 99.5, 104.0], "benchmark": [100.0, 100.5, 101.0, 101.5]}
    ).write_parquet(folder / files.EQUITY)
    agents = {
        "agent": [0, 1, 2], "name": ["momentum-20", "pairs-<b>x</b>", "momentum-60"],
        "strategy": ["momentum", "pairs", "momentum"], "symbols": [2, 2, 2], "contribution": [0.04, -0.01, None],
        "mean_weight": [0.5, 0.25, 0.9], "silent_rounds": [0, 0, 0],
    }  # fmt: skip
    pl.DataFrame(agents).write_parquet(folder / files.AGENTS)
    (folder / files.GRAPH).write_text(json.dumps({"topology": "star", "edges": [[0, 1], [0, 2]]}))
    (folder / files.SUMMARY).write_text(json.dumps({"name": "swarm run", "benchmark": {"name": "equal weight"}}))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, headless; the tests are skipped where there is none.

    Its client keeps an event loop running in this thread, so it lives no longer than the tests of one module.
    """
    if not CHROMIUM.exists() and shutil.which("chromium") is None:
        pytest.skip(f"There is no browser at {CHROMIUM}: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=str(CHROMIUM if CHROMIUM.exists() else shutil.which("chromium")),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield found
        found.close()


@dataclass
class Tab:
    """A tab, and what its console has complained of."""

    page: Any
    complaints: list[str]
    text_of: Callable[[tuple[str, str]], str] = text_of

    def sign_in(self, url: str, pair: tuple[str, str]) -> None:
        self.page.goto(url)
        self.page.get_by_label("API key").fill(text_of(pair))
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("#live").filter(has_text="live").wait_for()


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Open a tab of its own; at the end nothing may have stood in its console but what a test has taken out."""
    opened: list[tuple[Any, Tab]] = []

    def make(**options: Any) -> Tab:
        context = browser.new_context(**options)
        page = context.new_page()
        page.set_default_timeout(30_000)
        tab = Tab(page, [])
        page.on("console", lambda m: tab.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        opened.append((context, tab))
        return tab

    yield make
    for context, _ in opened:
        context.close()
    assert [tab.complaints for _, tab in opened] == [[] for _ in opened]
