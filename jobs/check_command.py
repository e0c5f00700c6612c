"""`nt-ray check`: whether a strategy looks ahead."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.options import AsJson, Values, by_strategy, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.backtest.event.runnable import Runnable
    from nt_ray.backtest.look_ahead import Leak
    from nt_ray.market.bars import BarPanel

FOUND = 1

CHECK_HELP = help_text(
    "Look for look-ahead: change the future at several bars and compare everything before, bit for bit. Strategies of "
    "targets, of orders and in plain Python alike. Exit code 1 where something is found.",
    "nt-ray check momentum",
    "nt-ray check my_strategy.py",
    "nt-ray check my_strategy.py:MyStrategy --param lookback=20 --data prices.csv --json",
)

Source = Annotated[
    str | None, typer.Option("--data", metavar="NAME|PATH", help="Bars to check on; without it, random walks.")
]
Symbols = Annotated[str | None, typer.Option(metavar="A,B,C", help="Symbols of the data, separated by commas.")]
Bars = Annotated[int, typer.Option(min=20, max=1_000_000, help="Bars checked, the last ones of the data.")]


@by_strategy
def check(
    strategy: str,
    param: Values = None,
    data: Source = None,
    symbols: Symbols = None,
    bars: Bars = 1500,
    as_json: AsJson = False,
) -> int:
    """Check a strategy; return 1 where it looks ahead or nothing could be compared."""
    from nt_ray.backtest.assignment import numbers
    from nt_ray.backtest.event.runnable import runnable
    from nt_ray.backtest.look_ahead import default_cuts, frozen_arrays
    from nt_ray.strategies.loader import preparation, prepared

    subject = runnable(strategy, numbers(param or ()))
    panel = _panel(subject, data, symbols, bars, makes_fields=preparation(strategy) is not None)
    found = _examined(subject, panel, lambda changed: prepared(strategy, changed))
    leak, frozen = found.pop("leak"), frozen_arrays(subject.code)
    report: dict[str, Any] = {
        "strategy": subject.name,
        "kind": subject.kind,
        "data": panel.name,
        "bars": len(panel),
        "symbols": list(panel.symbols),
        "cuts": default_cuts(len(panel)),
        **found,
        "clean": leak is None and not frozen and found["votes"] > 0 and found["repeats"],
        "leak": None if leak is None else {**_fields(leak), "sentence": leak.sentence()},
        "frozen": frozen,
    }
    typer.echo(json.dumps(report, indent=2) if as_json else _text(report))
    return 0 if report["clean"] else FOUND


def _examined(subject: "Runnable", panel: "BarPanel", prepare: "Callable[[BarPanel], BarPanel]") -> dict[str, Any]:
    """Leak, votes or orders that were compared, whether a second run is the same, and futures it could not run in."""
    from nt_ray.backtest.event.runnable import OfTargets
    from nt_ray.backtest.event.traces import Tracer
    from nt_ray.backtest.look_ahead import first_leak, strategy_outputs, votes

    if isinstance(subject, OfTargets):
        said = votes(subject.strategy, subject.vector, prepare(panel))
        heard = sum(int((v > 0.0).sum()) for name, v in said.items() if name.startswith("confidence"))
        leak = first_leak(panel, strategy_outputs(subject.strategy, subject.vector, prepare))
        return {"leak": leak, "votes": heard, "repeats": True, "unusable": 0}
    tracer = Tracer(subject, prepare)
    repeats = tracer.repeats(panel)
    leak = first_leak(panel, tracer) if repeats else None
    return {"leak": leak, "votes": tracer.asked, "repeats": repeats, "unusable": tracer.unusable}


def _panel(subject: "Runnable", data: str | None, symbols: str | None, bars: int, *, makes_fields: bool) -> "BarPanel":
    from nt_ray.backtest.practice import practice_panel
    from nt_ray.market.source import load_panel

    fields = () if makes_fields else subject.inputs
    if data is None:
        return practice_panel(2 * subject.width, bars, fields)
    chosen = [s.strip() for s in symbols.split(",")] if symbols else None
    panel = load_panel(data, symbols=chosen, extra=fields)
    if len(panel.symbols) < subject.width:
        raise BadInputError(
            f"{subject.name} looks at {subject.width} symbols at a time; the data have {len(panel.symbols)}. "
            "Give data of more symbols."
        )
    return panel.between(panel.time(max(0, len(panel) - bars)), None)


def _fields(leak: "Leak") -> dict[str, Any]:
    from dataclasses import asdict

    # NaN is no JSON; text keeps it readable.
    return {k: str(v) if isinstance(v, float) and v != v else v for k, v in asdict(leak).items()}


def _text(report: dict[str, Any]) -> str:
    what = "votes" if report["kind"] == "targets" else "orders"
    votes = f"{report['votes']:,} {what} on {report['bars']:,} bars of {len(report['symbols'])} symbols"
    cuts = f"({report['data']}), the future changed at {len(report['cuts'])} bars."
    lines = [f"{report['strategy']}: {votes} {cuts}"]
    if report["leak"] is not None:
        lines.append(f"Looks ahead: {report['leak']['sentence']}")
    lines += [
        f"Frozen data: {name}. Compiled code keeps them as they are, with any future in them; use parameters or fields."
        for name in report["frozen"]
    ]
    if not report["repeats"]:
        lines.append("It does something else on the same bars, so nothing can be compared. Seed what is random.")
    if report["unusable"]:
        lines.append(f"It failed in {report['unusable']} of the changed futures, which therefore show nothing.")
    if report["votes"] == 0:
        said = "voted" if what == "votes" else "asked for an order"
        lines.append(f"It never {said}, so nothing was compared. Give --bars, --param or --data with which it does.")
    if report["clean"]:
        lines.append("Nothing before a change depends on what comes after it.")
    return "\n".join(lines)
