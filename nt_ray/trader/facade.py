"""`NeuralTrader`: start, execute a strategy or the whole swarm, look at portfolio and risk, shut down.

The command line, the jobs and the gateway stand on this class; it delegates and decides nothing itself. It works the
same on every runtime.

    with NeuralTrader(settings) as trader:
        run = trader.execute_strategy()
        print(trader.get_portfolio().equity, trader.analyze_risk().value_at_risk)
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.config import Settings
from nt_ray.errors import ServiceError
from nt_ray.market.bars import BarPanel
from nt_ray.reports.record import RunRecord, to_plain
from nt_ray.strategies.inputs import input_columns
from nt_ray.strategies.loader import label as label_of
from nt_ray.strategies.loader import preparation
from nt_ray.strategies.registry import find
from nt_ray.swarm.failures import AgentFaultError
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.swarm import Swarm
from nt_ray.swarm.transport import Transport
from nt_ray.trader.assembly import (
    TOPOLOGIES,
    build_roster,
    build_swarm,
    build_topology,
    enabled_horizons,
    fields_to_read,
    parameters_of,
    prepare_panel,
    single_agent,
)
from nt_ray.trader.data import Loaded, load_fields, traded_horizons
from nt_ray.trader.desk import Desk
from nt_ray.trader.faults import fault_rows, stopped
from nt_ray.trader.forecasting import FIELD, OnFit, forecast_details, judge, write_forecast
from nt_ray.trader.planning import account_plans, allocator_of, routing_table, sizing_params
from nt_ray.trader.portfolio import Portfolio, RiskSummary, analyze, combine
from nt_ray.trader.recording import agents_frame, by_strategy, digest, flows, trades_frame
from nt_ray.trader.run_folder import create_run_folder, write_run
from nt_ray.trader.runtime import InProcessRuntime, Runtime
from nt_ray.trader.session import Decider, OnBar, OnDecision, Router, Session, SessionRecord
from nt_ray.trader.steering import Steered, Steering
from nt_ray.types import QUANTA_PER_UNIT

if TYPE_CHECKING:
    from nt_ray.risk.report.report import RiskReport

SAMPLE_BARS = 512
"""Bars over which the topologies that a run does not use are measured beside the one it uses."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished run leaves: its record, its JSON-able summary and its folder."""

    record: RunRecord
    summary: Mapping[str, Any]
    folder: Path


