import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.series.sampling import AHEAD, Order, Sampler, mix

CPU = torch.device("cpu")


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 2**30))
def test_every_epoch_visits_each_window_once(count: int, seed: int, epoch: int) -> None:
    places = Order(count, seed).places(epoch * count, count, CPU)
    assert torch.equal(places.sort().values, torch.arange(count))


@given(count=st.integers(1, 500), first=st.integers(0, 10**6), cut=st.integers(0, 300))
def test_a_sample_depends_on_its_number_alone(count: int, first: int, cut: int) -> None:
    order = Order(count, 3)
    whole = order.places(first, 300, CPU)
    parts = [order.places(first, cut, CPU)] if cut else []
    parts += [order.places(first + cut, 300 - cut, CPU)] if cut < 300 else []
    assert torch.equal(torch.cat(parts), whole)


def test_epochs_and_seeds_differ_and_order_is_forgotten() -> None:
    count = 50_000
    first, second, other = (
        Order(count, seed).places(start, count, CPU).double() for seed, start in ((1, 0), (1, count), (2, 0))
    )
    straight = torch.arange(count).double()
    noise = 4 / np.sqrt(count)
    for a, b in ((first, straight), (second, straight), (first, second), (first, other), (first[1:], first[:-1])):
        assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < noise


def test_neighbours_in_time_land_anywhere_in_an_epoch() -> None:
    count = 20_000
    place_of = Order(count, 5).places(0, count, CPU).argsort()
    gaps = (place_of[1:] - place_of[:-1]).abs().double()
    # Two uniform places are a third of the length apart on average.
    assert float(gaps.mean()) == pytest.approx(count / 3, rel=0.03)


def test_more_windows_than_32_bits_hold_are_shuffled_alike() -> None:
    count = 3_000_000_019
    first = Order(count, 1).places(count - 50_000, 100_000, CPU)
    assert 0 <= int(first.min()) < 2**31 < int(first.max()) < count
    assert len(first[:50_000].unique()) == 50_000
    tenths = torch.histc(first.double(), 10, 0, count)
    assert float(((tenths - 10_000) ** 2 / 10_000).sum()) < 30


def test_the_batch_is_the_same_for_any_number_of_workers() -> None:
    order = Order(777, 4)
    whole = Sampler(order, 12, CPU)
    workers = [Sampler(order, 12, CPU, rank, 3) for rank in range(3)]
    for step in (0, 1, 100, 12_345):
        batch = whole.places(step)
        assert torch.equal(batch, order.places(step * 12, 12, CPU))
        for rank, worker in enumerate(workers):
            assert torch.equal(worker.places(step), batch[rank::3])


def test_steps_may_be_asked_for_in_any_order() -> None:
    forward, jumping = (Sampler(Order(5000, 9), 4096, CPU) for _ in range(2))
    steps = range(3 * AHEAD // 4096)
    seen = {step: forward.places(step).clone() for step in steps}
    for step in reversed(steps):
        assert torch.equal(jumping.places(step), seen[step])


def test_the_hash_spreads_single_bits() -> None:
    flips = [bin(mix(7, i) ^ mix(7, i ^ 1 << bit)).count("1") for i in range(50) for bit in range(64)]
    assert np.mean(flips) == pytest.approx(32, abs=0.5)
    assert mix(1, 2) != mix(2, 1)
