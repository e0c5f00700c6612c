"""`nt-ray optimize`: weights by an optimiser, with the proof, whole lots, and the frontier as a page."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, by_settings, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.portfolio.discrete import Allocation
    from nt_ray.portfolio.optimise.constraints import Constraints
    from nt_ray.trader.portfolio_optimizer import Optimum, PortfolioOptimizer
    from nt_ray.types import FloatArray

FRONTIER = "frontier"

OPTIMIZE_HELP = help_text(
    "Optimise a portfolio of the data's symbols and buy it in whole lots for --cash. Objectives: minimum_variance, "
    "mean_variance, max_sharpe, target_return, target_volatility, frontier, min_cvar, risk_parity, hrp, herc, "
    "black_litterman, kelly. Returns, volatilities, rates and targets are annual. What the constraints of an objective "
    "cannot be is said by name.",
    "nt-ray optimize --data sp500 --start 2019-01-01 --max-weight 0.2",
    "nt-ray optimize --objective max_sharpe --covariance oas --expected james_stein --rate 0.02 --json",
    "nt-ray optimize --objective frontier --symbols KO,PEP,XOM,AAPL --points 15 --output frontier.html",
    "nt-ray optimize --objective min_cvar --target 0.10 --sectors sectors.csv --max-weight 0.3",
    "nt-ray optimize --objective black_litterman --views views.toml --previous weights.csv --turnover 0.5",
)

Objective: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="What is optimised; see above.")]
CovarianceName: TypeAlias = Annotated[
    str,
    typer.Option("--covariance", metavar="NAME", help="sample, ewma, ledoit_wolf, oas or denoised."),
]
Expected: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="mean, ewma, james_stein, bayes_stein, implied, or CSV symbol,expected."),
]
MaxWeight: TypeAlias = Annotated[float, typer.Option("--max-weight", metavar="SHARE", help="Largest weight of one.")]
MinWeight: TypeAlias = Annotated[float, typer.Option("--min-weight", metavar="SHARE", help="Least; below 0 to short.")]
MaxGross: TypeAlias = Annotated[
    float | None, typer.Option("--max-gross", metavar="SHARE", help="Largest sum of sizes.")
]
MaxNames: TypeAlias = Annotated[int | None, typer.Option("--max-names", metavar="N", help="Most symbols held.")]
Sectors: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="CSV: symbol, sector, min, max of the sector's sum.")
]
Turnover: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Largest sum of trades, from --previous.")
]
Previous: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", help="CSV symbol,weight: what is held now.")]
Views: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TOML of [[view]] with portfolio, expected and confidence.")
]
Aversion: TypeAlias = Annotated[float, typer.Option("--risk-aversion", metavar="X", help="Of mean_variance.")]
Rate: TypeAlias = Annotated[float, typer.Option(metavar="RATE", help="Riskless return a year.")]
Target: TypeAlias = Annotated[
    float | None, typer.Option(metavar="X", help="Return or volatility to reach, by the objective.")
]
Confidence: TypeAlias = Annotated[float, typer.Option(metavar="SHARE", help="Of min_cvar.")]
Points: TypeAlias = Annotated[int, typer.Option(metavar="N", min=2, help="Portfolios on the frontier.")]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Page with the efficient frontier.")
]


@by_settings()
def optimize(
    settings: "Settings",
    objective: Objective = "minimum_variance",
    covariance: CovarianceName = "ledoit_wolf",
    expected: Expected = None,
    max_weight: MaxWeight = 1.0,
    min_weight: MinWeight = 0.0,
    max_gross: MaxGross = None,
    max_names: MaxNames = None,
    sectors: Sectors = None,
    turnover: Turnover = None,
    previous: Previous = None,
    views: Views = None,
    risk_aversion: Aversion = 4.0,
    rate: Rate = 0.0,
    target: Target = None,
    confidence: Confidence = 0.95,
    points: Points = 20,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Optimise, allocate and print."""
    from jobs.risk_command import known_name
    from nt_ray.portfolio.discrete import allocate
    from nt_ray.portfolio.optimise.constraints import Constraints
    from nt_ray.portfolio.optimise.objectives import OBJECTIVES
    from nt_ray.trader.data import load_bars
    from nt_ray.trader.portfolio_files import opinion_of, sectors_of, values_by_symbol
    from nt_ray.trader.portfolio_optimizer import BLACK_LITTERMAN, IMPLIED, PortfolioOptimizer

    known_name("objective", objective, {**OBJECTIVES, FRONTIER: None, BLACK_LITTERMAN: None})
    if turnover is not None and previous is None:
        raise BadInputError(f"--turnover {turnover} is counted from what is held. Give --previous FILE.csv as well.")
    panel = load_bars(settings.data)
    symbols = panel.symbols
    constraints = Constraints(
        lower=min_weight,
        upper=max_weight,
        linear=() if sectors is None else sectors_of(sectors, symbols),
        previous=None if previous is None else values_by_symbol(previous, "weight", symbols, rest=0.0),
        max_turnover=turnover,
        max_gross=max_gross,
        max_names=max_names,
    )
    optimizer = PortfolioOptimizer(
        panel,
        covariance=covariance,
        expected=_prior(expected or (IMPLIED if objective == BLACK_LITTERMAN else "mean"), symbols),
        opinion=None if views is None else opinion_of(views, symbols),
        risk_aversion=risk_aversion,
        rate=rate,
    )
    line = optimizer.frontier(points, constraints) if objective == FRONTIER or output is not None else ()
    if objective == FRONTIER:
        best = max(line, key=lambda optimum: optimum.sharpe or 0.0)
    else:
        best = optimizer.optimize(objective, constraints, target=target, confidence=confidence)
    bought = allocate(best.weights, optimizer.prices(), settings.account.initial_cash)
    told = _told(objective, optimizer, best, bought, constraints, settings.account.initial_cash)
    if objective == FRONTIER:
        told["frontier"] = [_point(optimum) for optimum in line]
    if output is not None:
        told["page"] = str(_page(output, objective, optimizer, best, line, told).resolve())
    typer.echo(json.dumps(told)) if as_json else _print(told)


