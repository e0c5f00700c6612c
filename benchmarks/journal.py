"""The journal: how fast it takes events in, and how fast an account with many orders is back after a restart.

Prints, for a file and for a Postgres server of its own on this machine,
  * appends a second, one event at a time and a hundred at a time, each waiting for the disk;
  * the time to rebuild the books of `--orders` orders (four events each) from all events;
  * the time to rebuild them from a snapshot and the events after it, as many as there may ever be;
beside the floor of each: the disk's own time to make one small write durable, and the time to read the rows alone.

    python -m benchmarks.journal [--orders 100000] [--only sqlite|postgresql] [--json]
"""

import argparse
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.postgres_server import server
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import open_journal
from nt_ray.trader.books import Books
from nt_ray.trader.books_snapshot import snapshot
from nt_ray.trader.checkpoint import EVERY, Checkpoints
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, OrderRequest, Side

START = datetime(2026, 1, 2, tzinfo=UTC)
SYMBOLS = [f"S{number}" for number in range(20)]


def history(orders: int) -> Iterator[e.Event]:
    """Everything that happens to a number of orders: entered, sent, accepted, filled; a mark for every twenty."""
    yield e.Deposited(START, "initial", Decimal(10_000_000))
    for number in range(orders):
        time_ = START + timedelta(seconds=number)
        name, symbol = f"session.{number}.{SYMBOLS[number % 20]}.0.east", SYMBOLS[number % 20]
        side = Side.BUY if number // 20 % 2 == 0 else Side.SELL
        quantity = Decimal(1 + number % 97)
        price = Decimal(5000 + number * 7919 % 2000).scaleb(-2)
        yield e.OrderInitialized(time_, OrderRequest(name, symbol, side, quantity, "momentum"))
        yield e.OrderSubmitted(time_, name)
        yield e.OrderAccepted(time_, name, f"v{number}")
        fee = (price * quantity).scaleb(-4).quantize(Decimal("1e-8"))
        yield e.OrderFilled(time_, Fill(f"x{number}", name, symbol, side, quantity, price, fee, time_))
        if number % 20 == 19:
            yield e.Marked(time_, {symbol: price})


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that a piece of work takes."""
    gc.collect()
    started = clock()
    work()
    return clock() - started


def appends(where: str) -> dict[str, float]:
    """Events a second, one by one and in batches of a hundred, each durable."""
    journal = open_journal(where)
    journal.open_epoch()
    found = list(history(2_600))

    def one_by_one() -> None:
        for event in found[:400]:
            journal.append([event])

    def batches() -> None:
        for first in range(400, 10_400, 100):
            journal.append(found[first : first + 100])

    result = {"one_by_one_per_s": 400 / timed(one_by_one), "batches_of_100_per_s": 10_000 / timed(batches)}
    journal.close()
    return result


def recovery(where: str, orders: int) -> dict[str, float]:
    """Seconds from opening a journal to books that are up to date, with and without a snapshot."""
    journal = open_journal(where)
    journal.open_epoch()
    books, stream = Books(), history(orders)
    total = sum(1 for _ in history(orders))
    # A snapshot is due after so many events; a crash just before it leaves the longest tail.
    due = total - max(EVERY, total // 20)
    size, writing = 0.0, 0.0
    while batch := list(islice(stream, 1_000 if journal.written + 1_000 <= due or size else due - journal.written)):
        journal.append(batch, durable=False)
        for event in batch:
            books.apply(event)
        if journal.written == due:
            state = snapshot(books)
            size = len(state) / 2**20
            writing = timed(lambda: journal.write_snapshot(snapshot(books)))
    journal.close()
    kept = snapshot(books)
    return {
        "events": float(total),
        "snapshot_mib": size,
        "snapshot_write_s": writing,
        "tail_events": float(total - due),
        "read_rows_s": with_journal(where, lambda found: timed(lambda: sum(1 for _ in found.rows()))),
        "replay_s": with_journal(where, lambda found: replay(found, kept, use=False)),
        "snapshot_and_tail_s": with_journal(where, lambda found: replay(found, kept, use=True)),
        "snapshot_and_tail_cpu_s": with_journal(where, lambda found: replay(found, kept, use=True, cpu=True)),
        "verify_s": with_journal(where, lambda found: timed(found.verify)),
    }


def with_journal(where: str, work: Callable[[Journal], float]) -> float:
    """Open a journal as a new process would, work on it, close it."""
    journal = open_journal(where)
    try:
        return work(journal)
    finally:
        journal.close()


def replay(journal: Journal, expected: str, *, use: bool, cpu: bool = False) -> float:
    """Seconds to rebuild the books, of the clock or of this process's work; they must be those that were left."""
    books = Books()

    def rebuild() -> None:
        if use:
            Checkpoints(journal).replay(books)
            return
        for entry in journal.read():
            books.apply(entry.event)

    seconds = timed(rebuild, time.process_time if cpu else time.perf_counter)
    if snapshot(books) != expected:
        message = "The books differ from those that were left."
        raise SystemExit(message)
    return seconds


def disk_write_ms(folder: Path) -> float:
    """Median milliseconds to make one write of 4 KiB at the end of a file durable."""
    samples = []
    with (folder / "floor").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fsync(file.fileno())
            samples.append(time.perf_counter() - started)
    return sorted(samples)[50] * 1e3


def measure(orders: int, only: str) -> dict[str, Any]:
    """Run the benchmark; return the figures."""
    result: dict[str, Any] = {"orders": orders}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        result["disk_write_ms"] = disk_write_ms(folder)
        places = {}
        if only in ("", "sqlite"):
            places["sqlite"] = (str(folder / "appends.sqlite"), str(folder / "recovery.sqlite"))
        if only in ("", "postgresql"):
            running = stack.enter_context(server(sync=True))
            places["postgresql"] = (running.url(schema="appends"), running.url(schema="recovery"))
        for name, (one, other) in places.items():
            result[name] = {key: round(value, 3) for key, value in (appends(one) | recovery(other, orders)).items()}
    return result


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--only", choices=["", "sqlite", "postgresql"], default="")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.orders, arguments.only)
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"journal of {arguments.orders:,} orders; a durable write of 4 KiB takes {result['disk_write_ms']:.2f} ms here"
    )
    for name in ("sqlite", "postgresql"):
        for key, value in result.get(name, {}).items():
            print(f"  {name:<12}{key:<24}{value:>14,.3f}")


if __name__ == "__main__":
    main()
