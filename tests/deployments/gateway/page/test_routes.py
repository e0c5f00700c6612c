"""What the page is made of and asks for, without a browser."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from deployments.gateway.page import curve
from deployments.gateway.page.files import names
from nt_ray.access.roles import Role
from nt_ray.trader import files
from nt_ray.trader.live_readings import EquityCurve
from nt_ray.trader.live_session import Condition, SessionStatus
from nt_ray.trader.session_store import KeptSession, Phase, SessionPlan


def test_the_page_runs_scripts_of_its_own_origin_alone(board: Any) -> None:
    with httpx.Client(base_url=board.url) as client:
        page = client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|https?://", page.text)
        texts = {}
        for name in sorted(names()):
            found = client.get(f"/assets/{name}")
            assert found.status_code == 200
            assert found.headers["x-content-type-options"] == "nosniff"
            again = client.get(f"/assets/{name}", headers={"If-None-Match": found.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            texts[name] = found.text
        linked = {name for text in (page.text, *texts.values()) for name in re.findall(r"/assets/([\w.]+)", text)}
        assert linked == names()
        own = "".join(text for name, text in texts.items() if not name.startswith("plotly"))
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage", own)
        for path in ("/assets/index.html", "/assets/../page.py", "/assets/%2e%2e%2ffiles.py"):
            assert client.get(path).status_code == 404
        assert client.get("/api/v1/me").status_code == 401


def test_the_script_of_the_figures_is_kept_for_as_long_as_its_version_lasts(board: Any) -> None:
    with httpx.Client(base_url=board.url) as client:
        (address,) = re.findall(r'data-plotly="([^"]+)"', client.get("/").text)
        assert "immutable" in client.get(address).headers["cache-control"]
        for other in ("/assets/plotly.min.js", address + "9", "/assets/main.js"):
            assert client.get(other).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("accepted", "coding"), [("gzip;q=0", None), ("*", "gzip"), ("", None), ("x-gzip", "gzip")])
def test_the_page_is_compressed_for_whoever_takes_that_and_known_by_either_kind_of_tag(
    board: Any, accepted: str, coding: str | None
) -> None:
    with httpx.Client(base_url=board.url, headers={"Accept-Encoding": accepted}) as client:
        found = client.get("/")
        assert (found.status_code, found.headers.get("content-encoding")) == (200, coding)
        assert "</html>" in found.text
        tag = found.headers["etag"].removeprefix("W/")
        # A proxy that compresses makes a tag weak, and who has several versions names them all.
        for shown in (tag, f"W/{tag}", f'"older", W/{tag}'):
            assert client.get("/", headers={"If-None-Match": shown}).status_code == 304
        assert client.get("/", headers={"If-None-Match": '"older"'}).status_code == 200


def test_equity_comes_with_its_benchmark_and_an_account_with_nothing_has_no_tails(board: Any) -> None:
    with board.client(board.new_key(Role.READ_ONLY)) as client:
        found = client.get("/api/v1/dashboard/accounts/second/equity", params={"days": 7}).json()
        assert found["symbols"] == ["AAPL", "MSFT"]
        assert set(found["equity"]) == set(found["benchmark"]) == {100_000.0}
        assert client.get("/api/v1/dashboard/accounts/second/equity", params={"days": 0}).status_code == 422
        tails = client.get("/api/v1/dashboard/accounts/second/tails").json()
        assert tails == {"periods": 0, "until": "", "rows": [], "refused": ""}
        assert client.get("/api/v1/dashboard/models").json() == {"models": [], "next": None}
        for path in ("", "/equity", "/tails"):
            assert client.get(f"/api/v1/dashboard/accounts/nobody{path}").status_code == 404


def test_what_an_account_holds_is_at_risk_and_what_the_data_lack_is_said(board: Any) -> None:
    with board.client(board.new_key(Role.USER)) as client:
        order = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        assert client.post("/v2/orders", json=order, headers={"NT-Account": "paper"}).status_code == 200
        live = board.backend.accounts.live["paper"]
        while not any(h.quantity and h.mark for h in live.overview().holdings):
            live.sync()
        tails = client.get("/api/v1/dashboard/accounts/paper/tails").json()
        assert (tails["refused"], {row["method"] for row in tails["rows"]}) == (
            "", {"historical", "normal", "student_t", "monte_carlo_t"},
        )  # fmt: skip
        assert all(0 < row["var"] < row["es"] < 0.1 for row in tails["rows"])


def test_a_long_curve_is_thinned_and_keeps_its_newest_point() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    samples = tuple((start + timedelta(minutes=n), Decimal(100 + n)) for n in range(2 * curve.MOST_POINTS + 5))
    levels = tuple((time, Decimal(2)) for time, _ in samples)
    found = curve.view(EquityCurve(samples, None, (), levels, ("KO",)))
    assert len(found.times) == len(found.equity) == len(found.benchmark) <= curve.MOST_POINTS
    assert (found.times[-1], found.equity[-1]) == (samples[-1][0].isoformat(), float(samples[-1][1]))
    assert found.times == sorted(found.times)
    assert set(found.benchmark) == {100.0}


def test_a_gateway_without_a_run_says_so_and_is_no_refusal(board: Any) -> None:
    runs = board.settings.runs
    with board.client(board.new_key(Role.READ_ONLY)) as client:
        assert client.get("/api/v1/dashboard/run").json()["run"]["run"] == "20260105-150000-swarm-7"
        away = runs.rename(runs.with_name("runs-away"))
        found = client.get("/api/v1/dashboard/run")
        away.rename(runs)
        assert (found.status_code, found.json()) == (200, {"run": None})
        (runs / "20260105-150000-swarm-7" / files.OWNERS).write_text("bob\n")
        hidden = client.get("/api/v1/dashboard/run").json()
        (runs / "20260105-150000-swarm-7" / files.OWNERS).unlink()
        assert hidden == {"run": None}


def test_sessions_are_those_of_ones_own_accounts(board: Any, live_sessions: Any) -> None:
    live_sessions.told = [session("momentum-1", "paper"), session("pairs-1", "second")]
    for accounts, wanted in ((None, ["momentum-1", "pairs-1"]), (frozenset({"second"}), ["pairs-1"])):
        with board.client(board.new_key(Role.READ_ONLY, accounts)) as client:
            found = client.get("/api/v1/dashboard/sessions").json()["sessions"]
            assert [one["session"] for one in found] == wanted
    live_sessions.told = []


def test_pages_of_sessions_hold_each_of_ones_own_once_in_the_order_in_which_they_were_begun(
    board: Any, live_sessions: Any
) -> None:
    moments = (timedelta(seconds=1), timedelta(), timedelta(microseconds=5), timedelta(days=1), timedelta())
    live_sessions.told = [session(f"s-{n}", "paper", moment) for n, moment in enumerate(moments)]
    live_sessions.told[1:1] = [session("strange-1", "second")]
    pages: list[list[str]] = []
    asked: dict[str, Any] = {"limit": 2}
    with board.client(board.new_key(Role.READ_ONLY, frozenset({"paper"}))) as client:
        while True:
            told = client.get("/api/v1/dashboard/sessions", params=asked).json()
            pages.append([one["session"] for one in told["sessions"]])
            if told["next"] is None:
                break
            asked["cursor"] = told["next"]
            # One that was shown ends meanwhile: the others move up, and none is left out.
            live_sessions.told = [one for one in live_sessions.told if one.session.id != pages[0][0]]
        assert pages == [["s-1", "s-4"], ["s-2", "s-0"], ["s-3"]]
        whole = client.get("/api/v1/dashboard/sessions", params={"limit": 4}).json()
        assert (len(whole["sessions"]), whole["next"]) == (4, None)
        for wrong in ({"cursor": "x"}, {"limit": 0}, {"limit": 501}):
            assert client.get("/api/v1/dashboard/sessions", params=wrong).status_code == 422
    live_sessions.told = []


def session(name: str, account: str, after: timedelta = timedelta()) -> SessionStatus:
    plan = SessionPlan(account, name.partition("-")[0], ("AAPL",))
    begun = datetime(2026, 1, 5, 15, tzinfo=UTC) + after
    return SessionStatus(
        KeptSession(name, plan, Phase.RUNNING, "ann", "trial", begun, None), Condition.BEGINNING, "It begins."
    )
