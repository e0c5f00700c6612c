import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.monte_carlo.words import INCREMENTS, MULTIPLIERS, fill_words, seed_key

WORD = st.integers(0, 2**32 - 1)


def filled(counter: tuple[int, ...], key: tuple[int, int], count: int = 1) -> np.ndarray:
    out = np.empty((4, count), dtype=np.uint32)
    fill_words(*key, *counter, out)
    return out


def by_definition(counter: tuple[int, ...], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 in whole numbers, as the paper states a round."""
    c, (a, b) = list(counter), key
    for _ in range(10):
        high0, low0 = divmod(c[0] * MULTIPLIERS[0], 2**32)
        high1, low1 = divmod(c[2] * MULTIPLIERS[1], 2**32)
        c = [high1 ^ c[1] ^ a, low1, high0 ^ c[3] ^ b, low0]
        a, b = (a + INCREMENTS[0]) % 2**32, (b + INCREMENTS[1]) % 2**32
    return c


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_words_are_those_of_the_known_answers_of_random123(
    counter: tuple[int, ...], key: tuple[int, int], words: str
) -> None:
    assert filled(counter, key)[:, 0].tolist() == [int(word, 16) for word in words.split()]


@given(WORD, WORD, WORD, WORD, WORD, WORD)
def test_words_of_a_run_are_those_of_each_counter(k0: int, k1: int, c0: int, c1: int, c2: int, c3: int) -> None:
    first = min(c0, 2**32 - 20)
    out = filled((first, c1, c2, c3), (k0, k1), 20)
    for s in (0, 7, 19):
        assert out[:, s].tolist() == by_definition((first + s, c1, c2, c3), (k0, k1))


def test_a_seed_is_two_words() -> None:
    assert seed_key(5 * 2**32 + 7) == (7, 5)
    for seed in (-1, 2**63):
        with pytest.raises(RiskError, match=f"Seed {seed} cannot be used"):
            seed_key(seed)
