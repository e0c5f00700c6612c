"""What the stream carries: many WebSocket clients that each follow every event, and whether any is lost.

One process serves `/stream/v1` of the gateway and publishes at a steady rate; another is all clients. Each client
counts what it hears by number, so a loss or a repetition would be seen; latencies are from publishing to the client's
reading. Both processes share the machine. With `--ray` events come by way of the stream's actor, as on a cluster.

    python -m benchmarks.gateway_stream [--clients 200] [--rate 50] [--seconds 10] [--ray] [--json stream.json]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from actors.environment import prepare

prepare()

import uvicorn  # noqa: E402 (Ray reads its environment when it is imported)
from starlette.applications import Starlette  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from deployments.gateway.backend.stream import ActorSource, Source  # noqa: E402
from deployments.gateway.middleware.identity import Identity  # noqa: E402
from deployments.gateway.stream.route import PATH, stream  # noqa: E402
from deployments.gateway.stream.seats import Seats  # noqa: E402
from nt_ray.access.gatekeeper import open_gatekeeper  # noqa: E402
from nt_ray.access.limits import open_limits  # noqa: E402
from nt_ray.access.roles import Role  # noqa: E402
from nt_ray.config import Access, load_settings  # noqa: E402
from nt_ray.trader.event_stream import Channel, EventStream, news  # noqa: E402

MANY = 1_000_000
"""More connections than there are clients."""
LATE_S = 30.0
"""Seconds after the last event within which every client has to have heard it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second, each for every client")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--ray", action="store_true", help="publish through the actor of the stream")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.clients, options.rate, options.seconds, on_ray=options.ray)
    print(
        f"{result['clients']} clients x {result['rate']:g} events/s for {result['seconds']:g} s: "
        f"{result['heard']:,} of {result['sent']:,} heard, {result['lost']} lost, {result['repeated']} twice; "
        f"latency p50 {result['p50_ms']:.1f} ms, p99 {result['p99_ms']:.1f} ms; "
        f"server {result['server_cpu_share']:.0%} of a core"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


def measure(clients: int, rate: float, seconds: float, *, on_ray: bool = False) -> dict[str, Any]:
    """Serve, follow, count."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there, rate, seconds, on_ray), daemon=True)
    server.start()
    port, key = here.recv()
    try:
        heard = asyncio.run(_follow(here, f"ws://127.0.0.1:{port}{PATH}", key, clients, int(rate * seconds)))
        cpu_s, took_s = here.recv()
    finally:
        here.send("end")
        server.join(LATE_S)
    count = int(rate * seconds)
    latencies = sorted(late for _, lates in heard for late in lates)
    quantiles = statistics.quantiles(latencies, n=100)
    return {
        "clients": clients,
        "rate": rate,
        "seconds": seconds,
        "by_actor": on_ray,
        "cpus": os.cpu_count(),
        "sent": clients * count,
        "heard": sum(len(set(seqs)) for seqs, _ in heard),
        "lost": sum(count - len(set(seqs)) for seqs, _ in heard),
        "repeated": sum(len(seqs) - len(set(seqs)) for seqs, _ in heard),
        "in_order": all(seqs == sorted(seqs) for seqs, _ in heard),
        "p50_ms": quantiles[49] * 1e3,
        "p99_ms": quantiles[98] * 1e3,
        "server_cpu_share": cpu_s / took_s,
    }


async def _follow(
    pipe: Connection, url: str, key: str, clients: int, count: int
) -> list[tuple[list[int], list[float]]]:
    ready = asyncio.Semaphore(0)
    following = [asyncio.create_task(_client(url, key, count, ready)) for _ in range(clients)]
    for _ in range(clients):
        await ready.acquire()
    pipe.send("go")
    return list(await asyncio.gather(*following))


async def _client(url: str, key: str, count: int, ready: asyncio.Semaphore) -> tuple[list[int], list[float]]:
    """Follow until the last event; the numbers heard, and how late each was."""
    seqs: list[int] = []
    lates: list[float] = []
    async with connect(url, additional_headers={"X-API-Key": key}, compression=None, open_timeout=LATE_S) as socket:
        await socket.send(json.dumps({"action": "subscribe", "channels": {"quotes": {}}}))
        async for frame in socket:
            now = time.time()
            for message in json.loads(frame):
                if message["type"] == "subscribed":
                    ready.release()
                elif message["type"] == "ping":
                    await socket.send(json.dumps({"action": "pong", "number": message["number"]}))
                elif message["type"] == "event":
                    seqs.append(message["data"]["n"])
                    lates.append(now - message["data"]["at"])
            if seqs and seqs[-1] == count - 1:
                break
    return seqs, lates


def _serve(pipe: Connection, rate: float, seconds: float, on_ray: bool) -> None:
    if on_ray:
        from actors.cluster import connected

        with connected(None, num_cpus=2, object_store_mb=100), tempfile.TemporaryDirectory() as state:
            settings = load_settings(None, {"state": state}, environ={})
            asyncio.run(_served(pipe, rate, seconds, ActorSource(settings)))
    else:
        asyncio.run(_served(pipe, rate, seconds, EventStream()))


async def _served(pipe: Connection, rate: float, seconds: float, source: Source) -> None:
    with tempfile.TemporaryDirectory() as folder:
        access = Access(folder=Path(folder), address_per_minute=1_000_000, per_minute=1_000_000)
        gatekeeper = open_gatekeeper(access)
        gatekeeper.users.add("reader", Role.READ_ONLY)
        guard = Middleware(Identity, gatekeeper=gatekeeper, limits=open_limits(access))
        app = Starlette(routes=[stream(source, gatekeeper, seats=Seats(MANY, MANY))], middleware=[guard])
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        pipe.send((server.servers[0].sockets[0].getsockname()[1], gatekeeper.keys.add("reader").text))
        await asyncio.to_thread(pipe.recv)
        began, cpu = time.monotonic(), time.process_time()
        await _publish(source, rate, int(rate * seconds))
        pipe.send((time.process_time() - cpu, time.monotonic() - began))
        await asyncio.to_thread(pipe.recv)
        server.should_exit = True
        await serving
        gatekeeper.close()


async def _publish(source: Source, rate: float, count: int) -> None:
    begin = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        told = [
            news(Channel.QUOTES, datetime.now(UTC), {"n": number, "at": time.time(), "price": "101.25"}, symbol="KO")
        ]
        if isinstance(source, EventStream):
            source.publish(told)
        else:
            from actors.stream import find

            await find().publish.remote(told)


if __name__ == "__main__":
    main()
