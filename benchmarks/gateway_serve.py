"""What the gateway serves on a real Ray Serve, beside an empty FastAPI handler on the same one.

In default and in throughput mode, each in a process of its own: Ray, an account at a simulated exchange, the gateway
as `nt-ray serve gateway` starts it, and an application of one handler that does nothing. `wrk` asks both in turns over
1, 8 and 32 connections that stay open; the ratio is the median over turns, since other work on the machine comes and
goes. Orders go in one after the other over one connection, each journaled before it is answered. Last, replicas of
changed settings take the place of the old ones while `wrk` asks, and every answer that is missing or no success counts.

    apt-get install wrk
    python -m benchmarks.gateway_serve [--mode default|throughput] [--replicas 2] [--seconds 4] [--turns 3]
        [--orders 300] [--json X]
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from actors.environment import prepare, prepare_throughput

MODES: Final = ("default", "throughput")
CONNECTIONS: Final = (1, 8, 32)
LEAST_SHARE: Final = 0.7
LEAST_RATE: Final = 3000.0
MOST_ORDER_MS: Final = 10.0
ROW: Final = 7000
LONGEST_S: Final = 600.0
AFTER_S: Final = 10.0
"""How long the load goes on once new replicas answer: old ones end meanwhile."""
EMPTY: Final = "/empty"
READ: Final = "/v2/clock"
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=MODES, help="one mode alone")
    parser.add_argument("--replicas", type=int, default=2, help="of the gateway, and of the empty application")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is not there; apt-get install wrk")
    if options.mode is not None:
        result = measure(options.mode, options.replicas, options.seconds, options.turns, options.orders)
        show(result)
        if options.json:
            options.json.write_text(json.dumps(result, indent=2))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for mode in MODES:
            file = Path(folder) / f"{mode}.json"
            asked = [f"--{name}={getattr(options, name)}" for name in ("replicas", "seconds", "turns", "orders")]
            # Ray Serve reads its mode when it is imported.
            subprocess.run(
                [sys.executable, "-m", "benchmarks.gateway_serve", f"--mode={mode}", *asked, f"--json={file}"],
                check=True,
            )
            found.append(json.loads(file.read_text()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


def measure(mode: str, replicas: int, seconds: float, turns: int, orders: int) -> dict[str, Any]:
    """Serve in a mode, load, and return the figures."""
    prepare()
    if mode == "throughput":
        prepare_throughput()
    with (
        tempfile.TemporaryDirectory(prefix="nt-ray-bench-") as folder,
        _served(Path(folder), replicas) as (settings, headers),
    ):
        port = settings.gateway.port
        reads = [_beside(port, headers, count, seconds, turns) for count in CONNECTIONS]
        account = _wrk(port, "/v2/account", headers, 8, seconds)
        order_ms = _orders(port, headers, orders)
        update = _updated(settings, headers)
    quantiles = statistics.quantiles(order_ms, n=100)
    return {
        "mode": mode, "replicas": replicas, "cpus": os.cpu_count(), "load": os.getloadavg()[0], "reads": reads,
        "account": account,
        "order_p50_ms": round(quantiles[49], 2), "order_p99_ms": round(quantiles[98], 2), "orders": orders,
        "update": update,
    }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    """Print figures and targets."""
    print(
        f"{result['mode']} mode, {result['cpus']} cores, load {result['load']:.1f}, replicas: {result['replicas']} each"
    )
    print("  connections    empty/s   read/s  share   read p50 ms  p99 ms")
    for line in result["reads"]:
        print(
            f"  {line['connections']:11d} {line['empty']['rate']:10,.0f} {line['read']['rate']:8,.0f} "
            f"{line['share']:6.2f} {line['read']['p50_ms']:13.2f} {line['read']['p99_ms']:7.2f}"
        )
    account = result["account"]
    print(f"  /v2/account over 8 connections: {account['rate']:,.0f}/s, p50 {account['p50_ms']:.2f} ms")
    print(f"  order to answer: p50 {result['order_p50_ms']} ms, p99 {result['order_p99_ms']} ms")
    share = min(line["share"] for line in result["reads"])
    _told("share of an empty handler", f"{share:.2f}", f"at least {LEAST_SHARE}", share >= LEAST_SHARE)
    if result["mode"] == "throughput":
        rate = max(line["read"]["rate"] for line in result["reads"])
        _told("reads a second", f"{rate:,.0f}", f"at least {LEAST_RATE:,.0f}", rate >= LEAST_RATE)
    late = result["order_p50_ms"]
    _told("order p50", f"{late} ms", f"below {MOST_ORDER_MS:g} ms", late < MOST_ORDER_MS)
    update = result["update"]
    _told("rolling update", f"{update['failed']} of {update['requests']:,} failed", "none", update["failed"] == 0)


def _told(what: str, found: str, target: str, holds: bool) -> None:
    print(f"  {'holds' if holds else 'FAILS'}: {what} {found} (target: {target})")


@contextmanager
def _served(folder: Path, replicas: int) -> Iterator[tuple[Any, dict[str, str]]]:
    """Settings and credentials of a gateway before a simulated exchange, and an empty application beside it."""
    from ray import serve

    from actors.cluster import connected
    from actors.live_account import start as start_account
    from actors.live_account import stop as stop_account
    from deployments.gateway import serving
    from nt_ray.access.gatekeeper import open_gatekeeper
    from nt_ray.access.roles import Role
    from nt_ray.config import load_settings
    from nt_ray.market.archive import save_panel
    from nt_ray.market.source import load_panel
    from nt_ray.trader.live_plan import ExchangePlan

    port = _free_port()
    values = {"access.folder": str(folder / "access"), "state": str(folder), "runs": str(folder / "runs")}
    values |= {"access.per_minute": "10000000", "access.address_per_minute": "10000000"}
    values |= {"gateway.port": str(port), "gateway.replicas": str(replicas), "gateway.drain_s": "5"}
    settings = load_settings(None, values, environ={})
    gatekeeper = open_gatekeeper(settings.access)
    gatekeeper.users.add("ann", Role.USER)
    made = gatekeeper.keys.add("ann", accounts={"paper"})
    save_panel(load_panel("sp500"), folder / "bars")
    plan = ExchangePlan("paper", folder, folder / "bars", ROW, Decimal(1_000_000))
    with connected(None, num_cpus=4, object_store_mb=150):
        start_account(plan)
        serving.start(settings)
        serve.run(_empty(replicas), name="empty", route_prefix=EMPTY)
        try:
            yield settings, {"APCA-API-KEY-ID": made.key.id, "APCA-API-SECRET-KEY": made.secret}
        finally:
            serving.stop()
            stop_account("paper")


def _empty(replicas: int) -> Any:
    from fastapi import FastAPI
    from ray import serve
    from starlette.responses import JSONResponse, Response

    app = FastAPI()

    @app.get("/")
    async def nothing() -> Response:
        return JSONResponse({})

    @serve.deployment(name="empty", num_replicas=replicas, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
    @serve.ingress(app)
    class Empty:
        pass

    deployment: Any = Empty
    return deployment.bind()


def _beside(port: int, headers: dict[str, str], connections: int, seconds: float, turns: int) -> dict[str, Any]:
    """Load both in turns."""
    pairs = []
    for _ in range(turns):
        empty = _wrk(port, EMPTY + "/", {}, connections, seconds)
        pairs.append((empty, _wrk(port, READ, headers, connections, seconds)))
    shares = [read["rate"] / empty["rate"] for empty, read in pairs]
    best = max(range(turns), key=lambda turn: pairs[turn][1]["rate"])
    return {
        "connections": connections, "empty": pairs[best][0], "read": pairs[best][1],
        "share": round(statistics.median(shares), 3), "shares": [round(share, 3) for share in shares],
    }  # fmt: skip


def _wrk(port: int, path: str, headers: dict[str, str], connections: int, seconds: float) -> dict[str, float]:
    found = _parsed(_loading(port, path, headers, connections, seconds).communicate()[0])
    if found["failed"]:
        raise SystemExit(f"{found['failed']:.0f} requests of {path} failed")
    return found


def _loading(
    port: int, path: str, headers: dict[str, str], connections: int, seconds: float
) -> "subprocess.Popen[str]":
    shown = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    url = f"http://127.0.0.1:{port}{path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--latency", "--timeout", "30s", *shown, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _parsed(told: str) -> dict[str, float]:
    """Figures out of what wrk prints."""
    late = {mark: float(n) * _UNITS[unit] for mark, n, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", told)}
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"(\d+) requests in", told)
    if rate is None or count is None:
        raise SystemExit(f"wrk has told nothing:\n{told}")
    refused = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", told)))
    broken = sum(int(n) for line in re.findall(r"Socket errors: (.*)", told) for n in re.findall(r"\d+", line))
    return {
        "rate": float(rate[1]), "requests": int(count[1]), "failed": refused + broken, "p50_ms": late["50"],
        "p99_ms": late["99"],
    }  # fmt: skip


def _updated(settings: Any, headers: dict[str, str]) -> dict[str, float]:
    """Deploy changed settings under load."""
    from deployments.gateway import serving

    load = _loading(settings.gateway.port, READ, headers, 8, LONGEST_S)
    gateway = settings.gateway.model_copy(update={"request_s": settings.gateway.request_s - 1})
    try:
        serving.deploy(settings.model_copy(update={"gateway": gateway}))
        time.sleep(AFTER_S)
    finally:
        load.send_signal(signal.SIGINT)
    return _parsed(load.communicate()[0])


def _orders(port: int, headers: dict[str, str], count: int) -> list[float]:
    """Milliseconds from each order to its answer."""
    connection = HTTPConnection("127.0.0.1", port)
    found = []
    for number in range(count):
        order = {
            "symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc",
            "limit_price": "30.00", "client_order_id": f"bench-{number}",
        }  # fmt: skip
        started = time.perf_counter()
        connection.request("POST", "/v2/orders", json.dumps(order), {**headers, "Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        found.append((time.perf_counter() - started) * 1e3)
        if answer.status != 200:
            raise SystemExit(f"an order was refused: {answer.status} {told.decode()}")
    connection.close()
    return found


def _free_port() -> int:
    with socket.socket() as room:
        room.bind(("127.0.0.1", 0))
        return int(room.getsockname()[1])


if __name__ == "__main__":
    main()
