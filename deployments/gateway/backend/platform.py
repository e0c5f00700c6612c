"""All that the platform's own routes ask for, together: settings, accounts, jobs, cluster, events."""

from dataclasses import dataclass
from typing import Protocol

from deployments.gateway.backend.accounts import Accounts, ActorAccounts
from deployments.gateway.backend.cluster import Cluster, RayCluster
from deployments.gateway.backend.jobs import ActorJobs, KeptJobs
from deployments.gateway.backend.sessions import ActorSessions, Sessions
from deployments.gateway.backend.stream import ActorSource, Source
from nt_ray.config import Settings


class Trading(Protocol):
    """What is traded by: accounts, and strategies that trade them by themselves."""

    @property
    def settings(self) -> Settings:
        """Settings that everything works by; folders are those of this machine."""
        ...

    @property
    def accounts(self) -> Accounts:
        """Live accounts."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Strategies that trade live accounts."""
        ...


class Platform(Trading, Protocol):
    """What stands behind `/api/v1`."""

    @property
    def jobs(self) -> KeptJobs:
        """Jobs, and answers under idempotency keys."""
        ...

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        ...

    @property
    def source(self) -> Source:
        """What happens, for the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """A platform of these parts."""

    settings: Settings
    accounts: Accounts
    jobs: KeptJobs
    cluster: Cluster
    source: Source
    sessions: Sessions


def on_ray(settings: Settings, accounts: Accounts | None = None) -> Parts:
    """Return the platform on the Ray that this process is connected to; an instance belongs to one event loop."""
    return Parts(
        settings,
        accounts or ActorAccounts(expected=(*settings.gateway.accounts, *settings.brokers.enabled)),
        ActorJobs(settings),
        RayCluster(),
        ActorSource(settings),
        ActorSessions(settings),
    )
