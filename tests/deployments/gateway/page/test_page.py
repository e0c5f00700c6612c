"""The dashboard as a person uses it: in Chromium, before a running gateway. Screenshots stay in the run's folder."""

import json
import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from nt_ray.access.roles import Role
from nt_ray.trader.event_stream import Channel
from nt_ray.trader.jobs.job import State
from nt_ray.trader.live_session import Condition, SessionStatus
from nt_ray.trader.session_store import KeptSession, Phase, SessionPlan
from nt_ray.trading.orders import OrderStatus

PAPER = frozenset({"paper"})
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2,
}  # fmt: skip
AUDIT = (Path(__file__).parent / "audit.js").read_text()
Open = Callable[..., Any]


def buy(desk: Any, name: str, **changes: Any) -> httpx.Response:
    order = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "limit", "limit_price": "50", "time_in_force": "gtc"}
    with desk.client() as client:
        return client.post("/v2/orders", json=order | {"client_order_id": name} | changes)


def row(tab: Any, name: str) -> Any:
    return tab.page.locator(f'tr[data-key="{name}"]')


def admin(desk: Any) -> tuple[str, str]:
    found: tuple[str, str] = desk.new_key(Role.ADMIN)
    return found


def decide(source: Any, target: str, *agents: tuple[str, str, float, float], symbol: str = "AAPL") -> None:
    named = ("agent", "strategy", "opinion", "weight")
    told = [dict(zip(named, agent, strict=True)) for agent in agents]
    at = "2026-01-08T21:00:00+00:00"
    source.publish(Channel.DECISIONS, symbol=symbol, source="swarm-7", bar_time=at, target=target, agents=told)


def test_whoever_signs_in_sees_every_panel_and_leaves_nothing_behind(
    board: Any, open_tab: Open, jobs_book: Any, screenshots: Path
) -> None:
    board.gatekeeper.users.add("ann", Role.ADMIN, password="correct horse battery")
    job = jobs_book.call("submit", "backtest", {}, EVIL)
    jobs_book.call("begin", job.id)
    tab = open_tab(figures=True, viewport={"width": 1440, "height": 900})
    tab.page.goto(board.url)
    tab.page.get_by_label("API key").fill("nt_wrong")
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.locator("#login-error").filter(has_text=re.compile(r"\w+")).wait_for()
    assert [text for text in tab.complaints if "401" not in text] == []
    tab.complaints.clear()
    tab.page.get_by_label("Name").fill("ann")
    tab.page.get_by_label("Password").fill("correct horse battery")
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.locator("#live").filter(has_text="live").wait_for()
    tab.page.locator("#tiles").filter(has_text="100,000.00").wait_for()
    assert tab.page.locator("#who").inner_text() == "ann (admin)"
    tab.page.locator("#swarm-figure .main-svg").first.wait_for()
    tab.page.locator("#run-figure .main-svg").first.wait_for()
    assert "pairs-<b>x</b>" in tab.page.locator("#swarm-table").inner_text()
    shown = row(tab, job.id)
    shown.filter(has_text=State.RUNNING.value).wait_for()
    assert EVIL in shown.inner_text()
    tab.page.locator("#models-body").filter(has_text="No model is registered.").wait_for()
    tab.page.locator("#risk-body").filter(has_text="Concentration").wait_for()
    tab.page.screenshot(path=screenshots / "dashboard.png", full_page=True)
    held = json.loads(tab.page.evaluate("sessionStorage.getItem('nt-ray-tokens')"))
    tab.page.get_by_role("button", name="Sign out").click()
    tab.page.locator("#login").wait_for(state="visible")
    assert tab.page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    left = tab.page.locator("#app").text_content()
    assert not re.search(r"100,000|ann|backtest|pairs|momentum|paper", left)
    tab.page.wait_for_load_state("networkidle")
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {held['access_token']}"}) as client:
        assert client.get("/api/v1/me").status_code == 401


