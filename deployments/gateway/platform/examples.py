"""Examples of bodies and answers, by the name of their schema, as the OpenAPI document shows them.

One story runs through them: Ann's key, the account `paper` that holds ten shares, a backtest, a swarm, the model
`drinks`. A test holds each against its schema, and finds the operation that has none.
"""

from typing import Any, Final

_TIME: Final = "2026-01-05T15:00:00+00:00"
_HASH: Final = "9f2c5a1d7b3e4f60812c94d5e6a7b8c901d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6"
_REASON: Final = "trial of the month"
_CURSOR: Final = "WyJqb2JzIiw0MV0"

_SPEC: Final = {"kind": "backtest", "strategy": "momentum", "symbols": ["AAPL"], "parameters": {"lookback": 63}}
_JOB: Final = {
    "id": "backtest-0123456789abcdef", "kind": "backtest", "owner": "ann", "state": "succeeded", "spec": _SPEC,
    "wanted": {}, "created": _TIME, "started": _TIME, "ended": "2026-01-05T15:00:04+00:00", "done": 1, "total": 1,
    "attempt": 1, "cancel_asked": False,
    "result": {"run": "20260105-150000-backtest-7", "summary": {"sharpe": 0.81, "total_return": 0.42}},
    "error": None,
}  # fmt: skip
_RUN_SPEC: Final = {"kind": "run", "strategies": ["momentum", "pairs"], "topology": "ring", "hosts": 2}
_SWARM: Final = _JOB | {
    "id": "run-0123456789abcdef", "kind": "run", "state": "running", "spec": _RUN_SPEC, "wanted": {"hosts": 4},
    "ended": None, "done": 120, "total": 1005, "result": None,
}  # fmt: skip
_SESSION: Final = {
    "session": "momentum-0123456789abcdef", "account": "paper", "strategy": "momentum", "symbols": ["AAPL"],
    "parameters": {"lookback": 63.0}, "phase": "running", "condition": "traded", "sentence": "It sent one order.",
    "bar": "2026-01-05", "looked_at": _TIME, "missing": [],
    "orders": [
        {
            "client_order_id": "momentum-0123-AAPL", "symbol": "AAPL", "side": "buy", "quantity": "10",
            "status": "filled", "rule": "", "reason": "",
        }
    ],
    "who": "ann", "reason": _REASON, "started": _TIME,
}  # fmt: skip
_PARAMETER: Final = {
    "name": "lookback", "default": 252.0, "low": 2.0, "high": 2000.0, "integer": True,
    "description": "Bars over which the return is taken.", "aliases": [],
}  # fmt: skip
_STRATEGY: Final = {
    "name": "momentum", "gives": "targets", "summary": "Long what has risen, short what has fallen.",
    "source": "Time series momentum", "symbols": 1, "inputs": [], "aliases": ["tsmom"], "parameters": [_PARAMETER],
}  # fmt: skip
_MODEL: Final = {"name": "drinks", "versions": [1, 2], "aliases": {"champion": 2, "challenger": 1}}
_RUN: Final = "20260105-150000-backtest-7"
_HALTS: Final = {"account": "ann at 2026-01-05T15:00:00+00:00: Prices look wrong."}
_MONEY: Final = {"cash": "98195", "equity": "100007.5", "day_start_equity": "100000", "buying_power": "198202.5"}

_HELD: Final = {"symbol": "AAPL", "quantity": "10", "cost": "1805", "price": "181.25", "value": "1812.5"}
_ORDER: Final = {
    "client_order_id": "mine-1", "time": _TIME, "changed": _TIME, "symbol": "AAPL", "side": "buy", "type": "limit",
    "quantity": "10", "notional": None, "limit_price": "180.5", "stop_price": None, "filled": "10",
    "status": "filled", "is_open": False, "strategy": "momentum", "rule": "", "reason": "",
}  # fmt: skip

_KEY: Final = {
    "id": "ABCDEFGH23456723", "user": "robot", "label": "rebalancing", "scopes": ["trading:read", "trading:write"],
    "accounts": ["paper"], "per_minute": 120, "created": _TIME, "expires": None, "revoked": None, "replaced_by": None,
    "last_used": None,
}  # fmt: skip

