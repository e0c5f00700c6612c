"""Steps are noted for who follows the work, in its order, whatever thread does it, and for nobody else."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from nt_ray.trading import steps
from nt_ray.trading.steps import following, step


def test_steps_stand_within_each_other_with_what_was_said_of_them() -> None:
    with following() as way:
        with step("outer") as outer:
            outer.part("part", 5, 3)
            with step("inner", {"order_id": "o1"}, asks=True) as inner:
                inner.fact("status", 201)
        with step("next"):
            pass
    found = way.steps()
    assert [(s.name, s.within, s.asks) for s in found] == [
        ("outer", -1, False), ("part", 0, False), ("inner", 0, True), ("next", -1, False),
    ]  # fmt: skip
    assert found[2].facts == {"order_id": "o1", "status": 201}
    # The clock was set back meanwhile.
    assert (found[1].start_ns, found[1].end_ns) == (5, 5)
    assert found[0].start_ns <= found[2].start_ns <= found[2].end_ns <= found[0].end_ns <= found[3].start_ns
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_step_that_fails_bears_the_name_of_the_error_and_the_error_goes_on() -> None:
    with following() as way, pytest.raises(ZeroDivisionError), step("broken"):
        raise ZeroDivisionError
    assert way.steps()[0].fault == "ZeroDivisionError"


def test_work_of_other_threads_in_a_copy_of_the_context_is_noted_where_it_was_begun() -> None:
    def work(number: int) -> None:
        with step(f"lane {number}"), step("request"):
            pass

    with following() as way, ThreadPoolExecutor(4) as pool, step("outer"):
        for done in [pool.submit(copy_context().run, work, number) for number in range(20)]:
            done.result()
    found = way.steps()
    assert len(found) == 41
    assert {s.within for s in found if s.name.startswith("lane")} == {0}
    assert sorted(found[s.within].name for s in found if s.name == "request") == sorted(f"lane {n}" for n in range(20))


def test_where_nobody_follows_nothing_is_kept() -> None:
    with following() as way:
        pass
    with step("afterwards", {"a": 1}) as after:
        after.fact("b", 2)
        after.part("c", 1, 2)
    assert way.steps() == ()
    assert step("one") is step("other") is steps._UNNOTICED
