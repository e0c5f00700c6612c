"""What Alembic runs for each migration: on the connection it is given, within the transaction of its caller."""

from alembic import context

from nt_ray.storage.migration import VERSION_TABLE


def migrate() -> None:
    """Run the migrations that are due."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"], version_table=VERSION_TABLE, version_table_schema=attributes["schema"]
    )
    context.run_migrations()


migrate()
