"""`nt-ray backtest`: any strategy in the event simulator."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from jobs.options import AsJson, Browse, Progress, Values, amount, by_settings, by_strategy, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.portfolio.sizing import SizingParams

BACKTEST_HELP = help_text(
    "Backtest a strategy in the event simulator: any of `nt-ray strategies list`, or one of a file of your own that "
    "gives targets, orders, or is a plain-Python class. Prints measures, orders by ending and costs by kind, and "
    "writes a run's folder with tear sheet, trades, fills and orders. Costs that are not given are those of the first "
    "enabled broker.",
    "nt-ray backtest momentum --param lookback=120 --data sp500 --start 2015-01-01",
    "nt-ray backtest my_strategy.py:MyStrategy --data prices.csv --commission-bps 0.5 --slippage-bps 2 --json",
    "nt-ray backtest pairs --symbols KO,PEP --borrow 0.03 --margin 0.5,0.25 --latency 1 --path ohlc",
    "nt-ray backtest market_making_quotes --symbols AAPL --param size=10 --cash 100000",
    "nt-ray backtest momentum --market market.toml --sizing target",
)

Commission: TypeAlias = Annotated[str | None, typer.Option("--commission-bps", metavar="BPS", help="Of the notional.")]
Maker: TypeAlias = Annotated[
    str | None,
    typer.Option("--maker-bps", metavar="BPS", help="Commission of orders that rested; below 0 a rebate; else as any."),
]
Fee: TypeAlias = Annotated[str | None, typer.Option("--fee", metavar="AMOUNT", help="For each order that fills.")]
Slippage: TypeAlias = Annotated[
    str | None, typer.Option("--slippage-bps", metavar="BPS", help="Of market and stop orders.")
]
Impact: TypeAlias = Annotated[
    str | None,
    typer.Option("--impact-bps", metavar="BPS", help="Slippage of a bar's whole volume; falls with the share's root."),
]
Share: TypeAlias = Annotated[
    str | None, typer.Option("--volume-share", metavar="SHARE", help="Of a bar's volume that may trade, up to 1.")
]
Borrow: TypeAlias = Annotated[
    str | None, typer.Option("--borrow", metavar="RATE", help="A year, on the value of short positions: 0.03.")
]
Margin: TypeAlias = Annotated[
    str | None,
    typer.Option("--margin", metavar="INITIAL[,HOLD]", help="Equity that opening and holding take: 0.5,0.25."),
]
Latency: TypeAlias = Annotated[
    int | None, typer.Option("--latency", metavar="BARS", min=0, help="By which orders are late.")
]
PathName: TypeAlias = Annotated[
    str | None, typer.Option("--path", metavar="NAME", help="Prices inside a bar: worst, ohlc, olhc or colour.")
]
SameClose: TypeAlias = Annotated[
    bool, typer.Option("--same-close", help="Match at the close that was just seen; no one can, outside an auction.")
]
MarketFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--market", metavar="FILE", help="TOML of a market: terms, tiers, currencies, splits ... Options win over it."
    ),
]
Sizing: TypeAlias = Annotated[
    str, typer.Option("--sizing", metavar="HOW", help="Targets become positions as [portfolio] says, or `target`.")
]
MaxWeight: TypeAlias = Annotated[
    str | None, typer.Option("--max-weight", metavar="SHARE", help="Largest position; portfolio.max_weight.")
]
MaxGross: TypeAlias = Annotated[
    str | None, typer.Option("--max-gross", metavar="SHARE", help="Largest sum of positions; portfolio.max_gross.")
]

TERMS: Final[Mapping[str, str]] = {
    "--commission-bps": "commission_bps",
    "--maker-bps": "maker_bps",
    "--fee": "fee_per_order",
    "--slippage-bps": "slippage_bps",
    "--impact-bps": "root_bps",
    "--volume-share": "volume_share",
    "--borrow": "borrow_rate",
}
"""Options that set a term, and its name in a market's table."""


@by_settings(max_weight="portfolio.max_weight", max_gross="portfolio.max_gross")
@by_strategy
def backtest(
    settings: "Settings",
    strategy: str,
    param: Values = None,
    commission_bps: Commission = None,
    maker_bps: Maker = None,
    fee: Fee = None,
    slippage_bps: Slippage = None,
    impact_bps: Impact = None,
    volume_share: Share = None,
    borrow: Borrow = None,
    margin: Margin = None,
    latency: Latency = None,
    path: PathName = None,
    same_close: SameClose = False,
    market: MarketFile = None,
    sizing: Sizing = "portfolio",
    max_weight: MaxWeight = None,
    max_gross: MaxGross = None,
    as_json: AsJson = False,
    progress: Progress = True,
    browse: Browse = None,
) -> int:
    """Backtest as the options, the market's file, the environment and the settings' file say."""
    from jobs.progress import fitting
    from nt_ray.backtest.assignment import numbers
    from nt_ray.backtest.event.market_table import read_market
    from nt_ray.backtest.event.runnable import runnable
    from nt_ray.trader.data import load_for
    from nt_ray.trader.event_record import Setup
    from nt_ray.trader.planning import account_plans

    given = (commission_bps, maker_bps, fee, slippage_bps, impact_bps, volume_share, borrow)
    terms = _terms(dict(zip(TERMS, given, strict=True)), margin)
    rules = {"latency": latency, "path": path, "same_close": same_close or None}
    found = runnable(strategy, numbers(param or ()))
    with fitting(shown=progress, as_json=as_json) as on_fit:
        loaded = load_for(settings, strategy, found.inputs, found.parameters, on_fit)
    setup = Setup(
        found,
        loaded.panel,
        _market(read_market(market) if market else {}, rules, terms),
        _sizing(settings, sizing),
        account_plans(settings, Path(settings.runs))[0].costs,
        settings.account.initial_cash,
        loaded.origin,
        loaded.horizon,
    )
    from jobs import backtest as job

    return job.run(settings, setup, as_json=as_json, progress=progress, browse=browse)


def _terms(given: Mapping[str, str | None], margin: str | None) -> dict[str, Any]:
    terms: dict[str, Any] = {TERMS[option]: amount(option, text) for option, text in given.items() if text is not None}
    if margin is not None:
        initial, comma, hold = margin.partition(",")
        terms["initial_margin"] = amount("--margin", initial)
        if comma:
            terms["maintenance_margin"] = amount("--margin", hold)
    return terms


def _market(table: Mapping[str, Any], rules: Mapping[str, Any], terms: Mapping[str, Any]) -> dict[str, Any]:
    """Market of a file with options on top; a term that an option sets holds for every instrument."""
    symbols = table.get("symbols", {})
    if isinstance(symbols, Mapping):
        rest = {
            symbol: {name: value for name, value in own.items() if name not in terms}
            for symbol, own in symbols.items()
            if isinstance(own, Mapping)
        }
        symbols = {**symbols, **rest}
    named = table.get("terms", {})
    merged = {**table, **{name: value for name, value in rules.items() if value is not None}}
    if terms:
        merged["terms"] = {**named, **terms} if isinstance(named, Mapping) else named
    return {**merged, "symbols": symbols} if symbols else merged


def _sizing(settings: "Settings", how: str) -> "SizingParams":
    from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE
    from nt_ray.trader.planning import sizing_params

    if how not in ("portfolio", "target"):
        raise BadInputError(f"--sizing {how} is unknown. Use portfolio, or target: the target is the weight.")
    return sizing_params(settings) if how == "portfolio" else TARGET_EXPOSURE
