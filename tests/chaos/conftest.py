from collections.abc import Iterator

import pytest

from benchmarks.postgres_server import Server, server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with server(sync=False) as running:
        yield running
