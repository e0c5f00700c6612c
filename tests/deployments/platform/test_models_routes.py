"""`/api/v1/models` over a real connection: the registry page by page, and aliases that others may change too."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import save_file

from nt_ray.neural.registry.registry import open_registry
from nt_ray.neural.registry.registry_problems import AliasesChangedError

API = "/api/v1"


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.fixture
def registry(house: Any, tmp_path: Path) -> Iterator[Any]:
    """The registry of the gateway with three models, the first of which has two versions."""
    registry = open_registry(house.settings.neural, "test")
    for number, name in enumerate(("acorn", "birch", "cedar", "acorn")):
        folder = tmp_path / f"{name}-{number}"
        folder.mkdir()
        save_file({"head.weight": np.full(4, number, np.float32)}, folder / "weights.safetensors")
        (folder / "model.json").write_text('{"format": "nt-ray-model/1", "signature": {}, "lineage": {}}')
        registry.register(folder, name)
    yield registry
    shutil.rmtree(house.settings.neural.registry)


def test_models_go_page_by_page_by_name(house: Any, registry: Any) -> None:
    with house.client("reader") as client:
        whole = client.get(f"{API}/models").json()
        known = [{"name": m.name, "versions": list(m.versions), "aliases": {}} for m in registry.list()]
        assert (len(known), whole) == (3, {"models": known, "next": None})
        first = client.get(f"{API}/models", params={"limit": 2}).json()
        assert [model["name"] for model in first["models"]] == ["acorn", "birch"]
        second = client.get(f"{API}/models", params={"limit": 2, "cursor": first["next"]}).json()
        assert ([model["name"] for model in second["models"]], second["next"]) == (["cedar"], None)
        refused(client.get(f"{API}/models", params={"cursor": "!"}), 422, "cursor")


def test_an_alias_is_changed_only_while_the_model_is_as_its_caller_has_seen_it(house: Any, registry: Any) -> None:
    place = f"{API}/models/acorn"
    with house.client("admin") as client:
        seen = client.get(place).headers["etag"]
        body = {"version": 1, "reason": "the first"}
        given = client.put(f"{place}/aliases/challenger", json=body, headers={"If-Match": seen})
        assert given.json() == {"name": "acorn", "versions": [1, 2], "aliases": {"challenger": 1}}
        assert given.headers["etag"] == client.get(place).headers["etag"] != seen
        late = client.put(f"{place}/aliases/challenger", json={**body, "version": 2}, headers={"If-Match": seen})
        refused(late, 412, "changed")
        refused(
            client.delete(f"{place}/aliases/challenger", params={"reason": "no"}, headers={"If-Match": seen}),
            412,
            "changed",
        )
        now = given.headers["etag"]
        moved = client.put(
            f"{place}/aliases/challenger", json={**body, "version": 2}, headers={"If-Match": f"{seen}, W/{now}"}
        )
        assert moved.json()["aliases"] == {"challenger": 2}
        gone = client.delete(f"{place}/aliases/challenger", params={"reason": "over"}, headers={"If-Match": "*"})
        assert gone.json()["aliases"] == {}
        assert client.put(f"{place}/aliases/shadow", json=body).json()["aliases"] == {"shadow": 1}
        refused(client.put(f"{place}/aliases/champion", json=body), 409, "promotion_refused")
        refused(client.put(f"{place}/aliases/shadow", json={**body, "version": 3}), 404, "unknown_version")
        refused(client.delete(f"{place}/aliases/none", params={"reason": "x"}), 404, "unknown_alias")
        told = client.get(f"{place}/changes").json()["changes"]
        assert [(one["action"], one["version"], one["by"]) for one in told] == [
            ("promote", 1, "admin"), ("remove", 2, "admin"), ("promote", 2, "admin"), ("promote", 1, "admin"),
        ]  # fmt: skip
        first = client.get(f"{place}/changes", params={"limit": 3}).json()
        rest = client.get(f"{place}/changes", params={"limit": 3, "cursor": first["next"]}).json()
        assert (first["changes"] + rest["changes"], rest["next"]) == (told, None)
        watched = client.get(f"{API}/dashboard/models").json()["models"]
        page = client.get(f"{API}/dashboard/models", params={"limit": 2}).json()
        more = client.get(f"{API}/dashboard/models", params={"limit": 2, "cursor": page["next"]}).json()
        assert [m["name"] for m in watched] == ["acorn", "birch", "cedar"]
        assert (page["models"] + more["models"], more["next"]) == (watched, None)


def test_of_two_who_have_seen_the_same_model_one_changes_it(house: Any, registry: Any) -> None:
    """The second is let past the look at the ETag, as it is where both ask at the same instant."""
    held = registry.model("birch").aliases
    registry.promote("birch", 1, "shadow", held=held)
    for act in (
        lambda: registry.promote("birch", 1, "other", held=held),
        lambda: registry.remove("birch", "shadow", held=held),
    ):
        with pytest.raises(AliasesChangedError):
            act()
    assert registry.model("birch").aliases == {"shadow": 1}
