"""Nodes of a Ray cluster die under a live account and its agents; the command starts the cluster and kills them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.postgres_server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_nodes_of_agents_and_of_the_account_die_and_nothing_is_lost_or_sent_twice(
    postgres: Server, tmp_path: Path
) -> None:
    arguments = ("--nodes", "--kills", "2", "--seed", "3", "--journal", postgres.url(schema="nodes"), "--json")
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "jobs.cli", "chaos", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["by_victim"] == {"agents' node": 1, "account's node": 1}
    assert told["homes"] == 2, "the account must have moved to another node"
    assert told["audit"]["faults"] == []
    assert told["audit"]["orders"] >= 24
