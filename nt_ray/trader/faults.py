"""Faults of agents, as people read them: who, on which bar of which symbol, with what value.

A swarm knows agents by number and bars by row; names, times and prices come in here.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nt_ray.market.bars import CLOSE, BarPanel
from nt_ray.reports.record import to_plain
from nt_ray.swarm.failures import AgentFaultError
from nt_ray.swarm.messages import AgentSpec, Silence
from nt_ray.trader import files


def fault_rows(faults: Iterable[Silence], specs: Sequence[AgentSpec], panel: BarPanel) -> list[dict[str, Any]]:
    """Faults as data that JSON can hold, each with a sentence; one row each, in their order."""
    return [_row(fault, specs[fault.agent], panel) for fault in faults]


def stopped(error: AgentFaultError, specs: Sequence[AgentSpec], panel: BarPanel, folder: Path) -> AgentFaultError:
    """Write down in the run's folder why a run stopped, and return the error that says so."""
    rows = fault_rows(error.faults, specs, panel)
    (folder / files.FAULTS).write_text(json.dumps(rows, indent=2), encoding="utf-8")
    more = f" So did {len(rows) - 1} other agent(s) on this bar." if len(rows) > 1 else ""
    remedy = "Mend the strategy, or set swarm.on_fault=abstain to go on without its vote"
    return AgentFaultError(error.faults, f"{rows[0]['sentence']}{more} {remedy}. Trading stopped; see {folder}.")


def _row(fault: Silence, spec: AgentSpec, panel: BarPanel) -> dict[str, Any]:
    columns = spec.symbols if fault.symbol < 0 else (fault.symbol,)
    symbols = "/".join(panel.symbols[c] for c in columns)
    closes = [float(panel.values[fault.bar, c, CLOSE]) for c in columns]
    when = panel.time(fault.bar).isoformat()
    prices = "/".join(f"{close:g}" for close in closes)
    plain: dict[str, Any] = to_plain(
        {
            "agent": fault.agent,
            "name": spec.name,
            "strategy": spec.strategy,
            "symbol": symbols,
            "bar": fault.bar,
            "time": when,
            "closes": closes,
            "reason": fault.reason,
            "sentence": f"Agent {fault.agent} ({spec.name}) failed for {symbols} at {when} "
            f"(bar {fault.bar}, close {prices}): {fault.reason}.",
        }
    )
    return plain
