from collections.abc import Callable
from pathlib import Path

import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.registry.registry_problems import UnknownAliasError, UnknownModelError, UnknownVersionError
from nt_ray.neural.serving.shelf import Shelf, Swap, Terms

Register = Callable[..., int]
TERMS = Terms(alias="live", largest_batch=4)


def test_a_model_is_found_by_name_alias_and_version(registry: Registry, register: Register) -> None:
    register()
    register(alias="next", seed=1)
    loads: list[tuple[str, int]] = []
    shelf = Shelf(registry, TERMS, lambda model, seconds: loads.append((model.name, model.version)))
    assert shelf.peek("m") is None
    assert [shelf.get(*asked).version for asked in (("m",), ("m@live",), ("m@next",), ("m", "2"))] == [1, 1, 2, 2]
    assert loads == [("m", 1), ("m", 2)]
    assert shelf.peek("m") is shelf.get("m", "1")
    assert shelf.following() == {"m@live": 1, "m@next": 2}
    assert shelf.get("m").batch in (1, 2, 4)


def test_sizes_of_passes_follow_from_what_was_measured(
    registry: Registry, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    times = {1: 0.001, 2: 0.0015, 4: 0.0029, 8: 0.0056}
    monkeypatch.setattr("nt_ray.neural.serving.shelf.measure", lambda *_, **__: times)
    model = Shelf(registry, TERMS).get("m")
    # Twice two windows save 3 % each, too little to gather requests for, but a request that has them saves it.
    assert (model.batch, model.cut, model.short) == (2, 8, 2)
    monkeypatch.setattr("nt_ray.neural.serving.shelf.SHORT_S", 0.0009)
    assert Shelf(registry, TERMS).get("m").short == 0


def test_an_alias_is_followed_in_one_step_and_the_old_model_stays_usable(
    registry: Registry, register: Register
) -> None:
    register()
    shelf = Shelf(registry, TERMS)
    old = shelf.get("m")
    assert shelf.refresh() == ()
    register(seed=1)
    assert shelf.peek("m") is old
    assert shelf.refresh() == (Swap("m", "live", 1, 2),)
    new = shelf.peek("m")
    assert new is not None
    assert new.version == 2
    assert old.version == 1
    registry.rollback("m", "live")
    assert shelf.refresh() == (Swap("m", "live", 2, 1),)
    assert shelf.get("m") is old


def test_a_version_that_cannot_be_loaded_does_not_take_the_place_of_one_that_can(
    registry: Registry, register: Register, tmp_path: Path
) -> None:
    register()
    shelf = Shelf(registry, TERMS)
    old = shelf.get("m")
    register(seed=1)
    for path in (tmp_path / "models").rglob("weights.safetensors*"):
        path.write_bytes(b"damaged")
    assert shelf.refresh() == ()
    assert shelf.peek("m") is old


def test_an_alias_that_is_taken_away_is_no_longer_served(registry: Registry, register: Register) -> None:
    register()
    shelf = Shelf(registry, TERMS)
    shelf.get("m")
    registry.remove("m", "live")
    assert shelf.refresh() == (Swap("m", "live", 1, None),)
    with pytest.raises(UnknownAliasError):
        shelf.get("m")


def test_models_beyond_the_limit_are_forgotten_and_loaded_again(registry: Registry, register: Register) -> None:
    for name in ("a", "b", "c"):
        register(name)
    size = Shelf(registry, TERMS).get("a").nbytes
    shelf = Shelf(registry, Terms(alias="live", largest_batch=1, cache_bytes=2 * size))
    for name in ("a", "b", "a", "c", "a", "b"):
        assert shelf.get(name).name == name
    assert shelf.loaded() == (("a", 1), ("b", 1))
    state = shelf.state()
    assert (state.misses, state.evictions, state.nbytes) == (4, 2, 2 * size)


def test_what_is_not_there_is_told_by_its_name(registry: Registry, register: Register) -> None:
    register()
    shelf = Shelf(registry, TERMS)
    for asked, kind in (
        (("x",), UnknownModelError),
        (("m", "9"), UnknownVersionError),
        (("m@none",), UnknownAliasError),
        (("m", "nine"), NeuralError),
        (("../m",), NeuralError),
    ):
        with pytest.raises(kind) as caught:
            shelf.get(*asked)
        assert 400 <= caught.value.status < 500


def test_a_model_that_was_forgotten_replaced_and_deleted_is_asked_for_by_its_alias_all_the_same(
    registry: Registry, register: Register
) -> None:
    register()
    register("other")
    shelf = Shelf(registry, Terms(alias="live", largest_batch=1, cache_bytes=1))
    assert shelf.get("m").version == 1
    shelf.get("other")
    assert shelf.loaded() == (("other", 1),)
    register(seed=1)
    registry.delete("m", 1)
    # Aliases were not looked at since.
    assert shelf.get("m").version == 2
    assert shelf.following()["m@live"] == 2
    with pytest.raises(UnknownVersionError):
        shelf.get("m", "1")
    shelf.get("other")
    register(alias="next", seed=2)
    registry.remove("m", "live")
    registry.delete("m", 2)
    with pytest.raises(UnknownAliasError):
        shelf.get("m")
