"""Whose a run is: those whose jobs made its folder, and nobody's where no job did."""

from pathlib import Path

from nt_ray.trader import files
from nt_ray.trader.run_folder import create_run_folder
from nt_ray.trader.run_owners import claim, owners, working_for


def test_a_folder_that_a_job_makes_is_its_owners_before_anything_is_in_it(tmp_path: Path) -> None:
    with working_for("ann"):
        of_ann = create_run_folder(tmp_path, "swarm", 7)
    of_nobody = create_run_folder(tmp_path, "swarm", 7)
    assert (owners(of_ann), owners(of_nobody)) == ({"ann"}, frozenset())
    assert [path.name for path in of_ann.iterdir()] == [files.OWNERS]
    assert list(of_nobody.iterdir()) == []


def test_the_same_sweep_of_two_users_belongs_to_both_and_once_to_each(tmp_path: Path) -> None:
    folder = tmp_path / "sweep-pairs-0123"
    for who in ("ann", "bob", "ann"):
        with working_for(who):
            claim(folder)
    assert owners(folder) == {"ann", "bob"}
    assert (folder / files.OWNERS).read_text() == "ann\nbob\n"


def test_what_was_finished_for_nobody_stays_everybodys(tmp_path: Path) -> None:
    (tmp_path / files.SUMMARY).write_text("{}")
    with working_for("ann"):
        claim(tmp_path)
    assert owners(tmp_path) == frozenset()
    assert not (tmp_path / files.OWNERS).exists()
