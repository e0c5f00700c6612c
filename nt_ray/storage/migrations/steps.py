"""One step of the tree, from the statements of `nt_ray.storage.schema`."""

from typing import cast

from alembic import op

from nt_ray.storage.schema import FILL, STEPS, UNHASHED, Dialect, hashes

_BATCH = 10_000


def run(version: int) -> None:
    """Lead the tables to a version; rows that exist are given their hashes."""
    connection = op.get_bind()
    dialect = cast("Dialect", connection.dialect.name)
    before, after = STEPS[dialect][version]
    for statement in before:
        connection.exec_driver_sql(statement)
    if after:
        existing = connection.exec_driver_sql(UNHASHED).fetchall()
        filled = list(hashes(tuple(row) for row in existing))
        for first in range(0, len(filled), _BATCH):
            connection.exec_driver_sql(FILL[dialect], filled[first : first + _BATCH])
    for statement in after:
        connection.exec_driver_sql(statement)