def test_a_live_session_is_told_from_its_start_on_with_what_it_decided_last(
    board: Any, open_tab: Open, source: Any, live_sessions: Any
) -> None:
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    tab.page.locator("#sessions-body").filter(has_text="No strategy trades an account by itself.").wait_for()
    live_sessions.told = [session(f"a trial {EVIL}")]
    source.publish(Channel.ORDERS, "paper")
    shown = row(tab, "sma_cross-1")
    shown.filter(has_text="beginning").wait_for()
    told = [text.split("\n") for text in shown.get_by_role("cell").all_inner_texts()]
    assert [cell[0] for cell in told] == ["sma cross", "paper", "beginning", "\u2013", "01-05 15:30"]
    assert (told[2][-1], told[4][-1]) == ("It waits for its first bar.", f"ann: a trial {EVIL}")
    order = {"client_order_id": "x", "symbol": "AAPL", "side": "buy", "quantity": "3", "status": "denied",
             "rule": "max_heat", "reason": "too hot"}  # fmt: skip
    traded = replace(live_sessions.told[0], condition=Condition.TRADED, sentence="It has traded.",
                     stamp="2026-01-08T21:00:00+00:00", outcomes=(order,), missing=("MSFT",))  # fmt: skip
    live_sessions.told = [traded]
    source.publish(Channel.ORDERS, "paper")
    shown.filter(has_text="traded").wait_for()
    text = shown.inner_text()
    assert all(part in text for part in ("01-08 21:00", "buy 3 AAPL: denied (heat)", "No price of MSFT."))
    live_sessions.told = []


def test_a_job_is_cancelled_by_who_may_once_he_has_confirmed_it(
    board: Any, open_tab: Open, jobs_book: Any, source: Any
) -> None:
    job = jobs_book.call("submit", "sweep", {}, "somebody").id
    jobs_book.call("begin", job)
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    button = row(tab, job).get_by_role("button", name=f"Cancel {job}")
    button.click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_text("Cancel this sweep?").wait_for()
    assert dialog.get_by_label("Reason").is_hidden()
    # Who only strikes Enter lets it run.
    tab.page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    assert jobs_book.call("find", job).cancel_asked is False
    button.click()
    dialog.get_by_role("button", name="Cancel job").click()
    row(tab, job).filter(has_text="ending").wait_for()
    assert jobs_book.call("find", job).cancel_asked is True
    jobs_book.call("stopped", job, 1)
    known = {user.name for user in board.gatekeeper.users.all()}
    reader = board.new_key(Role.READ_ONLY)
    (name,) = {user.name for user in board.gatekeeper.users.all()} - known
    own = jobs_book.call("submit", "sweep", {}, name).id
    jobs_book.call("begin", own)
    other = open_tab()
    other.sign_in(board.url, reader)
    row(other, own).filter(has_text="running").wait_for()
    assert other.page.locator("#jobs-body").get_by_role("button").count() == 0
    assert row(other, job).count() == 0
    jobs_book.call("cancel", own)
    jobs_book.call("stopped", own, 1)


def test_a_gateway_without_a_run_leaves_no_refusal_in_the_console(board: Any, open_tab: Open) -> None:
    runs = board.settings.runs
    away = runs.rename(runs.with_name("runs-away"))
    try:
        tab = open_tab()
        tab.sign_in(board.url, admin(board))
        tab.page.locator("#run-figure").filter(has_text="No swarm has finished a run yet.").wait_for()
    finally:
        away.rename(runs)
    assert tab.complaints == []


