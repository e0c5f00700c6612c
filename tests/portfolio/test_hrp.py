import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import squareform

from nt_ray.errors import RiskError
from nt_ray.market.bars import CLOSE
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.constraints import Constraints, sector
from nt_ray.portfolio.optimise.herc import herc
from nt_ray.portfolio.optimise.hierarchy import Hierarchy
from nt_ray.portfolio.optimise.hrp import hrp
from nt_ray.portfolio.optimise.solution import InfeasibleError

LINKAGES = ["single", "complete", "average", "weighted", "ward"]


def sampled(seed, n, T=60):
    draw = np.random.default_rng(seed)
    groups = draw.normal(size=(T, 4))[:, draw.integers(0, 4, n)]
    return 0.01 * (groups + draw.normal(size=(T, n)) * draw.uniform(0.3, 2.0, n))


def by_the_paper(covariance, method="single"):
    """Snippets 16.1 to 16.4 of Lopez de Prado (2018), with the tree grown on the distances themselves."""
    sd = np.sqrt(np.diag(covariance))
    link = scipy_linkage(
        squareform(np.sqrt(np.clip((1 - covariance / np.outer(sd, sd)) / 2, 0, 1)), checks=False), method
    )
    n = len(covariance)

    def leaves(node):
        if node < n:
            return [node]
        return leaves(int(link[node - n, 0])) + leaves(int(link[node - n, 1]))

    order = leaves(2 * n - 2)

    def variance(items):
        inner = covariance[np.ix_(items, items)]
        inverse = 1 / np.diag(inner)
        inverse /= inverse.sum()
        return inverse @ inner @ inverse

    weights = np.ones(n)
    lists = [order]
    while lists:
        lists = [part for items in lists if len(items) > 1 for part in np.split(items, [len(items) // 2])]
        for left, right in zip(lists[::2], lists[1::2], strict=True):
            share = 1 - variance(left) / (variance(left) + variance(right))
            weights[left] *= share
            weights[right] *= 1 - share
    return weights, order


@pytest.mark.parametrize("method", LINKAGES)
@pytest.mark.parametrize("n", [2, 3, 10, 77])
def test_weights_and_order_are_those_of_the_paper(method, n) -> None:
    returns = sampled(n, n)
    covariance = np.cov(returns.T)
    wanted, order = by_the_paper(covariance, method)
    assert hrp(covariance, linkage=method).weights == pytest.approx(wanted, rel=1e-12, abs=1e-15)
    assert hrp(returns=returns, linkage=method).weights == pytest.approx(wanted, rel=1e-10)
    assert Hierarchy.of(covariance, method).order.tolist() == order


def test_two_assets_and_uncorrelated_equals() -> None:
    assert hrp(np.diag([1.0, 3.0])).weights == pytest.approx([0.75, 0.25])
    assert hrp(np.eye(8)).weights == pytest.approx(np.full(8, 1 / 8))
    assert hrp(np.array([[4.0]])).weights.tolist() == [1.0]
    assert herc(np.array([[4.0]])).weights.tolist() == [1.0]
    assert herc(np.diag([1.0, 3.0]), clusters=2).weights == pytest.approx([0.75, 0.25])


def test_the_order_puts_relatives_side_by_side() -> None:
    blocks = np.kron(np.eye(3), np.full((4, 4), 0.8)) + 0.2 * np.eye(12)
    shuffled = np.random.default_rng(0).permutation(12)
    order = Hierarchy.of(blocks[np.ix_(shuffled, shuffled)]).order
    families = (shuffled // 4)[order].reshape(3, 4)
    assert (families == families[:, :1]).all()
    assert sorted(order.tolist()) == list(range(12))


def test_a_factor_covariance_is_multiplied_out() -> None:
    factors = FactorCovariance(np.arange(1.0, 7.0)[:, None], np.array([[0.1]]), np.linspace(0.5, 1.0, 6))
    assert hrp(factors).weights == pytest.approx(hrp(factors.dense()).weights, rel=1e-13)


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 25))
def test_bounds_are_kept_and_the_weights_sum_to_the_budget(seed, n) -> None:
    draw = np.random.default_rng(seed)
    lower = draw.uniform(0.0, 0.5 / n, n)
    upper = lower + draw.uniform(0.7 / n, 2.0 / n, n)
    budget = float(draw.uniform(lower.sum(), upper.sum()))
    found = hrp(returns=sampled(seed, n), constraints=Constraints(lower=lower, upper=upper, budget=budget))
    assert found.weights.sum() == pytest.approx(budget, rel=1e-12)
    assert (found.weights >= lower - 1e-12).all()
    assert (found.weights <= upper + 1e-12).all()


def real_returns():
    closes = load_embedded("sp500").values[-1001:, :, CLOSE]
    return closes[1:] / closes[:-1] - 1.0


def test_on_real_prices_equal_to_skfolio() -> None:
    from skfolio.cluster import HierarchicalClustering
    from skfolio.optimization import HierarchicalEqualRiskContribution, HierarchicalRiskParity

    returns = real_returns()
    covariance = np.cov(returns.T)
    for count in (2, 3, 6):
        peer = HierarchicalEqualRiskContribution(
            hierarchical_clustering_estimator=HierarchicalClustering(max_clusters=count)
        ).fit(returns)
        assert herc(covariance, clusters=count).weights == pytest.approx(peer.weights_, rel=1e-9)
    peer = HierarchicalRiskParity().fit(returns)
    assert hrp(covariance, linkage="ward", ordered=True).weights == pytest.approx(peer.weights_, rel=1e-9)


def test_clusters_of_independent_blocks_get_equal_risk_and_so_do_assets_in_one() -> None:
    blocks = np.kron(np.eye(2), np.full((3, 3), 0.5)) + 0.5 * np.eye(6)
    volatility = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0])
    covariance = blocks * np.outer(volatility, volatility)
    weights = herc(covariance, clusters=2).weights
    # The variance of either block goes with 1 and 16.
    assert weights == pytest.approx(np.repeat([16 / 17 / 3, 1 / 17 / 3], 3))


