"""`nt-ray stress`: what crises, named shocks and shocks of one's own cost a portfolio, and what costs a given loss."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, ConfigFile, End, SetValues, Source, Start, help_text
from jobs.positions_source import AccountName, Equity, PositionsFile, RunFolder, portfolio_of
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from jobs.positions_source import Sourced
    from nt_ray.risk.stress.book import Book
    from nt_ray.risk.stress.shocks import Shock

STRESS_HELP = help_text(
    "Stress a portfolio: history's crises as far as the data reach, named shocks by class, shocks of your own, and the "
    "most plausible shock that costs a given loss; over the horizon the worst twentieth of the paths of a generator "
    "that `nt-ray synthesize` has trained (--synthetic). All of history and all named shocks where nothing is asked "
    "for. Assets that a shock of your own does not name follow by their covariance.",
    "nt-ray stress",
    "nt-ray stress --positions positions.csv --scenario covid_2020 --scenario severe_market_crash=0.4",
    "nt-ray stress --positions positions.csv --shock AAPL=-0.2 --shock class:fixed_income=0.05 --still",
    "nt-ray stress --synthetic sp500_paths/1 --horizon 22",
    "nt-ray stress --account paper --config paper.toml --reverse 0.1 --reverse 0.2 --horizon 10 --json",
)
CLASS = "class:"

Scenarios: TypeAlias = Annotated[
    list[str] | None, typer.Option("--scenario", metavar="NAME[=SIZE]", help="A crisis or named shock; repeat it.")
]
Shocks: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--shock", metavar="SYMBOL=RETURN", help="Of one shock of your own, or class:NAME=RETURN; repeat it."),
]
Still: TypeAlias = Annotated[
    bool, typer.Option("--still/--follow", help="Assets that --shock does not name stay, or follow by covariance.")
]
Volatility: TypeAlias = Annotated[
    float, typer.Option(metavar="FACTOR", help="On every volatility after a shock of your own.")
]
Correlation: TypeAlias = Annotated[float, typer.Option(metavar="X", help="Added to every correlation after it.")]
Reverse: TypeAlias = Annotated[
    list[float] | None, typer.Option("--reverse", metavar="LOSS", help="Find the shock that costs it; repeat it.")
]
Synthetic: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--synthetic", metavar="MODEL", help="NAME@ALIAS, NAME/N or folder of a generator; repeat it."),
]
Horizon: TypeAlias = Annotated[int, typer.Option(metavar="PERIODS", help="The portfolio is followed for.")]
Confidence: TypeAlias = Annotated[float, typer.Option(metavar="SHARE", help="Of VaR and ES after a shock.")]
Floor: TypeAlias = Annotated[float, typer.Option(metavar="SHARE", help="Of equity that must be left to survive.")]
HistoryOption: TypeAlias = Annotated[
    int, typer.Option("--history", metavar="PERIODS", help="Past the covariance is from.")
]


def stress(
    run: RunFolder = None,
    positions: PositionsFile = None,
    account: AccountName = None,
    equity: Equity = None,
    scenario: Scenarios = None,
    shock: Shocks = None,
    still: Still = False,
    volatility: Volatility = 1.0,
    correlation: Correlation = 0.0,
    reverse: Reverse = None,
    synthetic: Synthetic = None,
    horizon: Horizon = 10,
    confidence: Confidence = 0.95,
    floor: Floor = 0.5,
    history: HistoryOption = 1000,
    config: ConfigFile = None,
    source: Source = None,
    start: Start = None,
    end: End = None,
    set_values: SetValues = None,
    as_json: AsJson = False,
) -> None:
    """Stress a portfolio and print the table."""
    from nt_ray.portfolio.moments.shrinkage import ledoit_wolf
    from nt_ray.reports.record import to_plain
    from nt_ray.risk.report.history import history_of
    from nt_ray.risk.report.report import book_for
    from nt_ray.risk.report.stresses import reverse_rows, shock_rows, window_rows
    from nt_ray.risk.stress.analysis import Outlook

    windows, named = _scenarios(scenario or [])
    outlook = Outlook(horizon=horizon, confidence=confidence, floor=floor)
    found = portfolio_of(
        run=run, positions=positions, account=account, equity=equity, config=config,
        data={"data.source": source, "data.start": start, "data.end": end}, set_values=set_values,
    )  # fmt: skip
    past = history_of(found.panel, found.holdings.symbols, history)
    book = book_for(found.holdings, ledoit_wolf(past.returns))
    worth = float(found.holdings.equity)
    everything = not (scenario or shock or reverse or synthetic)
    rows = [row for row in window_rows(book, found.panel, worth) if everything or row.name in windows]
    shocks = _all_named() if everything else named
    if shock:
        shocks = [*shocks, own_shock(book, shock, still=still, volatility=volatility, correlation=correlation)]
    shocks = [*shocks, *(_synthetic(found, book, model, horizon, still=still) for model in synthetic or ())]
    rows += shock_rows(book, shocks, worth, outlook)
    told: dict[str, Any] = to_plain(
        {
            "source": found.holdings.source,
            "equity": f"{found.holdings.equity:f}",
            "time": past.stamps[-1],
            "horizon": horizon,
            "confidence": confidence,
            "floor": floor,
            "rows": [asdict(row) for row in rows],
            "reverse": [asdict(row) for loss in reverse or () for row in reverse_rows(book, loss, [horizon])],
            "notes": book.notes,
        }
    )
    typer.echo(json.dumps(told)) if as_json else _print(told)


def own_shock(
    book: "Book", given: list[str], *, still: bool, volatility: float, correlation: float, name: str = "own"
) -> "Shock":
    """Make the shock of SYMBOL=RETURN and class:NAME=RETURN; a symbol goes before its class."""
    from dataclasses import replace

    from jobs.risk_command import known_name
    from nt_ray.risk.stress.propagation import conditional_shock
    from nt_ray.risk.stress.shocks import Shock

    by_class: dict[str, float] = {}
    by_asset: dict[str, float] = {}
    for text in given:
        key, value = _sized("--shock", text)
        if value is None:
            raise BadInputError(f"--shock {text} has no SYMBOL=RETURN form. Write it like --shock AAPL=-0.2.")
        if key.startswith(CLASS):
            kind = key.removeprefix(CLASS)
            known_name("asset class in the portfolio", kind, dict.fromkeys(book.classes))
            by_class[kind] = value
        else:
            known_name("symbol in the portfolio", key, dict.fromkeys(book.names))
            by_asset[key] = value
    told = {n: by_asset.get(n, by_class.get(k)) for n, k in zip(book.names, book.classes, strict=True)}
    moved = {n: value for n, value in told.items() if value is not None}
    # The checks of the shock itself come first, so that a wrong number is named as it was given.
    made = Shock(name=name, by_class=by_class, by_asset=by_asset, volatility=volatility, correlation=correlation)
    if len(moved) == len(told):
        return made
    if still:
        rest = dict.fromkeys((n for n in told if n not in moved), 0.0)
        return replace(made, by_asset={**by_asset, **rest}, assumptions=("assets that are not named stay still",))
    return replace(conditional_shock(book, moved, name=name), volatility=volatility, correlation=correlation)


def _synthetic(found: "Sourced", book: "Book", model: str, horizon: int, *, still: bool) -> "Shock":
    """Shock of the worst paths of a generator; assets that it does not move follow by covariance."""
    from jobs.generator import generator_of, moved_by, synthetic_fall

    source = generator_of(found.settings, model)
    fall = synthetic_fall(source, found.panel, horizon, found.settings.seed)
    given = [f"{moved_by(source, book)}={fall!r}"]
    return own_shock(book, given, still=still, volatility=1.0, correlation=0.0, name=f"synthetic {model}")


def _scenarios(given: list[str]) -> tuple[set[str], "list[Shock]"]:
    """Windows and named shocks of these names; what is known as both is both."""
    from jobs.risk_command import known_name
    from nt_ray.risk.stress.shocks import NAMED, interest_rate_shock, severe_market_crash
    from nt_ray.risk.stress.windows import WINDOWS

    sizes = {"severe_market_crash": severe_market_crash, "interest_rate_shock": interest_rate_shock}
    known = {**{window.name: None for window in WINDOWS}, **NAMED}
    windows: set[str] = set()
    shocks = []
    for text in given:
        name, size = _sized("--scenario", text)
        known_name("scenario", name, known)
        if size is not None and name not in sizes:
            raise BadInputError(f"--scenario {text}: {name} has no size. Sizes belong to {' and '.join(sizes)}.")
        if name in NAMED:
            shocks.append(NAMED[name]() if size is None else sizes[name](size))
        windows |= {window.name for window in WINDOWS if window.name == name}
    return windows, shocks


def _all_named() -> "list[Shock]":
    from nt_ray.risk.stress.shocks import NAMED

    return [make() for make in NAMED.values()]


def _sized(option: str, text: str) -> tuple[str, float | None]:
    name, equals, value = text.partition("=")
    if not equals:
        return name.strip(), None
    try:
        return name.strip(), float(value)
    except ValueError:
        raise BadInputError(f"{option} {text}: {value!r} is no number. Write it like {option} {name}=-0.2.") from None


def _print(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    title = f"{told['source']}, {told['time']}, of {float(told['equity']):,.2f}"
    after = f"{told['confidence']:.4g}, {told['horizon']} p later"
    kinds = {
        "window": ("history", {"loss": "loss", "worst_loss": "worst close"}),
        "shock": ("shocks", {"loss": "loss", "var": f"VaR {after}", "es": "ES", "survival": "survival"}),
    }
    for kind, (name, columns) in kinds.items():
        rows = [row for row in told["rows"] if row["kind"] == kind]
        table = Table(title=f"{name}: {title}")
        table.add_column("", no_wrap=True)
        for column in (*columns.values(), "money"):
            table.add_column(column, justify="right")
        for row in rows:
            money = "–" if row["loss_money"] is None else f"{row['loss_money']:,.2f}"
            table.add_row(row["name"], *(_percent(row[key]) for key in columns), money)
        if rows:
            console.print(table)
    for row in told["rows"]:
        if row["refused"]:
            console.print(f"{row['name']}: {row['refused']}", soft_wrap=True)
    for row in told["reverse"]:
        console.print(_reversed(row), soft_wrap=True)
    for note in told["notes"]:
        console.print(note, soft_wrap=True)


def _reversed(row: dict[str, Any]) -> str:
    ranked = sorted(row["shock"], key=lambda name: -abs(row["by_asset"][name]))[:8]
    moves = ", ".join(f"{name} {row['shock'][name]:+.1%}" for name in ranked)
    return (
        f"a loss of {row['loss']:.1%} over {row['horizon']} periods lies {row['distance']:.2f} standard deviations out "
        f"(normal probability {row['probability']:.1e}): {moves}"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
