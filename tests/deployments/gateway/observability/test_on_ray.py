"""An order through the account's actor: its trace at the collector, its lines in the log, who is away at once."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray

from actors import live_sessions
from actors.live_account import start, stop
from actors.live_handle import AccountAwayError
from deployments.gateway.backend.accounts import AccountDoor, ActorAccounts
from deployments.gateway.observability.components import on_ray
from deployments.gateway.observability.health import Component, Condition, examine
from deployments.gateway.observability.tracing import open_tracing
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.config.observability import Observability
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.session_store import Phase, SessionPlan, SessionStore
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side, TimeInForce
from nt_ray.trading.origin import Origin, coming_from

pytestmark = pytest.mark.usefixtures("ray_cluster")

NOW = datetime(2026, 1, 5, tzinfo=UTC)
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = OrderRequest("o-1", "AAPL", Side.BUY, Decimal(2), "test", time_in_force=TimeInForce.GTC)
LARGE = OrderRequest("o-2", "AAPL", Side.BUY, Decimal(10**9), "test", time_in_force=TimeInForce.GTC)


def lines_of(pid: int) -> list[dict[str, str]]:
    """Lines that a worker has logged."""
    node = ray._private.worker._global_node
    assert node is not None
    (file,) = Path(node.get_logs_dir_path()).glob(f"worker-*-{pid}.err")
    return [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]


async def is_away(door: AccountDoor) -> bool:
    """Whether an account is said to be away without a thread that waits for it."""
    loop = asyncio.get_running_loop()
    with pytest.raises(AccountAwayError):
        await door.glance("status")
    return loop._default_executor is None  # type: ignore[attr-defined]


def test_an_order_leaves_one_trace_and_lines_with_its_ids_on_its_way_through_the_actor(
    tmp_path: Path, collector: Any
) -> None:
    tracing = open_tracing(Observability(otlp=collector.address))
    door = ActorAccounts().account("watched")

    async def order() -> Any:
        with (
            coming_from(Origin("r-1")),
            tracing.request("POST", [(b"traceparent", f"00-{TRACE}-{CALLER}-01".encode())]),
        ):
            reports = await door.submit([GOOD, LARGE])
        await door.call("sync")
        with coming_from(Origin("r-2")):
            done = await door.cancel("o-1")
        return reports, done, await door.glance("tally"), await door.call("board", 10), await door.call("pid")

    with AlpacaSimulator(requests_per_minute=100_000) as simulator:
        table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
        values = {f"brokers.watched.{field}": value for field, value in table.items()}
        settings = load_settings(None, {"brokers.enabled": "watched", "state": str(tmp_path), **values})
        start(SettingsPlan(settings, "watched", ("AAPL",)))
        try:
            reports, done, tally, board, pid = asyncio.run(order())
            lines = lines_of(pid)
        finally:
            stop("watched")
    tracing.close()
    assert asyncio.run(is_away(door))
    assert asyncio.run(is_away(ActorAccounts().account("nobody")))

    assert [told.status for told in (*reports, done)][1:] == [OrderStatus.DENIED, OrderStatus.FILLED]
    spans = collector.spans()
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    names = {span.span_id.hex(): span.name for span in spans} | {CALLER: "caller"}
    assert {(span.name, names[span.parent_span_id.hex()]) for span in spans} == {
        ("POST", "caller"), ("validate_order", "POST"), ("execute_trade", "POST"),
        ("check_risk_limits", "execute_trade"), ("gate", "check_risk_limits"), ("journal", "check_risk_limits"),
        ("submit_to_broker", "execute_trade"), ("send", "submit_to_broker"), ("POST", "send"),
        ("update_portfolio", "execute_trade"),
    }  # fmt: skip
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        around = by_id.get(span.parent_span_id, span)
        assert around.start_time_unix_nano <= span.start_time_unix_nano, span.name
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= around.end_time_unix_nano, span.name

    trade = next(span.span_id.hex() for span in spans if span.name == "execute_trade")
    ids = ("request_id", "trace_id", "span_id", "order_id", "account", "rule")
    told = [tuple(line.get(name, "") for name in ids) for line in lines if line["module"] == "nt_ray.trader.called"]
    assert told == [
        ("r-1", TRACE, trade, "o-1", "watched", ""),
        ("r-1", TRACE, trade, "o-2", "watched", reports[1].rule),
        ("r-2", "", "", "o-1", "watched", ""),
    ]
    assert "simulated-secret" not in json.dumps(lines)

    assert tally.orders == {"filled": 1, "denied": 1}
    assert [(line.strategy, line.symbol, line.executions) for line in tally.traded] == [("test", "AAPL", 1)]
    assert [found.order.request.client_order_id for found in board.orders] == ["o-2", "o-1"]
    assert board.orders[0].order.rule == reports[1].rule
    gross = next(usage for usage in board.limits if usage.name == "max_gross_exposure")
    holding = board.overview.holdings[0]
    assert gross.value == pytest.approx(float(holding.value / board.overview.equity))
    assert gross.limit == 2.0


def test_keepers_that_nobody_has_needed_are_well_and_are_not_started(tmp_path: Path) -> None:
    found = asyncio.run(examine(on_ray(tmp_path)))
    assert set(found) == {"cluster", "jobs", "stream", "counts", "live-sessions"}
    assert {part.condition for part in found.values()} == {Condition.UP}
    for name in ("counts", "live-sessions"):
        with pytest.raises(ValueError, match=name):
            ray.get_actor(name, "nt-ray")
    assert not list(tmp_path.iterdir())


def test_sessions_that_were_begun_and_that_nobody_looks_after_are_told(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / live_sessions.FILE)
    kept = store.begin(SessionPlan("paper", "momentum", ("AAPL",)), "ann", "trial", NOW)

    def told() -> Component:
        return asyncio.run(examine(on_ray(tmp_path)))["live-sessions"]

    found = told()
    assert found.condition is Condition.DOWN
    assert "Nobody looks after 1 session" in found.detail
    store.turn(kept.id, Phase.ENDED, NOW)
    store.close()
    assert told().condition is Condition.UP
