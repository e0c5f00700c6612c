import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account, AccountState
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderType, Side, TimeInForce

SYMBOLS = ("A", "B", "C")
ROWS = 6
OUTAGE = (3, 3)
LIMITS = RiskLimits(max_order_notional=Decimal(6000), max_daily_loss=0.001, max_drawdown=0.5, self_trade=False)


class CrashError(BaseException):
    """The process dies here."""


@dataclass
class Fuse:
    """Dies at the given crossings, counted over the whole drive: just before a call, or just after it."""

    at: frozenset[int] = frozenset()
    crossed: int = 0

    def cross(self) -> None:
        self.crossed += 1
        if self.crossed in self.at:
            raise CrashError(self.crossed)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.cross()
            answer = call(*arguments, **named)
            self.cross()
            return answer

        return wrapped


class Fused:
    """An object whose named methods are crossings."""

    def __init__(self, inner: Any, fuse: Fuse, names: tuple[str, ...]) -> None:
        self._inner = inner
        for name in names:
            setattr(self, name, fuse.around(getattr(inner, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def panel(rows: int) -> BarPanel:
    generator = np.random.default_rng(7)
    closes = np.rint(50 * np.exp(np.cumsum(generator.normal(0, 0.02, (rows, 3)), axis=0)) * 100) / 100
    opens = np.vstack([closes[:1], closes[:-1]])
    values = np.empty((rows, 3, 5))
    values[:, :, 0], values[:, :, 3] = opens, closes
    values[:, :, 1], values[:, :, 2] = np.maximum(opens, closes), np.minimum(opens, closes)
    values[:, :, 4] = 400
    instruments = tuple(Instrument(s, Decimal("0.01"), Decimal(1)) for s in SYMBOLS)
    times = np.arange(1, rows + 1, dtype=np.int64) * 43_200_000_000_000
    return BarPanel(instruments, times, values)


def orders(row: int) -> list[OrderRequest]:
    """A day order, a resting order that fills in parts, one that is too large, a reduction."""
    choose = random.Random(row)
    side = choose.choice([Side.BUY, Side.SELL])
    resting = {"type": OrderType.LIMIT, "limit_price": Decimal(45), "time_in_force": TimeInForce.GTC}
    return [
        OrderRequest(f"m.{row}", choose.choice(SYMBOLS), side, Decimal(choose.randint(1, 60)), "crash"),
        OrderRequest(f"g.{row}", "B", Side.SELL, Decimal(90), "crash", **resting),  # type: ignore[arg-type]
        OrderRequest(f"big.{row}", "C", Side.BUY, Decimal(9999), "crash"),
        OrderRequest(f"r.{row}", "B", Side.BUY, Decimal(5), "crash"),
    ]


def bracket(row: int) -> list[OrderRequest]:
    """An entry with two exits that cancel each other, far from the market."""
    symbol = "A" if row == 0 else "C"
    exits: dict[str, Any] = {"time_in_force": TimeInForce.GTC, "parent": f"e.{row}", "oco_group": f"x.{row}"}
    exits |= {"symbol": symbol, "side": Side.SELL, "quantity": Decimal(20), "strategy": "crash"}
    return [
        OrderRequest(f"e.{row}", symbol, Side.BUY, Decimal(20), "crash"),
        OrderRequest(f"tp.{row}", type=OrderType.LIMIT, limit_price=Decimal(70), **exits),
        OrderRequest(f"sl.{row}", type=OrderType.STOP, stop_price=Decimal(30), **exits),
    ]


def nearer(row: int) -> OrderRequest:
    """A profit that is taken at once, in the place of the one of the bracket of row 0."""
    limited: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal(45), "time_in_force": TimeInForce.GTC}
    return OrderRequest(f"n.{row}", "A", Side.SELL, Decimal(20), "crash", replaces="tp.0", **limited)


@dataclass(frozen=True)
class End:
    """What a drive leaves behind, at the account and at the venue."""

    state: AccountState
    orders: list[Order]
    fills: list[Fill]
    at_venue: list[str]
    venue_positions: dict[str, Decimal]


class Machine:
    """Account and venue in one folder; `row` is what its driver knows."""

    def __init__(self, folder: Path, bars: BarPanel, row: int, fuse: Fuse) -> None:
        self.row = row
        self.bars = bars
        self.venue = SimulatedExchange("sim", bars, Costs(volume_share=Decimal("0.1")), folder / "venue.sqlite")
        self.journal = open_journal(folder / "journal.sqlite")
        try:
            names = ("submit_order", "submit_linked", "replace_order", "cancel_order", "order", "open_orders", "fills")
            self.account = Account(
                "sim",
                Fused(self.journal, fuse, ("append", "open_epoch", "confirm")),  # type: ignore[arg-type]
                Fused(self.venue, fuse, names),  # type: ignore[arg-type]
                LIMITS,
                bars.instruments,
                lambda: bars.time(self.row),
            )
            self.account.deposit(Decimal(100_000))
        except CrashError:
            self.close()
            raise

    def play(self, row: int) -> None:
        self.row = row
        self.venue.fail(OUTAGE[0] <= row <= OUTAGE[1])
        self.venue.advance(row)
        closes = self.bars.closes[row]
        marks = {s: Decimal(str(c)) for s, c in zip(SYMBOLS, closes.tolist(), strict=True)}
        self.account.sync(self.bars.time(row), marks)
        if row == 2:
            self.account.cancel("g.1")
        if row == 4:
            self.account.halt("symbol:A", "tester", "drill")
        self.account.submit(orders(row))
        if row in (0, 3, 4):
            self.account.submit(bracket(row))
        if row == 1:
            self.account.replace(nearer(row))

    def close(self) -> None:
        self.journal.close()
        self.venue.close()


def drive(folder: Path, fuse: Fuse, rows: int = ROWS, after: Callable[[int], None] = lambda row: None) -> End:
    """Play every row; after a crash open everything anew from disk and play the row again."""
    bars = panel(rows)
    machine = None
    row = 0
    while row < rows:
        try:
            if machine is None:
                machine = Machine(folder, bars, row, fuse)
            machine.play(row)
        except CrashError:
            if machine is not None:
                machine.close()
            machine = None
            continue
        after(row)
        row += 1
    assert machine is not None
    end = ending(machine)
    machine.close()
    return end


def ending(machine: Machine) -> End:
    connection = sqlite3.connect(machine.venue._book._path)
    ids = [row[0] for row in connection.execute("SELECT client_order_id FROM orders ORDER BY entry")]
    connection.close()
    account = machine.account
    return End(account.state(), account.orders(), account.fills(), ids, machine.venue.positions())


def check_books(end: End) -> None:
    state = end.state
    assert len(set(end.at_venue)) == len(end.at_venue)
    assert state.positions == end.venue_positions
    ids = [f.execution_id for f in end.fills]
    assert len(set(ids)) == len(ids)
    spent = sum(f.signed_quantity * f.price + f.commission for f in end.fills)
    assert state.cash == state.capital - spent


def in_new_folder(fuse: Fuse) -> End:
    with tempfile.TemporaryDirectory() as folder:
        return drive(Path(folder), fuse)


@pytest.fixture(scope="module")
def uncut() -> tuple[End, int]:
    fuse = Fuse()
    return in_new_folder(fuse), fuse.crossed


def test_the_drive_meets_every_ending(uncut: tuple[End, int]) -> None:
    end, _ = uncut
    check_books(end)
    assert {o.status.value for o in end.orders} >= {
        "filled",
        "expired",
        "canceled",
        "denied",
        "rejected",
        "partially_filled",
        "replaced",
    }
    by_id = {o.request.client_order_id: o for o in end.orders}
    assert [by_id[i].status.value for i in ("e.0", "tp.0", "n.1", "sl.0")] == [
        "filled",
        "replaced",
        "filled",
        "canceled",
    ]
    assert [by_id[i].not_sent for i in ("e.3", "tp.3", "sl.3")] == [True, True, True]
    assert any(o.not_sent for o in end.orders)
    assert set(end.state.denials) == {"order_notional", "daily_loss"}
    assert len(end.fills) > 5


@pytest.mark.parametrize("slice_", range(8))
def test_a_crash_at_any_crossing_changes_nothing(uncut: tuple[End, int], slice_: int) -> None:
    end, crossings = uncut
    for crossing in range(1 + slice_, crossings + 1, 8):
        fuse = Fuse(frozenset({crossing}))
        survived = in_new_folder(fuse)
        assert fuse.crossed > crossing
        check_books(survived)
        assert survived == end, f"crash at crossing {crossing}"


@settings(max_examples=40)
@given(st.sets(st.integers(1, 150), min_size=2, max_size=6))
def test_crashes_during_recovery_change_nothing_either(uncut: tuple[End, int], crossings: set[int]) -> None:
    survived = in_new_folder(Fuse(frozenset(crossings)))
    check_books(survived)
    assert survived == uncut[0]


@settings(max_examples=10)
@given(st.integers(1, 120), st.integers(2, 12))
def test_a_run_of_crashes_in_a_row_changes_nothing(uncut: tuple[End, int], first: int, length: int) -> None:
    survived = in_new_folder(Fuse(frozenset(range(first, first + 2 * length, 2))))
    assert survived == uncut[0]


LONG = 40
CHILD = """
import runpy, sys
from pathlib import Path
m = runpy.run_path(sys.argv[1])
m["drive"](Path(sys.argv[2]), m["Fuse"](), m["LONG"], lambda row: print(row, flush=True))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, __file__, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_process_killed_again_and_again_leaves_the_same_books(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    expected = drive(whole, Fuse(), LONG)
    choose = random.Random(11)
    for last in (5, 30, 12, 39):
        child = start(cut)
        assert child.stdout is not None
        assert child.stderr is not None
        for line in child.stdout:
            if int(line) == last:
                time.sleep(choose.random() * 0.004)
                break
        child.kill()
        child.wait()
        errors = child.stderr.read()
        child.stdout.close()
        child.stderr.close()
        assert "Error" not in errors
    survived = drive(cut, Fuse(), LONG)
    check_books(survived)
    assert survived.fills == expected.fills
    assert survived.orders == expected.orders
    assert survived.at_venue == expected.at_venue
    assert survived.state.equity == expected.state.equity
