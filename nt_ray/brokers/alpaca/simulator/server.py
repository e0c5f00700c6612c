"""The simulated venue on a socket: HTTP and WebSocket on one port of loopback, keys, rate limit, faults, a file.

Requests are handled one after the other in the order in which they were read. With a file, each request that changes
something is written to it before it is answered, so a venue that is started again on the file stands where it stood.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import IO, Any, Final

from nt_ray.brokers.alpaca.simulator.faults import Fault, FaultKind, Faults, fault_from
from nt_ray.brokers.alpaca.simulator.http11 import Request, html_answer, json_answer, read_request
from nt_ray.brokers.alpaca.simulator.intake import Refusal
from nt_ray.brokers.alpaca.simulator.listeners import Listener, Listeners
from nt_ray.brokers.alpaca.simulator.queries import asked_order
from nt_ray.brokers.alpaca.simulator.venue import Answer, Call, Venue
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, parse
from nt_ray.errors import StorageError

_MINUTE: Final = 60
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Time of a new venue's prices until it opens."""
_UNAUTHORIZED: Final = {"code": 40110000, "message": "request is not authorized"}
_TOO_MANY: Final = {"code": 42910000, "message": "rate limit exceeded"}


class Server:
    """One venue, one port."""

    def __init__(self, venue: Venue, requests_per_minute: int, file: Path | None) -> None:
        self.venue = venue
        self.faults = Faults()
        self._limit = requests_per_minute
        self._minute, self._asked = 0, 0
        self._listeners = Listeners(self.faults)
        self._writers: set[asyncio.StreamWriter] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._file: IO[str] | None = None
        if file is not None:
            self._file = _replayed(venue, file)

    async def start(self, port: int) -> int:
        """Listen; return the port. Prices that nobody has posted are of this moment."""
        for quote in self.venue.state.quotes.values():
            if quote.time < _BEGINNING + timedelta(days=1):
                quote.time = datetime.now(UTC)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection and the file; what is still under way is lost."""
        for task in list(self._late):
            task.cancel()
        await self.arrived()
        if self._server is not None:
            self._server.close()
        self._listeners.close()
        for writer in list(self._writers):
            writer.close()
        if self._server is not None:
            await self._server.wait_closed()
        if self._file is not None:
            self._file.close()

    async def arrived(self) -> None:
        """Wait for every request that is to be processed late."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def control(self, method: str, path: str, body: Json) -> Any:
        """Do what a request to the simulator does; raise `Refusal` where it is refused."""
        if path == "/simulator/faults":
            if method == "DELETE":
                self.faults.clear()
            else:
                self.faults.add(fault_from(body))
            return {}
        answer = self._handled(Call(method, path, {}, body))
        if answer.status >= 400:
            raise Refusal(answer.status, answer.body["code"], answer.body["message"])
        return answer.body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                if request.is_upgrade:
                    await self._listen(request, reader, writer)
                    return
                answer = await self._answer(request)
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    return
        except ConnectionError:
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _listen(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state = self.venue.state
        listener = Listener(writer, state.key, state.secret)
        self._listeners.add(listener)
        try:
            await listener.run(request.head, reader)
        finally:
            self._listeners.remove(listener)

    async def _answer(self, request: Request) -> bytes | None:
        """Bytes of the answer; None breaks the connection."""
        try:
            body = parse(request.body) if request.body else None
        except UnreadableError:
            body = None
        call = Call(request.method, request.path, request.query, body)
        if request.path.startswith("/simulator/"):
            try:
                return json_answer(
                    200, self.control(call.method, call.path, body if isinstance(body, dict) else {}), {}
                )
            except Refusal as refusal:
                return json_answer(refusal.status, refusal.body, {})
        headers = self._count()
        if not self._knows(request.headers):
            return json_answer(401, _UNAUTHORIZED, headers)
        if int(headers["X-RateLimit-Remaining"]) < 0:
            return json_answer(429, _TOO_MANY, {**headers, "X-RateLimit-Remaining": "0"})
        fault = self.faults.request(call.method, call.path, self._named(call))
        return await self._faulty(call, fault, headers)

    async def _faulty(self, call: Call, fault: Fault | None, headers: Mapping[str, str]) -> bytes | None:
        kind = None if fault is None else fault.kind
        if fault is None:
            answer = self._handled(call)
            return json_answer(answer.status, answer.body, headers)
        if kind in (FaultKind.DROP_BEFORE, FaultKind.LATE):
            if kind is FaultKind.LATE and call.changes:
                task = asyncio.create_task(self._handled_late(call, fault.seconds or 0.0))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            return None
        if kind is FaultKind.RATE_LIMIT:
            wait = {} if fault.seconds is None else {"Retry-After": f"{fault.seconds:g}"}
            return json_answer(429, _TOO_MANY, wait)
        if kind is FaultKind.ERROR and not fault.processed:
            return html_answer(fault.status)
        return await self._processed(call, fault, headers)

    async def _processed(self, call: Call, fault: Fault, headers: Mapping[str, str]) -> bytes | None:
        """Process a request, and let its answer go wrong."""
        kind = fault.kind
        if kind is FaultKind.HOLD:
            await asyncio.sleep(fault.seconds or 0.0)
        answer = self._handled(call)
        content = answer.body
        if kind is FaultKind.DROP_AFTER:
            return None
        if kind is FaultKind.ERROR:
            return html_answer(fault.status)
        if kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds or 0.0)
        elif kind is FaultKind.STALE:
            content = self.venue.stale(call) or content
        elif kind is FaultKind.WORD and isinstance(content, dict):
            content = {**content, "status": fault.word}
        written = json_answer(answer.status, content, headers)
        if kind is not FaultKind.TRUNCATE:
            return written
        head, _, text = written.partition(b"\r\n\r\n")
        half = text[: len(text) // 2]
        return head.replace(b"Content-Length: %d" % len(text), b"Content-Length: %d" % len(half)) + b"\r\n\r\n" + half

    async def _handled_late(self, call: Call, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._handled(call)

    def _handled(self, call: Call) -> Answer:
        """Let the venue handle a request; keep it first, and tell the stream after."""
        now = datetime.now(UTC)
        if self._file is not None and call.changes:
            entry = {"method": call.method, "path": call.path, "query": dict(call.query), "body": call.body}
            self._file.write(json.dumps({**entry, "now": now.isoformat()}, default=str) + "\n")
            self._file.flush()
        answer = self.venue.handle(call, now)
        for message in self.venue.messages():
            self._listeners.publish(message)
        return answer

    def _named(self, call: Call) -> str:
        """Client id of the order that a request is about; empty where it is about none."""
        if isinstance(call.body, dict) and call.body.get("client_order_id"):
            return str(call.body["client_order_id"])
        order = asked_order(self.venue.state, call.path, call.query)
        return call.query.get("client_order_id", "") if order is None else order.client_order_id

    def _knows(self, headers: Mapping[str, str]) -> bool:
        state = self.venue.state
        given = (headers.get("apca-api-key-id"), headers.get("apca-api-secret-key"))
        return given == (state.key, state.secret)

    def _count(self) -> dict[str, str]:
        minute = int(time.time()) // _MINUTE
        if minute != self._minute:
            self._minute, self._asked = minute, 0
        self._asked += 1
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(self._limit - self._asked),
            "X-RateLimit-Reset": str((minute + 1) * _MINUTE),
            "Date": format_datetime(datetime.now(UTC) + timedelta(seconds=self.venue.state.skew_s), usegmt=True),
        }


def _replayed(venue: Venue, file: Path) -> IO[str]:
    """Handle again what the file holds; return it, open for more. A last line that was cut off is dropped."""
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        whole, _, _ = text.rpartition("\n")
        for line in whole.splitlines():
            entry = json.loads(line)
            call = Call(entry["method"], entry["path"], entry["query"], entry["body"])
            venue.handle(call, datetime.fromisoformat(entry["now"]))
            venue.messages()
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{file} is no file of a simulated venue. Use a new file.") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}. Use another file.") from error
    try:
        handle = file.open("r+" if whole else "w", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}. Use another file.") from error
    handle.seek(len(whole.encode()) + bool(whole))
    handle.truncate()
    return handle


def new_venue(key: str, secret: str, cash: Decimal, symbols: Mapping[str, Decimal]) -> Venue:
    """A venue that lists these symbols at these prices."""
    venue = Venue(key, secret, cash)
    for symbol, price in symbols.items():
        venue.handle(Call("POST", "/simulator/asset", {}, {"symbol": symbol}), _BEGINNING)
        venue.handle(Call("POST", "/simulator/price", {}, {"symbol": symbol, "price": str(price)}), _BEGINNING)
    return venue
