from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.features import double_sum

moderate = st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda x: x == 0.0 or abs(x) > 1e-12)


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_two_sum_loses_nothing(a: float, b: float) -> None:
    high, low = double_sum.two_sum(a, b)
    assert high == a + b
    assert Fraction(high) + Fraction(low) == Fraction(a) + Fraction(b)


@given(moderate, moderate)
def test_two_product_loses_nothing(a: float, b: float) -> None:
    high, low = double_sum.two_product(a, b)
    assert high == a * b
    assert Fraction(high) + Fraction(low) == Fraction(a) * Fraction(b)


@given(st.lists(st.tuples(moderate, moderate), min_size=1, max_size=40))
def test_running_totals_keep_a_hundred_bits(pairs: list[tuple[float, float]]) -> None:
    total, products = np.zeros(2), np.zeros(2)
    for a, b in pairs:
        double_sum.add(total, a)
        double_sum.add_product(products, -1.0, a, b)
    size = sum(abs(Fraction(a)) for a, _ in pairs)
    error = abs(Fraction(total[0]) + Fraction(total[1]) - sum(Fraction(a) for a, _ in pairs))
    assert error <= size * Fraction(1, 2**99)
    size = sum(abs(Fraction(a) * Fraction(b)) for a, b in pairs)
    error = abs(Fraction(products[0]) + Fraction(products[1]) + sum(Fraction(a) * Fraction(b) for a, b in pairs))
    assert error <= size * Fraction(1, 2**99)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30), st.sampled_from([0.0, 2.0**20, 2.0**40]))
def test_cross_deviation_does_not_cancel(values: list[int], offset: float) -> None:
    total, squares = np.zeros(2), np.zeros(2)
    for value in values:
        double_sum.add(total, offset + value)
        double_sum.add_product(squares, 1.0, offset + value, offset + value)
    n = len(values)
    expected = n * sum(v * v for v in values) - sum(values) ** 2
    found = double_sum.cross_deviation(float(n), squares, total, total)
    # 2^-100 of the mean square is all that is lost: below one part in a thousand of the least deviation here.
    assert abs(found - expected) <= 1e-3 + 1e-12 * expected
