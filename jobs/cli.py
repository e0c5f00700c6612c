"""The command line `nt-ray`.

Owns commands, options and how an error looks to a person. Every error that this product raises on purpose
ends as a line on stderr, or as one JSON object on stdout where `--json` is given, and as the error's own exit
code: 2 for bad input, 130 for an interrupt. Heavy packages are imported inside commands, so help is quick.
"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from jobs.access_command import access_app
from jobs.account_command import account_app
from jobs.audit_command import audit_app
from jobs.backtest_command import BACKTEST_HELP, backtest
from jobs.brokers_command import brokers_app
from jobs.chaos_command import CHAOS_HELP, chaos
from jobs.check_command import CHECK_HELP, check
from jobs.compare_command import COMPARE_HELP, compare
from jobs.config_command import config_app
from jobs.doctor_command import DOCTOR_HELP, doctor
from jobs.evaluate_command import EVALUATE_HELP, evaluate
from jobs.forecast_command import FORECAST_HELP, forecast
from jobs.journal_command import journal_app
from jobs.kelly_command import KELLY_HELP, kelly
from jobs.mcp_command import MCP_HELP, mcp
from jobs.models_command import models_app
from jobs.optimize_command import OPTIMIZE_HELP, optimize
from jobs.options import (
    AsJson,
    Browse,
    Hosts,
    Progress,
    Rule,
    StrategyNames,
    StrategyOptions,
    Topology,
    by_settings,
    help_text,
)
from jobs.order_command import order_app
from jobs.report_command import REPORT_HELP, report
from jobs.risk_command import risk_app
from jobs.serve_command import serve_app
from jobs.simulate_command import simulate_app
from jobs.strategies_command import strategies_app
from jobs.stress_command import STRESS_HELP, stress
from jobs.sweep_command import SWEEP_HELP, sweep
from jobs.synthesize_command import SYNTHESIZE_HELP, synthesize
from jobs.trade_command import trade_app
from jobs.train_command import TRAIN_HELP, train
from jobs.tune_command import SEARCH_HELP, search
from jobs.tune_model_command import TUNE_HELP, tune
from jobs.walk_forward_command import WALK_FORWARD_HELP, walk_forward
from nt_ray.errors import NeuralTraderError

if TYPE_CHECKING:
    from nt_ray.config import Settings

INTERRUPTED = 130

RUN_HELP = help_text(
    "Let the swarm paper-trade market data, bar by bar, and write a tear sheet. "
    "Options win over NT_ variables, those over the file, that over the defaults.",
    "nt-ray run",
    "nt-ray run momentum pairs",
    "nt-ray run --strategy my_strategy.py:MyStrategy --strategy momentum --symbols KO,PEP",
    "nt-ray run --topology ring --start 2015-01-02 --symbols AAPL,MSFT,XOM",
    "nt-ray run --data prices/ --cash 250000 --set data.timezone=America/New_York",
    "nt-ray run --set 'brokers.sim-east.outage=[[500, 600]]' --json",
    "nt-ray run --config runs/latest/settings.toml",
)
VERSION_HELP = help_text("Print the versions of nt-ray, Python and Ray.", "nt-ray version", "nt-ray version --json")

app = typer.Typer(
    name="nt-ray",
    help=help_text(
        "Trade with a swarm of strategy agents, on this machine or on a Ray cluster. Begin with:",
        "nt-ray doctor",
        "nt-ray run",
    ),
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(access_app, name="access")
app.add_typer(account_app, name="account")
app.add_typer(audit_app, name="audit")
app.add_typer(brokers_app, name="brokers")
app.add_typer(config_app, name="config")
app.add_typer(journal_app, name="journal")
app.add_typer(models_app, name="models")
app.add_typer(order_app, name="order")
app.add_typer(risk_app, name="risk")
app.add_typer(serve_app, name="serve")
app.add_typer(simulate_app, name="simulate")
app.add_typer(strategies_app, name="strategies")
app.add_typer(trade_app, name="trade")
app.command("backtest", help=BACKTEST_HELP)(backtest)
app.command("chaos", help=CHAOS_HELP)(chaos)
app.command("check", help=CHECK_HELP)(check)
app.command("compare", help=COMPARE_HELP)(compare)
app.command("doctor", help=DOCTOR_HELP)(doctor)
app.command("evaluate", help=EVALUATE_HELP)(evaluate)
app.command("forecast", help=FORECAST_HELP)(forecast)
app.command("kelly", help=KELLY_HELP)(kelly)
app.command("optimize", help=OPTIMIZE_HELP)(optimize)
app.command("mcp", help=MCP_HELP)(mcp)
app.command("report", help=REPORT_HELP)(report)
app.command("search", help=SEARCH_HELP)(search)
app.command("stress", help=STRESS_HELP)(stress)
app.command("sweep", help=SWEEP_HELP)(sweep)
app.command("train", help=TRAIN_HELP)(train)
app.command("synthesize", help=SYNTHESIZE_HELP)(synthesize)
app.command("tune", help=TUNE_HELP)(tune)
app.command("walk-forward", help=WALK_FORWARD_HELP)(walk_forward)


@app.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("run", help=RUN_HELP)
@by_settings(
    strategies="strategies.enabled",
    strategy="strategies.enabled",
    topology="swarm.topology",
    rule="swarm.rule",
    hosts="swarm.hosts",
)
def run(
    settings: "Settings",
    strategies: StrategyNames = None,
    strategy: StrategyOptions = None,
    topology: Topology = None,
    rule: Rule = None,
    hosts: Hosts = None,
    as_json: AsJson = False,
    progress: Progress = True,
    browse: Browse = None,
) -> int:
    """Trade as the options, the environment and the file say."""
    from jobs import trade

    return trade.run(settings, as_json=as_json, progress=progress, browse=browse)


@app.command("version", help=VERSION_HELP)
def version(as_json: AsJson = False) -> None:
    """Print the versions of nt-ray, Python and Ray."""
    import platform
    from importlib.metadata import version as installed

    from nt_ray.project import project

    versions = {"nt-ray": project().version, "python": platform.python_version(), "ray": installed("ray")}
    typer.echo(json.dumps(versions) if as_json else ", ".join(f"{k} {v}" for k, v in versions.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in arguments
    try:
        result: Any = app(args=arguments, prog_name="nt-ray", standalone_mode=False)
    except NeuralTraderError as error:
        return _fail(error.code, str(error), error.exit_code, as_json=as_json)
    except typer.TyperException as error:
        return _fail("usage", _with_hint(error.format_message()), 2, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", "Interrupted.", INTERRUPTED, as_json=as_json)
    return result if isinstance(result, int) else 0


def _with_hint(message: str) -> str:
    return f"{message.rstrip('.')}. `nt-ray --help` lists commands, `nt-ray COMMAND --help` options."


def _fail(code: str, message: str, exit_code: int, *, as_json: bool) -> int:
    if as_json:
        typer.echo(json.dumps({"error": {"code": code, "message": message}}))
    else:
        for line in message.splitlines() or [code]:
            typer.echo(f"nt-ray: {line}", err=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
