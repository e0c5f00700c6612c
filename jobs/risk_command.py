"""`nt-ray risk`: the risk report of a portfolio, as a table, a page and JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, Browse, ConfigFile, End, SetValues, Source, Start, command_group, help_text
from jobs.positions_source import AccountName, Equity, PositionsFile, RunFolder, portfolio_of
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.risk.report.report import RiskReport

REPORT_HELP = help_text(
    "Report the risk of a portfolio: VaR and ES by every method side by side, what each position adds, tests of the "
    "model over its past, stress, concentration, heat, correlation and regime. Writes a page and the same as JSON.",
    "nt-ray risk report",
    "nt-ray risk report runs/20260102-150405-swarm-7 --confidence 0.975 --horizon 5",
    "nt-ray risk report --positions positions.csv --data prices/ --equity 250000 --output risk.html",
    "nt-ray risk report --account paper --config paper.toml --method historical --method filtered --json",
)

Confidences: TypeAlias = Annotated[
    list[float] | None, typer.Option("--confidence", metavar="SHARE", help="Repeat it; 0.95 and 0.99.")
]
Horizons: TypeAlias = Annotated[
    list[int] | None, typer.Option("--horizon", metavar="PERIODS", help="Repeat it; 1 and 10.")
]
Methods: TypeAlias = Annotated[
    list[str] | None, typer.Option("--method", metavar="NAME", help="A measure; repeat it. All of them.")
]
Tested: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--test", metavar="NAME", help="A measure to roll over the past; repeat it. Three quick ones."),
]
HistoryOption: TypeAlias = Annotated[int, typer.Option("--history", metavar="PERIODS", help="Past that is measured.")]
Window: TypeAlias = Annotated[int, typer.Option(metavar="PERIODS", help="Past that each tested forecast sees.")]
CovarianceName: TypeAlias = Annotated[str, typer.Option("--covariance", metavar="NAME", help="Its estimator.")]
Loss: TypeAlias = Annotated[float, typer.Option("--reverse", metavar="LOSS", help="Loss to find the shock for: 0.2.")]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Page to write; risk.html in the run's folder, or here."),
]

risk_app = command_group("The risk of a portfolio.", "nt-ray risk report")


@risk_app.command("report", help=REPORT_HELP)
def report(
    run: RunFolder = None,
    positions: PositionsFile = None,
    account: AccountName = None,
    equity: Equity = None,
    confidence: Confidences = None,
    horizon: Horizons = None,
    method: Methods = None,
    tested: Tested = None,
    history: HistoryOption = 1000,
    window: Window = 250,
    covariance: CovarianceName = "ledoit_wolf",
    reverse: Loss = 0.2,
    config: ConfigFile = None,
    source: Source = None,
    start: Start = None,
    end: End = None,
    set_values: SetValues = None,
    output: Output = None,
    as_json: AsJson = False,
    browse: Browse = None,
) -> None:
    """Report the risk of a portfolio."""
    from rich.console import Console

    from jobs.screen import show_page
    from nt_ray.reports.risk_page import PAGE, as_plain, write_risk
    from nt_ray.risk.measures.catalogue import MEASURES
    from nt_ray.risk.report.plan import BACKTESTED, CONFIDENCES, HORIZONS, ReportPlan
    from nt_ray.risk.report.report import risk_report

    for name in (*(method or ()), *(tested or ())):
        known_name("measure", name, MEASURES)
    plan = ReportPlan(
        confidences=tuple(dict.fromkeys(confidence or CONFIDENCES)),
        horizons=tuple(dict.fromkeys(horizon or HORIZONS)),
        methods=tuple(dict.fromkeys(method or MEASURES)),
        history=history,
        backtested=tuple(dict.fromkeys(tested or BACKTESTED)),
        window=window,
        covariance=covariance,
        reverse_loss=reverse,
    )
    found = portfolio_of(
        run=run, positions=positions, account=account, equity=equity, config=config,
        data={"data.source": source, "data.start": start, "data.end": end}, set_values=set_values,
    )  # fmt: skip
    # Nothing is shown where the errors go to a file or a pipe.
    with Console(stderr=True).status("measuring, testing, stressing"):
        made = risk_report(found.holdings, found.panel, plan)
    page, data = write_risk(made, output or (found.folder or Path()) / PAGE)
    if as_json:
        typer.echo(json.dumps({**as_plain(made), "page": str(page.resolve()), "data_file": str(data.resolve())}))
    else:
        print_risk(made, page.resolve())
    show_page(page.resolve(), browse=browse, as_json=as_json)


def known_name(what: str, name: str, known: Mapping[str, Any]) -> None:
    """Refuse an unknown name with the nearest and all that there are."""
    from difflib import get_close_matches

    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise BadInputError(f"There is no {what} {name!r}. Its nearest is {near!r}; known: {', '.join(known)}.")


def print_risk(made: "RiskReport", page: Path) -> None:
    """Print the figures a person wants first."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = [(h, c) for h in dict.fromkeys(r.horizon for r in made.tails)
               for c in dict.fromkeys(r.confidence for r in made.tails)]  # fmt: skip
    table = Table(title=f"{made.source}, {made.time}: VaR / ES in % of {float(made.equity):,.2f}")
    table.add_column("method", no_wrap=True)
    for horizon, confidence in columns:
        table.add_column(f"{confidence:.4g}, {horizon} p", justify="right", no_wrap=True)
    for name in dict.fromkeys(row.method for row in made.tails):
        rows = {(r.horizon, r.confidence): r for r in made.tails if r.method == name}
        cells = [rows[column] for column in columns]
        table.add_row(
            name, *("refused" if r.var is None else f"{100 * r.var:.2f}/{100 * (r.es or 0.0):.2f}" for r in cells)
        )
    console.print(table)
    for row in made.tails:
        if row.refused:
            console.print(f"{row.method} {row.confidence:.4g}, {row.horizon}: {row.refused}", soft_wrap=True)
    for test in made.model_tests:
        console.print(_tested(test), soft_wrap=True)
    losses = [row for row in made.stress.rows if row.loss is not None]
    worst = max(losses, key=lambda row: row.loss or 0.0, default=None)
    if worst is not None:
        console.print(f"worst stress: {worst.name} costs {worst.loss:.1%} of equity ({worst.loss_money:,.2f})")
    held, heat = made.structure.concentration, made.structure.heat
    told = "no stop is known" if heat is None else f"{heat.total:.2%}"
    console.print(
        f"gross {held.gross:.0%}, net {held.net:.0%}, largest {held.largest:.1%}, as concentrated as "
        f"{held.effective_names:.1f} equal positions; heat: {told}"
    )
    console.print(f"\n{page}", soft_wrap=True)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _tested(test: Any) -> str:
    if test.refused:
        return f"{test.method} is not tested: {test.refused}"
    return (
        f"{test.method} {test.confidence:.4g} over the past: {test.violations} exceptions, {test.expected:.1f} "
        f"expected, Kupiec p {test.kupiec.p_value:.3f}, independence p {test.independence.p_value:.3f}, "
        f"{test.traffic_light.zone}"
    )
