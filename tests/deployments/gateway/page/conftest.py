"""The dashboard in a real browser, before one gateway on loopback for all tests of a module.

It has two live accounts, jobs and a finished run. What a test leaves in the account `paper` is taken away after it.
"""

import asyncio
import json
import os
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
from deployments.gateway.platform import accounts, jobs
from deployments.gateway.stream.route import stream
from nt_ray.access.api_keys import PREFIX
from nt_ray.config import Settings
from nt_ray.trader import files
from nt_ray.trader.event_stream import Channel, EventStream, Followed, news
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, State
from nt_ray.trader.live_session import SessionStatus

REPOSITORY = Path(__file__).parents[4]
CHROMIUM = Path("/usr/bin/chromium")
SCRIPT = "text/javascript"
NO_PLOTLY = "window.Plotly = { react() {}, purge() {} };"


class Jobs:
    """Jobs of a book in this process, as far as the page asks for them."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.book: JobBook = self._thread.submit(JobBook, path).result()

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self._thread.submit(getattr(self.book, method), *arguments, **named).result()

    async def page(
        self, before: int | None, limit: int, state: str | None, kind: str | None, owner: str | None = None
    ) -> list[Job]:
        wanted = None if state is None else State(state)
        named = {"before": before, "limit": limit, "state": wanted, "kind": kind, "owner": owner}
        return await asyncio.to_thread(self.call, "page", **named)

    async def find(self, job: str) -> Job:
        found: Job = await asyncio.to_thread(self.call, "find", job)
        return found

    async def cancel(self, job: str) -> Job:
        found: Job = await asyncio.to_thread(self.call, "cancel", job)
        return found

    def close(self) -> None:
        self.call("close")
        self._thread.shutdown()


class Sessions:
    """Live sessions as a test writes them down."""

    def __init__(self) -> None:
        self.told: list[SessionStatus] = []

    async def statuses(self, account: str) -> list[SessionStatus]:
        return [told for told in self.told if account in ("", told.session.plan.account)]


@dataclass
class Platform:
    settings: Settings
    accounts: Any
    jobs: Jobs
    sessions: Sessions
    cluster: Any = field(default=None)


def text_of(pair: tuple[str, str]) -> str:
    """A key's id and secret in one, as it is given to people."""
    return f"{PREFIX}{pair[0]}_{pair[1]}"


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Folder that keeps pictures of the page, for people: `NTRAY_ARTEFACTS`, or build/screenshots."""
    folder = Path(os.environ.get("NTRAY_ARTEFACTS") or REPOSITORY / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def jobs_book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    found = Jobs(tmp_path_factory.mktemp("jobs") / "jobs.sqlite")
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

    def forget(self) -> None:
        """Begin anew, as a stream does whose process died."""
        if self._stream is not None and self._loop is not None:
            old, self._stream = self._stream, EventStream()
            # Whoever waits for the old one is woken, asks the new one next, and is answered at once.
            for stream in (old, self._stream):
                self._loop.call_soon_threadsafe(stream.publish, [news(Channel.JOBS, datetime.now(UTC), {})])

    def publish(self, channel: Channel, account: str = "", symbol: str = "", **data: Any) -> None:
        assert self._stream is not None
        assert self._loop is not None
        told = news(channel, datetime.now(UTC), data, account=account, symbol=symbol)
        self._loop.call_soon_threadsafe(self._stream.publish, [told])


@pytest.fixture(scope="module")
def source() -> Source:
    return Source()


@pytest.fixture(scope="module")
def live_sessions() -> Sessions:
    return Sessions()


@pytest.fixture(scope="module")
def gateway(
    open_shared: Any, jobs_book: Jobs, live_sessions: Sessions, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A gateway with its dashboard, its stream, and the accounts `paper` and `second`."""
    folder = tmp_path_factory.mktemp("page")
    write_run(folder / "runs")

    def complete(app: FastAPI, settings: Settings, backend: Any, guards: Any) -> None:
        platform: Any = Platform(settings, backend.accounts, jobs_book, live_sessions)
        api = APIRouter(prefix="/api/v1")
        for part in (accounts, jobs):
            api.include_router(part.router(platform))
        app.include_router(api)
        app.include_router(routes.router(platform))
        app.include_router(sessions.router(guards.gatekeeper, guards.limits))
        app.router.routes.append(stream(source, guards.gatekeeper))
        install(app, settings.observability, backend.accounts)

    places = {"runs": folder / "runs", "neural.registry": folder / "models", "neural.cache": folder / "cache"}
    return open_shared("paper", "second", complete=complete, **places)


@pytest.fixture
def board(gateway: Any, source: Source) -> Iterator[Any]:
    """The gateway; after the test no order of `paper` works, nothing of it is stopped, and the stream begins anew."""
    yield gateway
    source.forget()
    live = gateway.backend.accounts.live["paper"]
    for scope in live.state().halts:
        live.resume(scope, "test", "the test is over")
    live.cancel_all()


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

    def make(*, figures: bool = False, **options: Any) -> Tab:
        """Without `figures` plotly is replaced: to read its script takes longer than most tests."""
        context = browser.new_context(**options)
        page = context.new_page()
        if not figures:
            page.route("**/assets/plotly.min.js?*", lambda route: route.fulfill(body=NO_PLOTLY, content_type=SCRIPT))
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