def test_an_order_appears_as_soon_as_the_stream_tells_of_it_and_without_the_stream_too(
    board: Any, open_tab: Open, source: Any
) -> None:
    tab = open_tab()
    tab.page.clock.install()
    tab.sign_in(board.url, admin(board))
    tab.page.clock.pause_at(tab.page.evaluate("Date.now()") + 1)
    assert buy(board, "soon-1").status_code == 200
    source.publish(Channel.ORDERS, "paper")
    before_it_asks_by_itself(tab, row(tab, "soon-1").filter(has_text="accepted"))
    assert buy(board, "soon-2", limit_price="1000000").status_code == 403
    source.publish(Channel.ORDERS, "second")
    source.publish(Channel.RISK, "paper")
    denied = row(tab, "soon-2").filter(has_text="denied")
    before_it_asks_by_itself(tab, denied)
    assert denied.locator(".why").inner_text().startswith("price collar: ")
    tab.page.get_by_role("button", name=re.compile("^Refused")).click()
    row(tab, "soon-1").wait_for(state="detached")
    denied.wait_for()
    tab.page.clock.resume()
    tab.page.route_web_socket("**/stream/v1", lambda socket: socket.close())
    tab.page.reload()
    tab.page.locator("#live").filter(has_text="polling").wait_for()
    board.backend.accounts.live["paper"].cancel("soon-1")
    row(tab, "soon-1").filter(has_text="canceled").wait_for()


def before_it_asks_by_itself(tab: Any, wanted: Any) -> None:
    """Wait for something while the page's time moves by less than lies between two questions of its own.

    It moves at all since what happens while an answer is on its way is asked for a moment later.
    """
    from playwright.sync_api import TimeoutError as LateError

    for _ in range(10):
        tab.page.clock.run_for(200)
        with suppress(LateError):
            wanted.wait_for(timeout=5_000)
            return
    wanted.wait_for(timeout=1)


def test_the_kill_switch_asks_why_then_stops_and_lets_go_on(
    board: Any, open_tab: Open, source: Any, screenshots: Path
) -> None:
    live = board.backend.accounts.live["paper"]
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    assert buy(board, "kill-1").status_code == 200
    row(tab, "kill-1").filter(has_text="accepted").wait_for()
    tab.page.get_by_role("button", name="Stop trading").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    assert live.state().halts == {}
    tab.page.get_by_role("button", name="Stop trading").click()
    dialog.get_by_role("button", name="Stop trading").click()
    dialog.get_by_text("Say why.").wait_for()
    dialog.get_by_label("Reason").fill(f"Prices look wrong. {EVIL}")
    tab.page.screenshot(path=screenshots / "kill-switch.png")
    dialog.get_by_role("button", name="Stop trading").click()
    tab.page.locator("#halted").filter(has_text=f"Prices look wrong. {EVIL}").wait_for()
    while live.order("kill-1").status is not OrderStatus.CANCELED:
        time.sleep(0.01)
    source.publish(Channel.ORDERS, "paper")
    row(tab, "kill-1").filter(has_text="canceled").wait_for()
    assert "account" in live.state().halts
    assert buy(board, "kill-2").status_code == 403
    live.halt("symbol:MSFT", "desk", "a rumour")
    source.publish(Channel.RISK, "paper")
    tab.page.get_by_role("button", name="Resume symbol:MSFT").click()
    dialog.get_by_label("Reason").fill("It was none.")
    dialog.get_by_role("button", name="Resume symbol:MSFT").click()
    tab.page.locator("#halted").filter(has_not_text="rumour").wait_for()
    assert set(live.state().halts) == {"account"}
    tab.page.get_by_role("button", name="Resume trading").click()
    dialog.get_by_label("Reason").fill("They are right.")
    dialog.get_by_role("button", name="Resume trading").click()
    tab.page.locator("#halted").wait_for(state="hidden")
    assert live.state().halts == {}


def test_who_may_not_stop_trading_sees_no_switch_and_is_refused(board: Any, open_tab: Open) -> None:
    pair = board.new_key(Role.READ_ONLY, PAPER)
    tab = open_tab()
    tab.sign_in(board.url, pair)
    tab.page.locator("#tiles").filter(has_text="Equity").wait_for()
    assert tab.page.locator("#kill").is_hidden()
    assert "config:read" in tab.page.locator("#logs-body").inner_text()
    assert tab.page.locator("#account option").all_inner_texts() == ["paper"]
    body = {"scope": "account", "reason": "no"}
    with board.client(pair) as client:
        assert client.post("/api/v1/dashboard/accounts/paper/halt", json=body).status_code == 403
        for path in ("", "/equity", "/tails"):
            assert client.get(f"/api/v1/dashboard/accounts/second{path}").status_code == 403
    with board.client(admin(board)) as client:
        assert client.post("/api/v1/dashboard/accounts/other/halt", json=body).status_code == 404
        assert client.post("/api/v1/dashboard/accounts/paper/halt", json=body | {"scope": "all"}).status_code == 422
        assert client.post("/api/v1/dashboard/accounts/paper/halt", json=body | {"more": 1}).status_code == 422


