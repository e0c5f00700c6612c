"""Drills small enough for every run of the tests; `make chaos` runs the long ones."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.postgres_server import Server
from nt_ray.trader.chaos.drill import RANDOM, run_drill, steps_of
from nt_ray.trader.chaos.gremlin import STEPS
from nt_ray.trader.chaos.wire import Cut


def test_a_trader_that_is_killed_at_every_step_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.sqlite")
    drill = run_drill(journal, len(STEPS), 3, steps=steps_of(journal))
    assert drill.audit.faults == ()
    assert drill.audit.orders > len(STEPS)
    # On a busy machine a life may pass a rare step by; another drill goes for those alone.
    left = tuple(step for step in steps_of(journal) if step not in drill.by_step)
    again = run_drill(str(tmp_path / "again.sqlite"), len(left), 4, steps=left) if left else drill
    assert again.audit.faults == ()
    assert {*drill.by_step, *again.by_step} == {*STEPS}


def test_a_trader_that_is_killed_at_random_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    drill = run_drill(str(tmp_path / "journal.sqlite"), 25, 4, steps=(RANDOM,))
    assert drill.audit.faults == ()
    assert (drill.kills, drill.by_step) == (25, {RANDOM: 25})
    assert drill.audit.orders > 0


def test_a_trader_that_loses_its_database_and_is_killed_loses_nothing_else(postgres: Server) -> None:
    steps = tuple(
        step
        for named in ("after venue.submit_order", "before OrderSubmitted", "after OrderAccepted", "before OrderFilled")
        for step in (named, RANDOM)
    )
    drill = run_drill(postgres.url(schema="drill"), 24, 5, steps=steps)
    assert drill.audit.faults == ()
    assert drill.kills == 24
    assert drill.cuts_of_database.keys() == {str(how) for how in Cut}
    assert sum(drill.cuts_of_database.values()) >= 5
    assert drill.audit.orders > 0


def test_the_command_tells_what_was_killed_and_found(tmp_path: Path) -> None:
    arguments = ("-m", "jobs.cli", "chaos", "--kills", "4", "--seed", "3")
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("4 kills in ")
    assert "       1  before journal.open_epoch\n" in done.stdout
    assert done.stdout.endswith("Nothing lost, nothing sent twice; journal, ledger and venue agree.\n")
    json_too = subprocess.run(
        [sys.executable, *arguments, "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = json.loads(json_too.stdout)
    assert (told["kills"], told["passed"], told["audit"]["faults"]) == (4, True, [])
