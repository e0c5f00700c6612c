"""The board of counts: a sum over replicas never falls, whatever becomes of them; what comes late changes nothing."""

from collections.abc import Iterator

import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st

from actors import counts
from actors.counts import ALIVE_S, FORGOTTEN_S, CountBoard, Family, Over, Told


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(requests: float, open_now: float = 0.0, busy: float = 0.0) -> Told:
    return (
        Family("requests", "counter", "r", Over.ALL, {("requests_total", (("method", "GET"),)): requests}),
        Family("open", "gauge", "o", Over.LIVING, {("open", ()): open_now}),
        Family("gpu", "gauge", "g", Over.NEWEST, {("gpu", (("gpu", "0"),)): busy}),
    )


def values(board: CountBoard) -> dict[str, float]:
    return {name: value for family in board.read().families for (name, _), value in family.samples.items()}


def test_what_grows_is_summed_over_the_dead_too_and_what_is_present_over_the_living() -> None:
    clock = Clock()
    board = CountBoard(clock)
    board.tell("a", 1, told(5, 2, 40))
    board.tell("b", 1, told(7, 3, 40))
    assert values(board) == {"requests_total": 12, "open": 5, "gpu": 40}
    assert board.read().replicas == 2
    clock.now = ALIVE_S
    board.tell("b", 2, told(8, 1, 50))
    assert values(board) == {"requests_total": 13, "open": 1, "gpu": 50}
    assert board.read().replicas == 1


def test_what_was_said_earlier_and_comes_later_is_passed_over() -> None:
    board = CountBoard()
    board.tell("a", 2, told(9))
    board.tell("a", 1, told(4))
    assert values(board)["requests_total"] == 9


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from((0.0, 1.0, ALIVE_S, FORGOTTEN_S))))
)
def test_the_sum_is_that_of_all_that_was_counted_and_never_falls(heard: list[tuple[str, int, float]]) -> None:
    clock = Clock()
    board = CountBoard(clock)
    # A replica that was given up is dead: another has another name.
    names: dict[str, tuple[str, float]] = {}
    own: dict[str, int] = {}
    before = 0.0
    for number, (letter, more, wait) in enumerate(heard):
        clock.now += wait
        name, last = names.get(letter, (letter, clock.now))
        if clock.now - last >= FORGOTTEN_S:
            name = f"{letter}{number}"
        names[letter] = name, clock.now
        own[name] = own.get(name, 0) + more
        board.tell(name, number, told(own[name]))
        now = values(board)["requests_total"]
        assert now == sum(own.values())
        assert now >= before
        before = now


@pytest.fixture
def board(ray_cluster: None) -> Iterator[None]:
    yield
    counts.stop()


def test_the_actor_sums_what_processes_tell_and_is_ended_where_there_is_one(board: None) -> None:
    actor = counts.start()
    ray.get(actor.tell.remote("a", 1, told(5)))
    found = ray.get(counts.start().exchange.remote("b", 1, told(6)))
    assert (found.replicas, found.families[0].samples) == (2, {("requests_total", (("method", "GET"),)): 11})
    counts.stop()
    with pytest.raises(ValueError, match="counts"):
        counts.find()
    counts.stop()