def test_the_switch_is_that_of_the_account_whose_name_is_shown(board: Any, open_tab: Open, source: Any) -> None:
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    tab.page.locator("#kill").wait_for(state="visible")
    held: list[Any] = []
    tab.page.route("**/api/v1/dashboard/accounts/paper?*", lambda route: held.append(route))
    source.publish(Channel.ORDERS, "paper")
    while not held:
        tab.page.wait_for_timeout(10)
    tab.page.locator("#account").select_option("second")
    tab.page.locator("#kill").wait_for(state="visible")
    with tab.page.expect_response("**/accounts/paper?*"):
        held[0].continue_()
    tab.page.get_by_role("button", name="Stop trading").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_text("Stop trading in second?").wait_for()
    dialog.get_by_label("Reason").fill("Only this one.")
    dialog.get_by_role("button", name="Stop trading").click()
    tab.page.locator("#halted").filter(has_text="Only this one.").wait_for()
    accounts = board.backend.accounts.live
    assert (accounts["paper"].state().halts, set(accounts["second"].state().halts)) == ({}, {"account"})
    accounts["second"].resume("account", "test", "the test is over")


def test_a_figure_is_drawn_again_where_another_account_was_shown_meanwhile(board: Any, open_tab: Open) -> None:
    def answer(route: Any) -> None:
        times = [f"2026-01-05T15:0{minute}:00+00:00" for minute in range(3)]
        values = [1.0, 2.0, 3.0] if "/paper/" in route.request.url else []
        told = {"benchmark_name": "held", "symbols": ["KO"], "benchmark": values}
        route.fulfill(json={"times": times[: len(values)], "equity": values, **told})

    tab = open_tab(figures=True)
    tab.page.route("**/equity?*", answer)
    tab.sign_in(board.url, admin(board))
    line = tab.page.locator("#equity-figure .main-svg .scatterlayer path.js-line").first
    line.wait_for(state="attached")
    tab.page.locator("#account").select_option("second")
    tab.page.locator("#equity-figure").filter(has_text="A line appears once").wait_for()
    tab.page.locator("#account").select_option("paper")
    line.wait_for(state="attached")
    assert "A line appears" not in tab.page.locator("#equity-figure").inner_text()
    tab.page.get_by_role("button", name="Sign out").click()
    tab.sign_in(board.url, admin(board))
    line.wait_for(state="attached")


def test_opinions_and_weights_are_those_of_the_newest_decision(board: Any, open_tab: Open, source: Any) -> None:
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    decide(source, "-0.25", ("0", "momentum", -0.5, 0.75), ("1", "pairs", 0.125, 0.25))
    tab.page.locator("#decision-note").filter(has_text="Target \u22120.250 of AAPL at 2026-01-08 21:00:00").wait_for()
    told = tab.page.locator("#swarm-table tbody tr").all_inner_texts()
    # Names are those of the run's agents; the one that moves the decision most comes first.
    assert [text.split() for text in told] == [
        ["momentum-20", "momentum", "\u22120.500", "0.750", "+4.00", "%"],
        ["pairs-<b>x</b>", "pairs", "+0.125", "0.250", "\u22121.00", "%"],
    ]
    decide(source, "0.5", (EVIL, EVIL, 0.5, 1.0), symbol="MSFT")
    tab.page.locator("#decision option").nth(1).wait_for(state="attached")
    tab.page.get_by_label("Decision").select_option("swarm-7 · MSFT")
    tab.page.locator("#swarm-table").filter(has_text=EVIL).wait_for()
    tab.page.reload()
    # The stream is asked for what was told before.
    tab.page.locator("#decision-note").filter(has_text="+0.500 of MSFT").wait_for()


