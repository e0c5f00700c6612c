"""Events and epochs."""

from nt_ray.storage.migrations.steps import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    run(1)