_BODIES: Final[dict[str, Any]] = {
    "Backtest": _SPEC,
    "SwarmRun": _RUN_SPEC,
    "Hosts": {"hosts": 4},
    "Wiring": {"topology": "ring"},
    "Trading": {"account": "paper", "symbols": ["AAPL"], "parameters": {"lookback": 63}, "reason": _REASON},
    "Stop": {"account": "paper", "reason": "drawdown of the month", "flatten": False},
    "Exchange": {"account": "paper", "to": "pairs", "symbols": ["KO", "PEP"], "reason": _REASON},
    "Holding": {"version": 2, "reason": "half the error on last month"},
    "Asked": {"alias": "champion", "symbols": ["KO", "PEP"], "intervals": [0.8, 0.9], "history": 300},
    "Halting": {"scope": "account", "reason": "Prices look wrong."},
    "KeyRequest": {
        "user": "robot", "label": "rebalancing", "scopes": ["trading:read", "trading:write"], "accounts": ["paper"],
        "days": 90,
    },
    "Rotation": {"overlap_hours": 24},
    "TokenRequest": {"grant_type": "password", "username": "ann", "password": "a long sentence of hers"},
    "GivenToken": {"token": "ntr_...", "token_type_hint": "refresh_token"},
    "NewOrder": {
        "symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "limit_price": "180.5", "time_in_force": "day",
        "client_order_id": "mine-1",
    },
    "Replacement": {"qty": "5", "limit_price": "179.5"},
    "Configuration": {"suspend_trade": True},
    "NewWatchlist": {"name": "Fruit", "symbols": ["AAPL"]},
    "ChangedWatchlist": {"name": "Fruit and drinks", "symbols": ["AAPL", "KO"]},
    "OneSymbol": {"symbol": "KO"},
}  # fmt: skip