def test_while_nobody_answers_old_values_say_how_old_they_are(board: Any, open_tab: Open, source: Any) -> None:
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    tab.page.locator("#tiles").filter(has_text="100,000.00").wait_for()
    tab.page.route("**/api/v1/**", lambda route: route.abort())
    source.publish(Channel.ORDERS, "paper")
    tab.page.locator("#stale").filter(has_text="The gateway does not answer. What is shown is as of ").wait_for()
    assert tab.page.locator("#live").inner_text() == "connection lost"
    assert "100,000.00" in tab.page.locator("#tiles").inner_text()
    tab.page.unroute("**/api/v1/**")
    source.publish(Channel.ORDERS, "paper")
    tab.page.locator("#stale").wait_for(state="hidden")
    tab.page.locator("#live").filter(has_text="live").wait_for()
    assert all("ERR_FAILED" in text for text in tab.complaints)
    tab.complaints.clear()


def test_lines_of_replicas_that_answer_in_turn_are_put_together_by_their_time(board: Any, open_tab: Open) -> None:
    def line(number: int, second: int, message: str, level: str = "info") -> dict[str, Any]:
        told = {"timestamp": f"2026-01-05T15:00:{second:02d}Z", "level": level, "module": "m", "message": message}
        return {"number": number, "text": json.dumps(told)}

    replicas = [
        [line(1, 1, "one"), line(2, 4, "four")],
        [line(1, 2, "two"), line(2, 3, EVIL, "error"), line(3, 5, "five")],
    ]
    asked: list[str] = []

    def answer(route: Any) -> None:
        lines = replicas[len(asked) % 2]
        asked.append(route.request.url)
        route.fulfill(json={"lines": lines, "last": lines[-1]["number"]})

    tab = open_tab()
    tab.page.clock.install()
    tab.page.route("**/api/v1/logs*", answer)
    tab.sign_in(board.url, admin(board))
    for _ in range(4):
        tab.page.clock.run_for(3000)
    tab.page.locator("#logs-body li").nth(4).wait_for()
    shown = [text.split("m  ")[1] for text in tab.page.locator("#logs-body li span").all_inner_texts()]
    assert shown == ["one", "two", EVIL, "four", "five"]
    tab.page.get_by_role("button", name="Warnings and errors").click()
    assert len(tab.page.locator("#logs-body li").all()) == 1


def test_what_drifted_and_what_is_at_risk_is_told_with_its_reasons(board: Any, open_tab: Open) -> None:
    drift = {"bars": 40, "reasons": [f"input {EVIL} drifted by 2.10 standard deviations"], "refused": ""}
    model = {
        "name": "lstm", "alias": "champion", "version": 2, "versions": 3, "created": "2026-01-05T00:00:00+00:00",
        "trained_until": "2025-12-01T00:00:00+00:00", "drift": drift, "asked": "input a", "is_met": False,
    }  # fmt: skip
    steady = model | {"alias": "challenger", "drift": drift | {"reasons": []}, "asked": ""}
    tails = [{"method": "historical", "confidence": c, "var": v, "es": 0.05} for c, v in ((0.95, 0.0123), (0.99, None))]
    tab = open_tab()
    tab.page.route("**/api/v1/dashboard/models*", lambda route: route.fulfill(json={"models": [model, steady]}))
    told = {"periods": 1000, "until": "2025-12-30", "rows": tails, "refused": ""}
    tab.page.route("**/paper/tails", lambda route: route.fulfill(json=told))
    tab.sign_in(board.url, admin(board))
    drifted = row(tab, "lstm@champion")
    drifted.filter(has_text="drifted").wait_for()
    assert EVIL in drifted.inner_text()
    assert "Retraining was asked for: input a." in drifted.inner_text()
    assert "steady" in row(tab, "lstm@challenger").inner_text()
    tab.page.locator("#tails-body").filter(has_text="1000 past periods until 2025-12-30").wait_for()
    assert row(tab, "historical").inner_text().split() == ["Historical", "1.23", "%", "5.00", "%", "–", "5.00", "%"]