class NeuralTrader:
    """A trader over one panel of bars, on one runtime."""

    def __init__(self, settings: Settings, runtime: Runtime | None = None, on_fit: OnFit | None = None) -> None:
        """Take settings; `on_fit` is told how far forecasts are made, where a strategy needs some."""
        self.settings = settings
        self._on_fit = on_fit
        self._panel: BarPanel | None = None
        self._forecast: Loaded | None = None
        self._runtime: Runtime = runtime or InProcessRuntime()
        self._facts: dict[str, Any] | None = None
        self._portfolio: Portfolio | None = None

    def __enter__(self) -> "NeuralTrader":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    @property
    def panel(self) -> BarPanel:
        """The bars that are traded."""
        if self._panel is None:
            raise ServiceError("The trader has not been started. Call start(), or use it in a with block.")
        return self._panel

    def start(self) -> None:
        """Load the data, then start or join the runtime; bad data fail before anything is started."""
        if self._facts is not None:
            return
        wanted, traded = fields_to_read(self.settings), enabled_horizons(self.settings)
        self._forecast = load_fields(self.settings, wanted, traded, self._on_fit)
        self._panel = prepare_panel(self.settings.strategies.enabled, self._forecast.panel)
        build_roster(self.settings, self._panel)
        self._facts = self._runtime.start()

    def execute_strategy(
        self,
        strategy: str | None = None,
        *,
        params: Mapping[str, float] | None = None,
        on_bar: OnBar | None = None,
        steering: Steering | None = None,
    ) -> Run:
        """Trade the panel with the configured swarm, or with one agent of one strategy; write the run's folder.

        A strategy that is at fault stops it with `AgentFaultError`, unless `swarm.on_fault` lets its agents abstain.
        `steering` may change hosts and topology while it trades.
        """
        panel = self.panel if strategy is None else self._prepared_for(strategy, params)
        specs = build_roster(self.settings, panel) if strategy is None else single_agent(panel, strategy, params)
        label = "swarm" if strategy is None else label_of(specs[0].strategy)
        folder = create_run_folder(Path(self.settings.runs), label, self.settings.seed)
        transport = self._runtime.transport(folder.name, panel, specs, self.settings.swarm.hosts)
        swarm = build_swarm(self.settings, panel, specs, transport, self.settings.swarm.topology)
        desk = self._runtime.desk(folder.name, account_plans(self.settings, folder), panel)
        try:
            router = self._runtime.router(folder.name, desk, routing_table(self.settings))
            started = time.perf_counter()
            steered = None if steering is None else Steered(swarm, partial(build_topology, self.settings), steering)
            on_decision = self._runtime.watch(folder.name, panel, specs, transport)
            session = self._session(label, steered or swarm, desk, router, on_bar, on_decision).run()
            seconds = time.perf_counter() - started
            self._portfolio = combine(desk.states())
            forecast = self._judged(specs)
            record = self._record(label, session, swarm, transport, desk, seconds, forecast)
            if forecast:
                write_forecast(folder, panel, forecast)
            extra = {
                **({"forecast": forecast} if forecast else {}),
                "by_strategy": to_plain(by_strategy(record.agents)),
                "digest": digest(record.trades, session.equity_quanta.tolist()),
                "runtime": self._facts,
                "seconds": round(seconds, 3),
                "repairs": swarm.stats.repairs,
                "failovers": router.trips,
                "faults": fault_rows(swarm.stats.faults.values(), specs, panel),
                **({"turns": [asdict(turn) for turn in steered.turns]} if steered and steered.turns else {}),
                "risk": asdict(self.analyze_risk()) if self._portfolio.positions else None,
            }
            return Run(record, write_run(folder, record, self.settings, extra), folder)
        except AgentFaultError as error:
            raise stopped(error, specs, panel, folder) from None
        finally:
            swarm.close()
            desk.close()

    def get_portfolio(self) -> Portfolio:
        """Return the portfolio at the end of the last run; all cash before the first."""
        if self._portfolio is None:
            cash = self.settings.account.initial_cash
            return Portfolio(cash, cash, {}, {})
        return self._portfolio

    @overload
    def analyze_risk(self, confidence: float | None = None) -> RiskSummary: ...

    @overload
    def analyze_risk(
        self, confidence: float | None = None, *, full: Literal[True], methods: Sequence[str] | None = None
    ) -> "RiskReport": ...

    def analyze_risk(
        self, confidence: float | None = None, *, full: bool = False, methods: Sequence[str] | None = None
    ) -> "RiskSummary | RiskReport":
        """Historical one-bar risk of the portfolio at the last bar; `full` gives the whole report of `nt-ray risk`.

        The report sees the bars of the trader; `methods` are the measures it sets side by side, all where None.
        """
        if full:
            return self._full_report(confidence, methods)
        level = confidence if confidence is not None else self.settings.risk.var_confidence
        return analyze(self.get_portfolio(), self.panel, len(self.panel) - 1, level)

    def health_check(self) -> dict[str, Any]:
        """Tell whether the trader is started and how its runtime is."""
        return {
            "started": self._facts is not None,
            "data": None if self._panel is None else {"name": self._panel.name, "bars": len(self._panel)},
            **self._runtime.health(),
        }

    def shutdown(self) -> None:
        """Leave the runtime; may be called more than once."""
        if self._facts is not None:
            self._runtime.shutdown()
            self._facts = None

    def _full_report(self, confidence: float | None, methods: Sequence[str] | None) -> "RiskReport":
        # Half a second of import, for those who ask for it.
        from nt_ray.risk.measures.catalogue import MEASURES
        from nt_ray.risk.report.plan import CONFIDENCES, ReportPlan
        from nt_ray.risk.report.report import risk_report
        from nt_ray.trader.holdings import listing_of_portfolio, priced

        plan = ReportPlan(
            confidences=CONFIDENCES if confidence is None else (confidence,), methods=tuple(methods or MEASURES)
        )
        return risk_report(priced(listing_of_portfolio(self.get_portfolio()), self.panel), self.panel, plan)

    def _prepared_for(self, name: str, values: Mapping[str, float] | None) -> BarPanel:
        """Panel with the fields of one strategy; it becomes the trader's own, with the same bars."""
        strategy, panel = find(name), self.panel
        if FIELD in strategy.inputs and preparation(name) is None and FIELD not in panel.fields:
            wanted = tuple(dict.fromkeys((*fields_to_read(self.settings), *strategy.inputs)))
            traded = traded_horizons(strategy.inputs, parameters_of(strategy, values))
            self._forecast = load_fields(self.settings, wanted, traded, self._on_fit)
            panel = prepare_panel(self.settings.strategies.enabled, self._forecast.panel)
        self._panel = prepare_panel((name,), panel)
        input_columns(strategy, self._panel.fields)
        return self._panel

    def _judged(self, specs: Sequence[AgentSpec]) -> dict[str, Any]:
        """What the forecast was worth that agents have traded; empty where they traded none."""
        made = self._forecast
        if made is None or not made.origin or not any(FIELD in find(spec.strategy).inputs for spec in specs):
            return {}
        return judge(self.panel, made.horizon, made.origin)

    def _session(
        self,
        name: str,
        decider: Decider,
        desk: Desk,
        router: Router,
        on_bar: OnBar | None,
        on_decision: OnDecision | None,
    ) -> Session:
        return Session(
            name,
            self.panel,
            decider,
            desk,
            router,
            sizing_params(self.settings, allocated=True),
            allocator=allocator_of(self.settings, self.panel),
            block_bars=self.settings.swarm.block_bars,
            on_bar=on_bar,
            on_decision=on_decision,
        )

    def _record(
        self,
        label: str,
        session: SessionRecord,
        swarm: Swarm,
        transport: Transport,
        desk: Desk,
        seconds: float,
        forecast: Mapping[str, Any],
    ) -> RunRecord:
        settings, panel = self.settings, self.panel
        equity = session.equity_quanta / QUANTA_PER_UNIT
        trades = trades_frame(desk.fills())
        moved = flows(trades, panel, equity)
        states = desk.states().values()
        denials: dict[str, int] = {}
        for state in states:
            for rule, count in state.denials.items():
                denials[rule] = denials.get(rule, 0) + count
        first = account_plans(settings, Path(settings.runs))[0]
        benchmark = buy_and_hold(panel, first.costs, settings.account.initial_cash) / QUANTA_PER_UNIT
        return RunRecord(
            name=label,
            settings=settings.resolved(),
            times=panel.timestamps,
            equity=equity,
            initial_cash=float(settings.account.initial_cash),
            benchmark=benchmark,
            benchmark_name=f"buy and hold of {panel.name}",
            gross=session.gross,
            net=session.net,
            costs=moved.costs,
            turnover=moved.turnover,
            trades=trades,
            agents=agents_frame(swarm),
            edges=swarm.edges(),
            topology=swarm.topology,
            orders=sum(s.order_count for s in states),
            fills=len(trades),
            denials=denials,
            latency_ms=_quantiles(desk.latencies_ms),
            bars_per_second=len(panel) * len(panel.symbols) / seconds,
            swarm=self._topologies(swarm, transport),
            details={**_faults(swarm, panel), **(forecast_details(forecast) if forecast else {})},
            periods_per_year=panel.periods_per_year,
        )

    def _topologies(self, swarm: Swarm, transport: Transport) -> list[dict[str, Any]]:
        """What each topology costs: the run's own over the whole run, the others over its last bars."""
        rows = [_row(swarm, transport, swarm.topology, self.settings.swarm.rule)]
        bars = len(self.panel)
        block = self.settings.swarm.block_bars
        for name in TOPOLOGIES:
            if name == swarm.topology:
                continue
            other = build_swarm(self.settings, self.panel, swarm.specs, transport, name)
            for start in range(max(0, bars - SAMPLE_BARS), bars, block):
                other.decide(start, min(start + block, bars))
            rows.append(_row(other, transport, name, self.settings.swarm.rule))
        return rows


def _row(swarm: Swarm, transport: Transport, topology: str, rule: str) -> dict[str, Any]:
    stats = swarm.stats
    return {
        "topology": topology,
        "rule": rule,
        "agents": len(swarm.specs),
        "hosts": len(transport.members),
        "bars": stats.bars,
        "messages": stats.messages,
        "rounds": stats.rounds,
        "disagreement": stats.disagreement,
        "silent": stats.silent,
    }


def _faults(swarm: Swarm, panel: BarPanel) -> dict[str, dict[str, str]]:
    """Table of the agents that were at fault and abstained; none where there is none."""
    rows = fault_rows(swarm.stats.faults.values(), swarm.specs, panel)
    return {"First fault of each agent": {row["name"]: row["sentence"] for row in rows}} if rows else {}


def _quantiles(samples: Sequence[float]) -> dict[str, float]:
    if not samples:
        return {}
    p50, p99 = np.quantile(np.array(samples), [0.5, 0.99])
    return {"p50": float(p50), "p99": float(p99)}
