"""A swarm that is changed while it trades decides as one that is not."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from nt_ray.config import Settings
from nt_ray.errors import ServiceError
from nt_ray.trader.facade import NeuralTrader
from nt_ray.trader.steering import Course, Steered, Turn


class Script:
    """Steers by the number of the question: the course of the last one that has come."""

    def __init__(self, *courses: Course) -> None:
        self.courses = list(courses)
        self.told: list[Turn] = []

    def course(self) -> Course:
        return self.courses.pop(0) if len(self.courses) > 1 else self.courses[0]

    def turned(self, turn: Turn) -> None:
        self.told.append(turn)


def settings(folder: Path, **swarm: object) -> Settings:
    return Settings(
        runs=folder,
        data={"symbols": ["KO", "PEP", "JNJ"], "start": "2021-06-01"},  # type: ignore[arg-type]
        strategies={"enabled": ["momentum", "mean_reversion"]},  # type: ignore[arg-type]
        swarm={"hosts": 2, "topology": "star", **swarm},  # type: ignore[arg-type]
    )


def digest(folder: Path, courses: Sequence[Course]) -> tuple[str, list[Turn], dict[str, object]]:
    script = Script(*courses) if courses else None
    with NeuralTrader(settings(folder)) as trader:
        summary = trader.execute_strategy(steering=script).summary
    return str(summary["digest"]), [] if script is None else script.told, dict(summary)


STAR = Course(2, "star")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest(tmp_path_factory.mktemp("calm"), ())[0]


def test_hosts_and_topologies_that_change_between_blocks_change_no_decision(undisturbed: str, tmp_path: Path) -> None:
    courses = [STAR, STAR, Course(1, "star"), Course(5, "ring"), Course(3, "hierarchical")]
    found, turns, summary = digest(tmp_path, courses)
    assert found == undisturbed
    assert [(turn.bar, turn.hosts, turn.topology, turn.refused) for turn in turns] == [
        (64, 1, "star", ""),
        (128, 5, "ring", ""),
        (192, 3, "hierarchical", ""),
    ]
    assert summary["topology"] == "hierarchical"
    assert summary["turns"] == [
        {"bar": turn.bar, "hosts": turn.hosts, "topology": turn.topology, "refused": ""} for turn in turns
    ]


def test_a_course_that_the_swarm_holds_already_turns_nothing(undisturbed: str, tmp_path: Path) -> None:
    found, turns, summary = digest(tmp_path, [Course(), Course()])
    assert (found, turns) == (undisturbed, [])
    assert "turns" not in summary


def test_a_course_that_differs_at_the_start_is_taken_with_the_first_block(undisturbed: str, tmp_path: Path) -> None:
    found, turns, _ = digest(tmp_path, [Course(hosts=1000)])
    assert found == undisturbed
    assert [(turn.bar, turn.topology) for turn in turns] == [(0, "star")]
    # No host is without an agent.
    assert 2 < turns[0].hosts < 1000


class Stubborn:
    """A swarm whose hosts do not start."""

    topology = "star"
    specs = range(9)
    transport = SimpleNamespace(members={0: ()})

    def resize(self, hosts: int) -> None:
        raise ServiceError(f"{hosts} hosts did not start. Look at the logs.")

    def rewire(self, topology: object) -> None:
        raise AssertionError("what cannot be done whole is not done in part")

    def decide(self, start: int, stop: int) -> str:
        return f"{start}:{stop}"


def test_a_change_that_cannot_be_made_is_told_once_and_the_swarm_goes_on() -> None:
    script = Script(Course(1, "star"), Course(4, "ring"))
    steered = Steered(Stubborn(), lambda name: name, script)  # type: ignore[arg-type, return-value]
    assert [steered.decide(0, 64), steered.decide(64, 128)] == ["0:64", "64:128"]
    assert script.told == [Turn(0, 1, "star", "4 hosts did not start. Look at the logs.")]
