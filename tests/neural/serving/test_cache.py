import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.serving.cache import ByteCache


@dataclass(frozen=True)
class Thing:
    key: int
    nbytes: int


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = ByteCache[int, Thing](30, lambda key: Thing(key, 10))
    for key in (1, 2, 3, 1, 4):
        cache.get(key)
    assert cache.keys() == (3, 1, 4)
    assert cache.peek(2) is None
    state = cache.state()
    assert (state.entries, state.nbytes, state.misses, state.evictions) == (3, 30, 4, 1)


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 40))
def test_the_weight_held_stays_below_the_limit_or_is_one_thing(asked: list[int], limit: int) -> None:
    cache = ByteCache[int, Thing](limit, lambda key: Thing(key, key * 5))
    for key in asked:
        assert cache.get(key) == Thing(key, key * 5)
        held_keys = cache.keys()
        held = sum(key * 5 for key in held_keys)
        assert cache.state().nbytes == held
        assert held <= limit or len(held_keys) == 1
        assert held_keys[-1] == key


def test_many_who_ask_at_once_wait_for_one_load_and_others_do_not_wait() -> None:
    loads: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def load(key: int) -> Thing:
        loads.append(key)
        if key == 1:
            begun.set()
            go.wait(10)
        return Thing(key, 1)

    cache = ByteCache[int, Thing](10, load)
    found: list[Thing] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get(1))) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert cache.get(2) == Thing(2, 1)
    assert cache.peek(1) is None
    go.set()
    for thread in threads:
        thread.join()
    assert loads == [1, 2]
    assert len({id(thing) for thing in found}) == 1


def test_a_load_that_fails_is_tried_again() -> None:
    failures = [NeuralError("Not now. Try later.")]

    def load(key: int) -> Thing:
        if failures:
            raise failures.pop()
        return Thing(key, 1)

    cache = ByteCache[int, Thing](10, load)
    with pytest.raises(NeuralError, match="Not now"):
        cache.get(1)
    assert cache.keys() == ()
    assert cache.get(1).key == 1


def test_a_cache_of_nothing_is_refused() -> None:
    with pytest.raises(NeuralError, match="0 bytes"):
        ByteCache[int, Thing](0, lambda key: Thing(key, 1))
