"""What works without anybody waiting for it: jobs by state, live sessions by condition, as families of a scrape.

Labels are states, conditions and accounts; sessions and jobs by name would grow without bound.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from nt_ray.trader.jobs.job import State
from nt_ray.trader.live_session import Condition, SessionStatus


class Sessions(Protocol):
    """Knows live sessions."""

    async def statuses(self, account: str) -> list[SessionStatus]:
        """Say how the sessions of an account are; of all where it is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Keepers:
    """Who is asked: for counts of jobs by state, and for live sessions."""

    jobs: Callable[[], Awaitable[Mapping[str, int]]]
    sessions: Sessions


@dataclass(frozen=True, slots=True)
class Work:
    """What the keepers answered; None of one that did not."""

    jobs: Mapping[str, int] | None = None
    sessions: Sequence[SessionStatus] | None = None


def work(found: Work) -> list[Metric]:
    """Return families of jobs and sessions; those of a keeper that did not answer have no sample."""
    jobs = GaugeMetricFamily("jobs", "Jobs that are remembered, by state.", labels=("state",))
    for state in State if found.jobs is not None else ():
        jobs.add_metric((state.value,), (found.jobs or {}).get(state.value, 0))
    answered = GaugeMetricFamily("keepers_answered", "Whether the keepers of jobs and sessions answered this scrape.")
    answered.add_metric((), float(found.jobs is not None and found.sessions is not None))
    return [jobs, *_sessions(found.sessions or ()), answered]


def _sessions(statuses: Sequence[SessionStatus]) -> list[Metric]:
    sessions = GaugeMetricFamily(
        "live_sessions", "Sessions by what their last look came to.", labels=("account", "condition")
    )
    looked = GaugeMetricFamily(
        "live_sessions_last_look_seconds", "Oldest last look at an account's sessions, Unix time.", labels=("account",)
    )
    counts = Counter((told.session.plan.account, told.condition) for told in statuses)
    for account in sorted({account for account, _ in counts}):
        for condition in Condition:
            if condition is not Condition.ENDED:
                sessions.add_metric((account, condition.value), counts[account, condition])
        own = [told for told in statuses if told.session.plan.account == account]
        # One that has not looked yet has been waiting since it began.
        looked.add_metric((account,), min((told.looked_at or told.session.started).timestamp() for told in own))
    return [sessions, looked]