def test_everything_is_reached_by_keyboard(board: Any, open_tab: Open) -> None:
    tab = open_tab()
    tab.page.goto(board.url)
    keys = tab.page.keyboard
    tab.page.locator("#name:focus").wait_for()
    keys.press("Tab")
    keys.press("Tab")
    keys.insert_text(tab.text_of(admin(board)))
    keys.press("Enter")
    tab.page.locator("#kill").wait_for(state="visible")
    logging.getLogger("desk").warning("There is a line.")
    tab.page.locator("#logs-body .scroll").wait_for()
    wanted, reached = {"account", "kill", "logout", "Limits", "Agents", "Log"}, set()
    for _ in range(80):
        keys.press("Tab")
        reached.add(tab.page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id"))
        if wanted <= reached:
            break
    assert wanted <= reached
    tab.page.locator("#kill").focus()
    keys.press("Enter")
    tab.page.locator("#reason:focus").wait_for()
    keys.press("Escape")
    tab.page.get_by_role("dialog").wait_for(state="hidden")
    assert tab.page.evaluate("document.activeElement.id") == "kill"
    keys.press("Enter")
    keys.insert_text("By hand.")
    keys.press("Enter")
    tab.page.locator("#halted").filter(has_text="By hand.").wait_for()


def test_texts_stand_out_things_have_names_and_a_phone_needs_no_scrolling_aside(
    board: Any, open_tab: Open, source: Any, jobs_book: Any, live_sessions: Any, screenshots: Path
) -> None:
    live_sessions.told = [
        session("a trial of what is new", condition=Condition.LATE, stamp="2026-01-08T21:00:00+00:00")
    ]
    job = jobs_book.call("submit", "sweep", {}, "ann").id
    for name, more in (("a", {}), ("b", {"limit_price": "1000000"}), ("c", {"type": "market", "limit_price": None})):
        buy(board, f"phone-{name}", **more)
    board.backend.accounts.live["paper"].halt("symbol:MSFT", "desk", "a rumour")
    tab = open_tab(figures=True, **PHONE)
    tab.page.goto(board.url)
    audited(tab)
    tab.sign_in(board.url, admin(board))
    decide(source, "-0.25", ("0", "momentum", -0.5, 0.75), ("1", "pairs", 0.125, 0.25))
    row(tab, "phone-c").wait_for()
    tab.page.locator("#swarm-table").filter(has_text="+0.125").wait_for()
    tab.page.locator("#swarm-figure .main-svg").first.wait_for()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
    audited(tab, screenshots)
    tab.page.get_by_role("button", name="Stop trading").click()
    audited(tab)
    tab.page.keyboard.press("Escape")
    row(tab, job).get_by_role("button").click()
    audited(tab)
    jobs_book.call("cancel", job)
    live_sessions.told = []


def session(reason: str, **more: Any) -> SessionStatus:
    """A session that began to trade two symbols of `paper`."""
    plan = SessionPlan("paper", "sma_cross", ("AAPL", "MSFT"))
    begun = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)
    kept = KeptSession("sma_cross-1", plan, Phase.RUNNING, "ann", reason, begun, None)
    return replace(SessionStatus(kept, Condition.BEGINNING, "It waits for its first bar."), **more)


def audited(tab: Any, folder: Path | None = None) -> None:
    """Find nothing wrong with the page as it stands, in light and in dark; leave a picture of both in a folder."""
    grounds = []
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        assert tab.page.evaluate(AUDIT) == []
        if folder is not None:
            tab.page.screenshot(path=folder / f"phone-{scheme}.png", full_page=True)
        ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in re.findall(r"\d+", ground)[:3]) / 3)
    assert grounds[0] > 200 > 30 > grounds[1]