_ANSWERS: Final[dict[str, Any]] = {
    "TokenAnswer": {
        "access_token": "eyJ...", "refresh_token": "ntr_...", "token_type": "bearer", "expires_in": 900,
        "scope": "trading:read trading:write",
    },
    "UserPage": {
        "users": [
            {
                "name": "robot", "role": "service", "has_password": False, "accounts": ["paper"], "active": True,
                "created": _TIME,
            }
        ],
        "next": None,
    },
    "KeyView": _KEY,
    "KeyPage": {"keys": [_KEY], "next": None},
    "NewKeyView": _KEY | {"secret": "...", "key": "nt_ABCDEFGH23456723_..."},
    "AuditPage": {
        "entries": [
            {
                "seq": 8, "time": _TIME, "who": "ann", "action": "keys.add",
                "what": {"outcome": "ok", "target": "ABCDEFGH23456723", "details": {"user": "robot"}}, "hash": _HASH,
            }
        ],
        "next": "WyJhdWRpdCIsOF0",
    },
    "Me": {"id": "ann", "role": "user", "scopes": ["trading:read", "trading:write"]},
    "HealthView": {
        "status": "up", "accounts": {"paper": {"up": True, "open_orders": 1, "in_doubt": 0}},
        "components": {"stream": {"condition": "up", "detail": ""}},
    },
    "AccountList": {"accounts": ["paper"], "next": None},
    "PortfolioView": {
        "account": "paper", "currency": "USD", "time": _TIME, **_MONEY, "holdings": [_HELD], "halts": {}, "breaker": [],
    },
    "Report": {
        "account": "paper", "confidence": 0.95, "value_at_risk": 0.0006, "value_at_risk_money": "60.00",
        "report": {"equity": "100007.5", "volatility": 0.11}, "refused": None,
    },
    "StrategyView": _STRATEGY,
    "StrategyList": {"strategies": [_STRATEGY], "next": None},
    "StrategyHealth": {
        "strategy": "momentum", "account": "paper", "stopped": False, "why": None, "held_up_by": [], "open_orders": 0,
        "orders": 1, "denied": 0, "executions": 1, "realised": "0", "last_order": _TIME, "sessions": [_SESSION],
    },
    "SessionList": {"sessions": [_SESSION], "next": None},
    "JobView": _JOB,
    "JobPage": {"jobs": [_JOB], "next": _CURSOR},
    "SwarmPage": {"swarms": [_SWARM], "next": None},
    "TopologyView": {
        "swarm": "run-0123456789abcdef", "topology": "ring", "rule": "mean", "hosts": 4, "agents": 60,
        "measured": [{"topology": "ring", "rounds": 1005}],
    },
    "ModelView": _MODEL,
    "ModelList": {"models": [_MODEL], "next": None},
    "VersionView": {
        "name": "drinks", "version": 2, "aliases": ["champion"], "created": _TIME, "by": "ann", "digest": _HASH,
        "bytes": 48_128, "trained_until": "2025-12-31T00:00:00+00:00", "tags": {"purpose": "demonstration"},
        "signature": {"lookback": 60, "horizon": 5}, "lineage": {"model": "dlinear", "seed": 7},
    },
    "ChangeList": {
        "name": "drinks",
        "changes": [
            {
                "seq": 3, "time": _TIME, "by": "ann", "action": "promote", "version": 2, "alias": "champion",
                "reason": "half the error on last month",
            }
        ],
        "next": None,
    },
    "ForecastView": {
        "model": "drinks@champion", "target": "returns", "after": "2026-01-05T00:00:00", "history": 300,
        "series": [
            {
                "symbol": "KO", "mean": [0.0004, 0.0003],
                "intervals": [{"share": 0.8, "low": [-0.012, -0.013], "high": [0.013, 0.014]}],
            }
        ],
    },
    "WatchedList": {
        "models": [
            {
                "name": "drinks", "alias": "champion", "version": 2, "versions": 2, "created": _TIME,
                "trained_until": "2025-12-31T00:00:00+00:00",
                "drift": {"bars": 3, "reasons": [], "refused": ""}, "asked": "", "is_met": False,
            }
        ],
        "next": None,
    },
    "RunPage": {"runs": [_RUN], "next": None},
    "RunView": {"run": _RUN, "summary": {"sharpe": 0.81, "total_return": 0.42}},
    "FileList": {"run": _RUN, "files": [{"name": "trades.csv", "bytes": 4096}], "next": None},
    "EntryPage": {
        "account": "paper",
        "entries": [
            {
                "seq": 1, "epoch": 1, "time": _TIME, "kind": "EpochStarted", "client_order_id": "",
                "payload": {"epoch": 1}, "hash": _HASH,
            }
        ],
        "next": None,
    },
    "Verdict": {
        "account": "paper", "whole": True, "events": 7, "head": _HASH, "broken_at": None, "reason": None,
    },
    "SystemView": {
        "name": "nt-ray", "version": "1.0", "python": "3.11.7", "packages": {"ray": "2.60.0"}, "condition": "up",
        "components": {"jobs": {"condition": "up", "detail": ""}},
        "cluster": {"connected": True, "nodes_alive": 1, "nodes": 1, "cpus": 4.0, "cpus_free": 3.0, "gpus": 0.0},
        "jobs": {"running": 1, "succeeded": 7},
    },
    "ConfigurationView": {"settings": {"seed": 7, "gateway": {"replicas": 2}, "access": {"pepper": "***"}}},
    "BoardView": {
        "account": "paper", "currency": "USD", "time": _TIME, **_MONEY, "positions": [_HELD | {"gain": "7.5"}],
        "orders": [_ORDER], "open": 0,
        "limits": [{"name": "gross_exposure", "value": 0.018, "limit": 2.0, "left": 1.982}], "halts": {}, "breaker": [],
    },
    "Halts": {"halts": _HALTS},
    "CurveView": {
        "times": [_TIME], "equity": [100_007.5], "benchmark_name": "AAPL", "symbols": ["AAPL"],
        "benchmark": [100_000.0],
    },
    "TailsView": {
        "periods": 500, "until": "2026-01-05",
        "rows": [{"method": "historical", "confidence": 0.95, "var": 0.0006, "es": 0.0009}], "refused": "",
    },
    "NewestRun": {
        "run": {
            "run": "20260105-160000-swarm-7", "name": "swarm", "topology": "ring", "benchmark_name": "equal weights",
            "times": ["2026-01-05"], "equity": [1.02], "benchmark": [1.01],
            "agents": [
                {
                    "agent": 0, "name": "momentum-0", "strategy": "momentum", "x": 0.0, "y": 1.0, "weight": 0.5,
                    "contribution": 0.01,
                }
            ],
            "edges": [[0, 1]],
        }
    },
    "Logs": {
        "source": "9f2c5a1d", "next": "WyJsb2dzIiwie1wiOWYyYzVhMWRcIjo3fSJd",
        "lines": [{"number": 7, "text": '{"level": "info", "message": "submit was done."}'}],
    },
}  # fmt: skip

EXAMPLES: Final[dict[str, Any]] = _BODIES | _ANSWERS
