"""The dashboard as a person uses it: in Chromium, before a running gateway. Screenshots stay in the run's folder."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from deployments.gateway.page.files import names
from nt_ray.access.roles import Role
from nt_ray.trader.event_stream import Channel
from nt_ray.trader.jobs.job import State
from nt_ray.trading.orders import OrderStatus

PAPER = frozenset({"paper"})
PHONE: dict[str, Any] = {
    "viewport": {"width": 375, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
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


def test_whoever_signs_in_sees_every_panel_and_leaves_nothing_behind(
    board: Any, open_tab: Open, jobs_book: Any, tmp_path: Path
) -> None:
    board.gatekeeper.users.add("ann", Role.ADMIN, password="correct horse battery")
    job = jobs_book.call("submit", "backtest", {}, "<img src=x onerror=alert(1)>")
    jobs_book.call("begin", job.id)
    tab = open_tab()
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
    assert "100,000.00" in tab.page.locator("#tiles").inner_text()
    assert tab.page.locator("#who").inner_text() == "ann (admin)"
    tab.page.locator("#swarm-figure .main-svg").first.wait_for()
    assert "pairs-<b>x</b>" in tab.page.locator("#swarm-table").inner_text()
    shown = row(tab, job.id)
    shown.filter(has_text=State.RUNNING.value).wait_for()
    assert "<img src=x onerror=alert(1)>" in shown.inner_text()
    tab.page.locator("#logs-body").filter(has_text="401").or_(tab.page.locator("#logs-body pre")).first.wait_for()
    tab.page.screenshot(path=tmp_path / "dashboard.png", full_page=True)
    held = json.loads(tab.page.evaluate("sessionStorage.getItem('nt-ray-tokens')"))
    tab.page.get_by_role("button", name="Sign out").click()
    tab.page.locator("#login").wait_for(state="visible")
    assert tab.page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    tab.page.wait_for_load_state("networkidle")
    with httpx.Client(base_url=board.url, headers={"Authorization": f"Bearer {held['access_token']}"}) as client:
        assert client.get("/api/v1/me").status_code == 401


def test_an_order_appears_as_soon_as_the_stream_tells_of_it_and_without_the_stream_too(
    board: Any, open_tab: Open, source: Any
) -> None:
    tab = open_tab()
    tab.page.clock.install()
    tab.sign_in(board.url, admin(board))
    tab.page.clock.pause_at(tab.page.evaluate("Date.now()") + 1)
    assert buy(board, "o-1").status_code == 200
    source.publish(Channel.ORDERS, "paper")
    row(tab, "o-1").filter(has_text="accepted").wait_for()
    assert buy(board, "o-2", limit_price="1000000").status_code == 403
    source.publish(Channel.ORDERS, "other")
    source.publish(Channel.RISK, "paper")
    denied = row(tab, "o-2").filter(has_text="denied")
    denied.wait_for()
    assert len(denied.locator(".why").inner_text()) > 10
    tab.page.clock.resume()
    tab.page.route_web_socket("**/stream/v1", lambda socket: socket.close())
    tab.page.reload()
    tab.page.locator("#live").filter(has_text="polling").wait_for()
    board.backend.accounts.live["paper"].cancel("o-1")
    row(tab, "o-1").filter(has_text="canceled").wait_for()


def test_the_kill_switch_asks_why_then_stops_and_lets_go_on(
    board: Any, open_tab: Open, source: Any, tmp_path: Path
) -> None:
    tab = open_tab()
    tab.sign_in(board.url, admin(board))
    assert buy(board, "o-1").status_code == 200
    row(tab, "o-1").filter(has_text="accepted").wait_for()
    tab.page.get_by_role("button", name="Stop trading").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    assert board.backend.accounts.live["paper"].state().halts == {}
    tab.page.get_by_role("button", name="Stop trading").click()
    dialog.get_by_role("button", name="Stop trading").click()
    dialog.get_by_text("Say why.").wait_for()
    dialog.get_by_label("Reason").fill("Prices look wrong.")
    tab.page.screenshot(path=tmp_path / "kill-switch.png")
    dialog.get_by_role("button", name="Stop trading").click()
    tab.page.locator("#halted").filter(has_text="Prices look wrong.").wait_for()
    while board.backend.accounts.live["paper"].order("o-1").status is not OrderStatus.CANCELED:
        time.sleep(0.01)
    source.publish(Channel.ORDERS, "paper")
    row(tab, "o-1").filter(has_text="canceled").wait_for()
    assert "account" in board.backend.accounts.live["paper"].state().halts
    assert buy(board, "o-2").status_code == 403
    tab.page.get_by_role("button", name="Resume trading").click()
    dialog.get_by_label("Reason").fill("They are right.")
    dialog.get_by_role("button", name="Resume trading").click()
    tab.page.locator("#halted").wait_for(state="hidden")
    assert board.backend.accounts.live["paper"].state().halts == {}


def test_who_may_not_stop_trading_sees_no_switch_and_is_refused(board: Any, open_tab: Open) -> None:
    pair = board.new_key(Role.READ_ONLY, PAPER)
    tab = open_tab()
    tab.sign_in(board.url, pair)
    tab.page.locator("#live").filter(has_text="live").wait_for()
    assert tab.page.locator("#kill").is_hidden()
    assert "config:read" in tab.page.locator("#logs-body").inner_text()
    body = {"scope": "account", "reason": "no"}
    with board.client(pair) as client:
        assert client.post("/api/v1/dashboard/accounts/paper/halt", json=body).status_code == 403
        assert client.get("/api/v1/dashboard/accounts/other").status_code == 403
    with board.client(admin(board)) as client:
        assert client.post("/api/v1/dashboard/accounts/other/halt", json=body).status_code == 404
        assert client.post("/api/v1/dashboard/accounts/paper/halt", json=body | {"scope": "all"}).status_code == 422
        assert client.post("/api/v1/dashboard/accounts/paper/halt", json=body | {"more": 1}).status_code == 422


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
    for _ in range(30):
        keys.press("Tab")
        if tab.page.evaluate("document.activeElement.id") == "kill":
            break
    assert tab.page.evaluate("document.activeElement.id") == "kill"
    keys.press("Enter")
    tab.page.locator("#reason:focus").wait_for()
    keys.press("Escape")
    tab.page.get_by_role("dialog").wait_for(state="hidden")
    assert tab.page.evaluate("document.activeElement.id") == "kill"
    keys.press("Enter")
    keys.insert_text("By hand.")
    keys.press("Enter")
    tab.page.locator("#halted").filter(has_text="By hand.").wait_for()


def test_it_fits_a_phone_and_follows_its_dark_mode(board: Any, open_tab: Open, tmp_path: Path) -> None:
    tab = open_tab(color_scheme="dark", **PHONE)
    tab.sign_in(board.url, admin(board))
    tab.page.locator("#swarm-figure .main-svg").first.wait_for()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
    tab.page.screenshot(path=tmp_path / "phone-dark.png", full_page=True)
    dark = lightness(tab)
    tab.page.emulate_media(color_scheme="light")
    assert dark < 30 < 200 < lightness(tab)


def lightness(tab: Any) -> float:
    found = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    parts = [int(part) for part in re.findall(r"\d+", found)[:3]]
    return sum(parts) / len(parts)


def test_the_page_runs_scripts_of_its_own_origin_alone(board: Any) -> None:
    with httpx.Client(base_url=board.url) as client:
        page = client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|https?://", page.text)
        for name in sorted(names()):
            found = client.get(f"/assets/{name}")
            assert found.status_code == 200
            assert found.headers["x-content-type-options"] == "nosniff"
            again = client.get(f"/assets/{name}", headers={"If-None-Match": found.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        linked = {
            name for script in names() for name in re.findall(r"/assets/([\w.]+)", client.get(f"/assets/{script}").text)
        }
        assert linked - {"index.html"} <= names()
        for path in ("/assets/index.html", "/assets/../page.py", "/assets/%2e%2e%2ffiles.py"):
            assert client.get(path).status_code == 404
        assert client.get("/api/v1/me").status_code == 401
