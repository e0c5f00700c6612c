"""All that the platform's own routes ask for, together: settings, accounts, jobs, cluster, events."""

from dataclasses import dataclass
from typing import Protocol

from deployments.gateway.backend.accounts import Accounts, ActorAccounts
from deployments.gateway.backend.cluster import Cluster, RayCluster
from deployments.gateway.backend.jobs import ActorJobs, Jobs
from deployments.gateway.backend.stream import ActorSource, Source
from nt_ray.config import Settings


class Platform(Protocol):
    """What stands behind `/api/v1`."""

    @property
    def settings(self) -> Settings:
        """Settings that everything works by; folders are those of this machine."""
        ...

    @property
    def accounts(self) -> Accounts:
        """Live accounts."""
        ...

    @property
    def jobs(self) -> Jobs:
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
    jobs: Jobs
    cluster: Cluster
    source: Source


def on_ray(settings: Settings, accounts: Accounts | None = None) -> Parts:
    """Return the platform on the Ray that this process is connected to; an instance belongs to one event loop."""
    return Parts(settings, accounts or ActorAccounts(), ActorJobs(settings), RayCluster(), ActorSource())
