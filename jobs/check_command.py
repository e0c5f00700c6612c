"""`nt-ray check`: whether a strategy looks ahead."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.options import AsJson, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.market.bars import BarPanel
    from nt_ray.strategies.base import Strategy

FOUND = 1

CHECK_HELP = help_text(
    "Look for look-ahead: change the future at several bars and compare everything before, bit for bit. "
    "Exit code 1 where something is found.",
    "nt-ray check momentum",
    "nt-ray check my_strategy.py:MyStrategy --param lookback=20 --data prices.csv --json",
)

Target = Annotated[str, typer.Argument(metavar="NAME", help="A strategy's name, or file.py:Object.")]
Params = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Set a parameter; may be repeated.")
]
Source = Annotated[
    str | None, typer.Option("--data", metavar="NAME|PATH", help="Bars to check on; without it, random walks.")
]
Symbols = Annotated[str | None, typer.Option(metavar="A,B,C", help="Symbols of the data, separated by commas.")]
Bars = Annotated[int, typer.Option(min=20, max=1_000_000, help="Bars checked, the last ones of the data.")]


def check(
    name: Target,
    params: Params = None,
    data: Source = None,
    symbols: Symbols = None,
    bars: Bars = 1500,
    as_json: AsJson = False,
) -> int:
    """Check a strategy; return 1 where it looks ahead or nothing could be compared."""
    from nt_ray.backtest.look_ahead import default_cuts, first_leak, frozen_arrays, strategy_outputs, votes
    from nt_ray.strategies.loader import preparation, prepared
    from nt_ray.strategies.registry import find

    strategy = find(name)
    vector = strategy.vector(numbers(params or ()))
    panel = _panel(strategy, data, symbols, bars, makes_fields=preparation(name) is not None)

    def prepare(changed: "BarPanel") -> "BarPanel":
        return prepared(name, changed)

    confidences = [v for key, v in votes(strategy, vector, prepare(panel)).items() if key.startswith("confidence")]
    heard = int(sum((v > 0.0).sum() for v in confidences))
    leak = first_leak(panel, strategy_outputs(strategy, vector, prepare))
    frozen = frozen_arrays(strategy.step)
    report: dict[str, Any] = {
        "strategy": strategy.name,
        "data": panel.name,
        "bars": len(panel),
        "symbols": list(panel.symbols),
        "cuts": default_cuts(len(panel)),
        "votes": heard,
        "clean": leak is None and not frozen and heard > 0,
        "leak": None if leak is None else {**_fields(leak), "sentence": leak.sentence()},
        "frozen": frozen,
    }
    typer.echo(json.dumps(report, indent=2) if as_json else _text(report))
    return 0 if report["clean"] else FOUND


def numbers(params: Sequence[str]) -> dict[str, float]:
    """Read NAME=VALUE pairs."""
    values: dict[str, float] = {}
    for text in params:
        key, equals, value = text.partition("=")
        try:
            values[key.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise BadInputError(f"--param {text} is no NAME=NUMBER. Write it like --param lookback=20.")
    return values


def _panel(strategy: "Strategy", data: str | None, symbols: str | None, bars: int, *, makes_fields: bool) -> "BarPanel":
    from nt_ray.backtest.practice import practice_panel
    from nt_ray.market.source import load_panel

    fields = () if makes_fields else strategy.inputs
    if data is None:
        return practice_panel(2 * strategy.width, bars, fields)
    chosen = [s.strip() for s in symbols.split(",")] if symbols else None
    panel = load_panel(data, symbols=chosen, extra=fields)
    if len(panel.symbols) < strategy.width:
        raise BadInputError(
            f"{strategy.name} looks at {strategy.width} symbols at a time; the data have {len(panel.symbols)}. "
            "Give data of more symbols."
        )
    return panel.between(panel.time(max(0, len(panel) - bars)), None)


def _fields(leak: Any) -> dict[str, Any]:
    from dataclasses import asdict

    # NaN is no JSON; text keeps it readable.
    return {k: str(v) if isinstance(v, float) and v != v else v for k, v in asdict(leak).items()}


def _text(report: dict[str, Any]) -> str:
    votes = f"{report['votes']:,} votes on {report['bars']:,} bars of {len(report['symbols'])} symbols"
    cuts = f"({report['data']}), the future changed at {len(report['cuts'])} bars."
    lines = [f"{report['strategy']}: {votes} {cuts}"]
    if report["leak"] is not None:
        lines.append(f"Looks ahead: {report['leak']['sentence']}")
    lines += [
        f"Frozen data: {name}. Compiled code keeps them as they are, with any future in them; use parameters or fields."
        for name in report["frozen"]
    ]
    if report["votes"] == 0:
        lines.append("It never voted, so nothing was compared. Give --bars, --param or --data with which it does.")
    if report["clean"]:
        lines.append("Nothing before a change depends on what comes after it.")
    return "\n".join(lines)
