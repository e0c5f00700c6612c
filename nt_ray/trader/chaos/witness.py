"""The witness: what agents asked their account for and what it told them, written down beside the journal.

A line is in the file before the next thing happens, so it survives a kill of the process. The account knows nothing of
it: what it forgets, invents or takes back can be read off here.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest, OrderStatus


@dataclass(frozen=True, slots=True)
class Testimony:
    """What was asked and told over all lives."""

    asked: dict[str, set[str]] = field(default_factory=dict)
    """Terms by client order id."""
    told: dict[str, list[tuple[OrderStatus, bool]]] = field(default_factory=dict)
    """What was reported by client order id, in order: the state, and whether it was certainly not sent."""
    crashes: list[str] = field(default_factory=list)
    """Errors by which lives ended that nobody killed."""


class Witness:
    """Writes down one life; `path` goes on from life to life."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def asks(self, requests: Sequence[OrderRequest]) -> None:
        """Agents are about to ask for orders."""
        self._write(*({"asked": r.client_order_id, "terms": terms(r)} for r in requests))

    def hears(self, reports: Sequence[OrderReport]) -> None:
        """The account has answered."""
        self._write(
            *(
                {"told": r.request.client_order_id, "status": r.status, "not_sent": r.not_sent}
                # A refusal of a second order under a known id says nothing of the first.
                for r in reports
                if r.rule != "duplicate"
            )
        )

    def crashes(self, error: str) -> None:
        """A life ends by an error."""
        self._write({"crash": error})

    def _write(self, *records: dict[str, Any]) -> None:
        os.write(self._file, "".join(json.dumps(record) + "\n" for record in records).encode())


def terms(request: OrderRequest) -> str:
    """Write a request down, every digit kept."""
    return repr(request)


def read_testimony(path: Path) -> Testimony:
    """Read what was written down; nothing where nobody wrote."""
    found = Testimony()
    for record in _records(path):
        if "asked" in record:
            found.asked.setdefault(record["asked"], set()).add(record["terms"])
        elif "told" in record:
            report = OrderStatus(record["status"]), bool(record["not_sent"])
            found.told.setdefault(record["told"], []).append(report)
        else:
            found.crashes.append(record["crash"])
    return found


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())
