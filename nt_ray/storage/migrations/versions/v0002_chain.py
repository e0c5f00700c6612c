"""The chain of hashes over all events, and snapshots."""

from nt_ray.storage.migrations.steps import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Give each event its hash; nothing else about it changes."""
    run(2)