def _prior(expected: str, symbols: "tuple[str, ...]") -> "str | FloatArray":
    """Name of an estimator, or the numbers of a file."""
    from nt_ray.trader.portfolio_files import values_by_symbol

    return values_by_symbol(Path(expected), "expected", symbols) if Path(expected).suffix == ".csv" else expected


def _told(
    objective: str,
    optimizer: "PortfolioOptimizer",
    best: "Optimum",
    bought: "Allocation",
    constraints: "Constraints",
    cash: Decimal,
) -> dict[str, Any]:
    from nt_ray.reports.record import to_plain
    from nt_ray.risk.historical import historical_es

    solution = best.solution
    moved = None
    if constraints.previous is not None:
        moved = float(abs(best.weights - constraints.previous).sum())
    told: dict[str, Any] = to_plain(
        {
            "objective": objective,
            **_point(best),
            "expected_shortfall_95": historical_es(optimizer.returns @ best.weights, 0.95),
            "bars": len(optimizer.returns),
            "solver": solution.solver,
            "residual": solution.residual,
            "gap": solution.gap,
            "iterations": solution.iterations,
            "seconds": solution.seconds,
            "turnover": moved,
            "cash": f"{cash:f}",
            "left": f"{bought.cash:f}",
            "lots": {s: int(n) for s, n in zip(best.symbols, bought.lots.tolist(), strict=True) if n},
            "prices": {s: f"{p:f}" for s, p in zip(best.symbols, optimizer.prices(), strict=True)},
        }
    )
    return told


def _point(optimum: "Optimum") -> dict[str, Any]:
    from nt_ray.trader.portfolio_optimizer import symbols_and_weights

    return {
        "weights": dict(symbols_and_weights(optimum)),
        "expected": optimum.expected,
        "volatility": optimum.volatility,
        "sharpe": optimum.sharpe,
    }


def _page(
    path: Path,
    objective: str,
    optimizer: "PortfolioOptimizer",
    best: "Optimum",
    line: "tuple[Optimum, ...]",
    told: dict[str, Any],
) -> Path:
    import numpy as np

    from nt_ray.reports.frontier_page import FrontierRecord, Point, write_frontier

    def point(name: str, optimum: "Optimum") -> Point:
        weights = tuple(optimum.weights.tolist())
        return Point(name=name, volatility=optimum.volatility, expected=optimum.expected, weights=weights)

    deviations = np.sqrt(np.diag(optimizer.covariance))
    assets = zip(optimizer.symbols, deviations.tolist(), optimizer.expected.tolist(), strict=True)
    record = FrontierRecord(
        title=f"{objective.replace('_', ' ')} portfolio",
        symbols=optimizer.symbols,
        chosen=point(objective, best),
        frontier=tuple(point(f"portfolio {number}", optimum) for number, optimum in enumerate(line, 1)),
        assets=tuple(Point(name=name, volatility=risk, expected=mean) for name, risk, mean in assets),
        facts=[(key, _shown(told[key])) for key in ("sharpe", "solver", "residual", "iterations", "left")],
    )
    return write_frontier(record, path)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _moments(told: dict[str, Any]) -> str:
    return (
        f"expected {told['expected']:.2%} a year, volatility {told['volatility']:.2%}, Sharpe {_shown(told['sharpe'])}"
    )


def _print(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{told['objective']}, from {told['bars']:,} bars")
    for name in ("symbol", "weight", "units", "price", "value"):
        table.add_column(name, justify="left" if name == "symbol" else "right")
    for symbol in dict.fromkeys((*told["weights"], *told["lots"])):
        units, price = told["lots"].get(symbol, 0), Decimal(told["prices"][symbol])
        weight = told["weights"].get(symbol, 0.0)
        table.add_row(symbol, f"{weight:.2%}", f"{units:,}", f"{price:,.2f}", f"{units * price:,.2f}")
    console.print(table)
    for point in told.get("frontier", ()):
        console.print(f"frontier: {_moments(point)}")
    residual = "none" if told["residual"] is None else f"{told['residual']:.1e}"
    console.print(
        f"{_moments(told)}, ES 95 % of a bar {told['expected_shortfall_95']:.2%}\n"
        f"solver {told['solver']}, residual {residual}, {told['iterations']} iterations, "
        f"{1000 * told['seconds']:.2f} ms; {Decimal(told['left']):,.2f} of {Decimal(told['cash']):,.2f} left",
        soft_wrap=True,
    )
    if "page" in told:
        console.print(f"\n{told['page']}", soft_wrap=True)
