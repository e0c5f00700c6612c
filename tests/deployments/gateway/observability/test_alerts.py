"""Each alert under Prometheus' own `promtool`: it fires where it should, and neither in health nor before its time."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(str(files("deployments.gateway.observability").joinpath("alerts.yml")))
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's package prometheus)")

LATER = "30m"
HEAT, VAR = 'account="paper", limit="max_heat"', 'account="paper", limit="max_var"'
REQUESTS, BUCKETS = "http_requests_total", "http_request_duration_seconds_bucket"


@dataclass(frozen=True)
class Case:
    """Series of forty minutes of which an alert comes, and of which none does."""

    fires: dict[str, str]
    silent: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    value: str = ""


def of_paper(name: str, bad: str, good: str, value: str = "") -> Case:
    return Case({f'{name}{{account="paper"}}': bad}, {f'{name}{{account="paper"}}': good}, {"account": "paper"}, value)


CASES = {
    "NtRayGatewayAway": Case(
        {'up{job="nt-ray", instance="a"}': "0x40"},
        {'up{job="nt-ray", instance="a"}': "1x40", 'up{job="other", instance="a"}': "0x40"},
        {"job": "nt-ray", "instance": "a"},
    ),
    "NtRayCountsAway": Case(
        {"gateway_replicas": "0x40"},
        {'gateway_replicas{instance="a"}': "0x40", 'gateway_replicas{instance="b"}': "2x40"},
    ),
    "NtRayRequestsFail": Case(
        {f'{REQUESTS}{{status="200"}}': "0+98x40", f'{REQUESTS}{{status="503"}}': "0+2x40"},
        {
            f'{REQUESTS}{{status="200"}}': "0+995x40",
            f'{REQUESTS}{{status="503"}}': "0+5x40",
            f'{REQUESTS}{{status="404"}}': "0+500x40",
        },
    ),
    "NtRayRequestsSlow": Case(
        {
            f'{BUCKETS}{{method="POST", le="1"}}': "0+90x40",
            f'{BUCKETS}{{method="POST", le="5"}}': "0+100x40",
            f'{BUCKETS}{{method="POST", le="+Inf"}}': "0+100x40",
        },
        {
            f'{BUCKETS}{{method="POST", le="1"}}': "0+100x40",
            f'{BUCKETS}{{method="POST", le="+Inf"}}': "0+100x40",
            f'{BUCKETS}{{method="GET", le="1"}}': "0+1x40",
            f'{BUCKETS}{{method="GET", le="+Inf"}}': "0+100x40",
        },
    ),
    "NtRayAccountAway": Case(
        {'accounts_answered{instance="a"}': "1x40", 'accounts_answered{instance="b"}': "0x40"},
        {'accounts_answered{instance="a"}': "1x40"},
    ),
    "NtRayVenueAway": of_paper("venue_up", "0x40", "1x40"),
    "NtRayAccountReplaced": of_paper("account_fenced", "1x40", "0x40"),
    "NtRayOrdersInDoubt": of_paper("orders_in_doubt", "3x40", "0x40", "3"),
    "NtRayLossRule": of_paper("loss_rules_tripped", "2x40", "0x40"),
    "NtRayHalted": of_paper("trading_halts", "1x40", "0x40"),
    "NtRayDrawdown": Case(
        {'portfolio_value{account="paper"}': "89x40", 'portfolio_high_water{account="paper"}': "100x40"},
        {'portfolio_value{account="paper"}': "91x40", 'portfolio_high_water{account="paper"}': "100x40"},
        {"account": "paper"},
    ),
    "NtRayLimitNear": Case(
        {f"risk_used{{{HEAT}}}": "0.095x40", f"risk_limit{{{HEAT}}}": "0.1x40"},
        {f"risk_used{{{HEAT}}}": "0.085x40", f"risk_limit{{{HEAT}}}": "0.1x40", f"risk_used{{{VAR}}}": "9x40"},
        {"account": "paper", "limit": "max_heat"},
    ),
    "NtRaySessionsFail": Case(
        {'live_sessions{account="paper", condition="failed"}': "1x40"},
        {
            'live_sessions{account="paper", condition="failed"}': "0x40",
            'live_sessions{account="paper", condition="late"}': "1x40",
        },
        {"account": "paper", "condition": "failed"},
    ),
    "NtRaySessionsLate": Case(
        {'live_sessions{account="paper", condition="late"}': "1x40"},
        {
            'live_sessions{account="paper", condition="late"}': "0x40",
            'live_sessions{account="paper", condition="traded"}': "2x40",
        },
        {"account": "paper"},
    ),
    "NtRaySessionsUnwatched": Case(
        {'live_sessions_last_look_seconds{account="paper"}': "0x40"},
        {'live_sessions_last_look_seconds{account="paper"}': "0+60x40"},
        {"account": "paper"},
    ),
    "NtRayKeepersAway": Case({"keepers_answered": "0x40"}, {"keepers_answered": "1x40"}),
    "NtRayJobsFail": Case(
        {'jobs{state="failed"}': "3x20 4x20"},
        {'jobs{state="failed"}': "3x40", 'jobs{state="succeeded"}': "0+1x40"},
    ),
    "NtRayJobsWait": Case({'jobs{state="queued"}': "11x40"}, {'jobs{state="queued"}': "10x40"}),
    "NtRayManyDenials": Case(
        {'orders_denied_total{account="paper", rule="size"}': "0+3x40"},
        {
            'orders_denied_total{account="paper", rule="size"}': "0+1x40",
            'orders_denied_total{account="other", rule="size"}': "0+1x40",
            'orders_denied_total{account="paper", rule="kill"}': "0+1x40",
        },
        {"account": "paper", "rule": "size"},
    ),
}


def rules() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def told(rule: dict[str, Any], case: Case) -> dict[str, Any]:
    """The alert as it arrives, with its sentences filled in."""
    filled = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], text).replace(
            "{{ $value }}", case.value
        )
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": case.labels | rule["labels"], "exp_annotations": filled}


def written(alert: str, series: dict[str, str], at: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
    }


def promtool(*arguments: str | Path) -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", RULES)


def test_every_alert_fires_where_it_should_and_is_silent_in_health_and_before_its_time(tmp_path: Path) -> None:
    assert CASES.keys() == rules().keys()
    tests = []
    for alert, rule in rules().items():
        case = CASES[alert]
        tests += [written(alert, case.fires, LATER, [told(rule, case)]), written(alert, case.silent, LATER, [])]
        if "for" in rule:
            tests.append(written(alert, case.fires, f"{int(rule['for'].removesuffix('m')) - 1}m", []))
    file = tmp_path / "alerts_test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", file)