@pytest.mark.parametrize("families", [2, 3, 5, 7])
def test_the_number_of_clusters_is_found_where_there_are_clear_ones(families) -> None:
    draw = np.random.default_rng(families)
    returns = draw.normal(size=(3000, families))[:, np.arange(50) % families] + 0.5 * draw.normal(size=(3000, 50))
    tree = Hierarchy.of(np.cov(returns.T), "ward")
    assert tree.cluster_count() == families
    labels = tree.clusters(families)
    assert all(len(set(labels[family::families])) == 1 for family in range(families))
    assert herc(returns=returns).weights == pytest.approx(herc(returns=returns, clusters=families).weights)


def test_dispersion_by_its_definition_bends_most_at_the_count_found() -> None:
    covariance = np.cov(sampled(5, 30).T)
    tree = Hierarchy.of(covariance, "average")
    square = squareform(tree.distances)
    spread = []
    for count in range(1, 10):
        labels = tree.clusters(count)
        parts = [np.flatnonzero(labels == label) for label in set(labels.tolist())]
        spread.append(sum(square[np.ix_(part, part)].sum() / (2 * len(part)) for part in parts))
    bends = np.diff(spread, 2)
    assert tree.cluster_count() == int(np.argmax(bends)) + 2


@pytest.mark.parametrize("rule", [hrp, herc])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "either"),
        ({"covariance": np.eye(2), "returns": np.ones((3, 2))}, "either"),
        ({"covariance": np.diag([1.0, 0.0])}, "Asset 1 has no variance"),
        ({"covariance": np.array([[1.0, 2.0], [2.0, 1.0]])}, "semi-definite"),
        ({"returns": np.array([[0.1, np.nan], [0.1, 0.2]])}, "not a number"),
        ({"covariance": np.eye(2), "linkage": "nearest"}, "'nearest'"),
        ({"covariance": np.eye(2), "constraints": Constraints(linear=(sector("s", [0], 2, upper=0.1),))}, "linear"),
        ({"covariance": np.eye(2), "constraints": Constraints(max_gross=1.0)}, "max_gross"),
        ({"covariance": np.eye(2), "constraints": Constraints(max_names=1)}, "max_names"),
        ({"covariance": np.eye(2), "constraints": Constraints(cost=0.1, previous=np.zeros(2))}, "cost"),
        ({"covariance": np.eye(2), "constraints": Constraints(lower=-0.1)}, "below 0"),
        ({"covariance": np.eye(2), "constraints": Constraints(budget=-1.0)}, "budget=-1"),
    ],
)
def test_what_makes_no_sense_is_named(rule, more, said) -> None:
    with pytest.raises(RiskError, match=said):
        rule(**more)


@pytest.mark.parametrize("rule", [hrp, herc])
def test_a_large_indefinite_covariance_is_refused(rule) -> None:
    matrix = np.eye(300)
    matrix[0, 1] = matrix[1, 0] = 1.05
    with pytest.raises(RiskError, match=r"eigenvalue is -0\.05"):
        rule(matrix)


def test_bounds_without_room_and_bounds_that_clusters_break_are_infeasible() -> None:
    with pytest.raises(InfeasibleError, match="upper bounds"):
        hrp(np.eye(3), constraints=Constraints(upper=0.2))
    with pytest.raises(InfeasibleError, match="asset 0"):
        herc(np.diag([1.0, 9.0, 9.0]), clusters=3, constraints=Constraints(upper=0.4))
    for count in (0, 4):
        with pytest.raises(RiskError, match="clusters of 3"):
            herc(np.eye(3), clusters=count)
