import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from safetensors.numpy import load_file

from benchmarks.s3_server import REGION, new_bucket
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.evidence import Evidence
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.registry.registry_problems import (
    CorruptModelError,
    ModelReferenceError,
    RefusedPromotionError,
    UnknownAliasError,
    UnknownModelError,
    UnknownVersionError,
    VersionInUseError,
)
from nt_ray.storage.objects import S3Access, open_objects

Bundle = Callable[..., Path]
MakeEvidence = Callable[..., Evidence]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def later(registry: Registry, days: int, tmp_path: Path) -> Registry:
    return Registry(registry.store, tmp_path / "cache", clock=lambda: datetime.now(UTC) + timedelta(days=days))


def test_a_registered_bundle_comes_back_bit_by_bit(registry: Registry, bundle: Bundle) -> None:
    assert registry.list() == ()
    assert registry.register(bundle(1), "lstm", {"team": "rates"}) == 1
    assert registry.register(bundle(2), "lstm") == 2
    assert registry.register(bundle(1), "other") == 1
    assert contents(registry.resolve("lstm/1")) == contents(bundle(1))
    assert contents(registry.resolve("models:/lstm/2")) == contents(bundle(2))
    assert [(m.name, m.versions, dict(m.aliases)) for m in registry.list()] == [
        ("lstm", (1, 2), {}),
        ("other", (1,), {}),
    ]
    manifest = registry.describe("lstm/1").manifest
    assert (manifest.tags, manifest.by, manifest.signature["horizon"], manifest.lineage["data"]) == (
        {"team": "rates"},
        "ann",
        24,
        "abc",
    )
    assert abs(manifest.created - datetime.now(UTC)) < timedelta(minutes=5)


def test_promotion_rollback_and_their_history(registry: Registry, bundle: Bundle, evidence: MakeEvidence) -> None:
    for seed in (1, 2, 3):
        registry.register(bundle(seed), "lstm")
    registry.promote("lstm", 1, evidence=evidence(1))
    registry.promote("lstm", 2, evidence=evidence(2, score=0.7, champion_version=1, champion=0.8))
    registry.promote("lstm", 3, "challenger", reason="new data")
    registry.promote("lstm", 3, evidence=evidence(3, score=0.6, champion_version=2, champion=0.7))
    assert registry.describe("lstm@champion").aliases == ("challenger", "champion")
    assert contents(registry.resolve("models:/lstm@champion")) == contents(bundle(3))
    assert registry.rollback("lstm", reason="worse live") == 2
    assert registry.rollback("lstm") == 1
    with pytest.raises(NeuralError, match="had no version before 1"):
        registry.rollback("lstm")
    assert dict(registry.model("lstm").aliases) == {"challenger": 3, "champion": 1}
    events = registry.history("lstm")
    assert [(e.seq, e.action, e.alias, e.version, e.before.version if e.before else None) for e in events] == [
        (6, "rollback", "champion", 1, 2),
        (5, "rollback", "champion", 2, 3),
        (4, "promote", "champion", 3, 2),
        (3, "promote", "challenger", 3, None),
        (2, "promote", "champion", 2, 1),
        (1, "promote", "champion", 1, None),
    ]
    assert (events[1].reason, events[1].by) == ("worse live", "ann")
    assert events[2].evidence is not None
    assert (events[2].evidence["score"], events[2].evidence["champion"]) == (0.6, 0.7)
    assert [e.seq for e in registry.history("lstm", after=4)] == [6, 5]


def test_a_promotion_after_a_rollback_goes_back_to_what_it_replaced(
    local: Registry, bundle: Bundle, evidence: MakeEvidence
) -> None:
    for seed in (1, 2, 3):
        local.register(bundle(seed), "m")
    local.promote("m", 1, evidence=evidence(1))
    local.promote("m", 2, evidence=evidence(2, champion_version=1, champion=0.9))
    assert local.rollback("m") == 1
    local.promote("m", 3, evidence=evidence(3, champion_version=1, champion=0.9))
    assert local.rollback("m") == 1


def test_a_rollback_passes_over_versions_that_were_deleted(
    local: Registry, bundle: Bundle, evidence: MakeEvidence
) -> None:
    for seed in (1, 2, 3):
        local.register(bundle(seed), "m")
        local.promote("m", seed, evidence=evidence(seed, champion_version=seed - 1 or None, champion=0.9))
    local.delete("m", 2)
    assert local.rollback("m") == 1


def test_promoting_the_holder_again_changes_nothing(local: Registry, bundle: Bundle, evidence: MakeEvidence) -> None:
    local.register(bundle(), "m")
    assert local.promote("m", 1, evidence=evidence(1)) is not None
    assert local.promote("m", 1, evidence=evidence(1)) is None
    assert len(local.history("m")) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"score": 1.0}, "is not better than 1 of the repeat forecast"),
        ({"score": 0.85}, "is not better than 0.85 of version 1"),
        ({"score": 0.8, "better": "higher"}, "is not better than 1 of the repeat forecast"),
        ({"champion_version": None, "champion": None}, "version 1 holds the alias and was not scored beside it"),
        ({"champion_version": 7}, "version 1 holds the alias and was not scored beside it"),
        ({"version": 3}, "the evidence is about version 3"),
        ({"windows": 29}, "29 windows are fewer than 30"),
        ({"start": datetime(2020, 6, 30, tzinfo=UTC)}, "begin on 2020-06-30 00:00.*and it was trained until"),
        ({"end": datetime(2020, 6, 30, tzinfo=UTC)}, "before they begin"),
    ],
)
def test_the_gate_says_what_is_lacking(
    local: Registry, bundle: Bundle, evidence: MakeEvidence, given: dict[str, object], said: str
) -> None:
    for seed in (1, 2):
        local.register(bundle(seed), "m")
    local.promote("m", 1, evidence=evidence(1))
    told = evidence(**{"version": 2, "champion_version": 1, "champion": 0.85} | given)
    with pytest.raises(RefusedPromotionError, match=said):
        local.promote("m", 2, evidence=told)
    assert dict(local.model("m").aliases) == {"champion": 1}
    assert len(local.history("m")) == 1


def test_no_champion_without_evidence_and_none_of_unknown_training(
    local: Registry, bundle: Bundle, evidence: MakeEvidence
) -> None:
    local.register(bundle(1), "m")
    local.register(bundle(2, trained_until=None), "m")
    with pytest.raises(RefusedPromotionError, match="there is no evidence"):
        local.promote("m", 1)
    with pytest.raises(RefusedPromotionError, match="does not say until when it was trained"):
        local.promote("m", 2, evidence=evidence(2))


def test_evidence_must_lie_after_the_training_of_the_champion_too(
    local: Registry, bundle: Bundle, evidence: MakeEvidence
) -> None:
    local.register(bundle(1, trained_until="2020-09-30T00:00:00+00:00"), "m")
    local.register(bundle(2), "m")
    local.promote("m", 1, evidence=evidence(1, start=datetime(2020, 10, 1, tzinfo=UTC)))
    with pytest.raises(RefusedPromotionError, match="version 1 was trained until 2020-09-30"):
        local.promote("m", 2, evidence=evidence(2, champion_version=1, champion=0.9))


def test_what_does_not_exist_is_named_with_what_is_near(local: Registry, bundle: Bundle) -> None:
    local.register(bundle(), "momentum-lstm")
    local.promote("momentum-lstm", 1, "challenger")
    with pytest.raises(UnknownModelError, match="Did you mean momentum-lstm"):
        local.resolve("momentum-lstn/1")
    with pytest.raises(UnknownModelError, match="Register it first"):
        local.resolve("zzz@champion")
    with pytest.raises(UnknownAliasError, match="Did you mean challenger"):
        local.resolve("momentum-lstm@chalenger")
    with pytest.raises(UnknownAliasError, match="Its aliases: challenger"):
        local.rollback("momentum-lstm", "zzz")
    with pytest.raises(UnknownVersionError, match="Its versions: 1"):
        local.resolve("momentum-lstm/7")
    with pytest.raises(UnknownVersionError):
        local.promote("momentum-lstm", 7, "challenger")
    with pytest.raises(UnknownModelError):
        local.delete("zzz", 1)
    assert {UnknownModelError.status, UnknownVersionError.status, UnknownAliasError.status} == {404}


@pytest.mark.parametrize("text", ["m", "", "m/", "m/0", "m/x", "m@", "m@A", "M/1", "../x/1", "m/1/2", "m@a/1", "a b/1"])
def test_a_text_that_refers_to_nothing_is_refused(local: Registry, text: str) -> None:
    with pytest.raises(ModelReferenceError):
        local.resolve(text)


def test_only_versions_without_alias_are_deleted_and_no_number_comes_back(registry: Registry, bundle: Bundle) -> None:
    for seed in (1, 2, 3):
        registry.register(bundle(seed), "m")
    registry.promote("m", 3, "challenger")
    with pytest.raises(VersionInUseError, match="is its challenger"):
        registry.delete("m", 3)
    registry.remove("m", "challenger")
    registry.delete("m", 3)
    with pytest.raises(UnknownVersionError, match=r"was deleted\. Its versions: 1, 2"):
        registry.resolve("m/3")
    with pytest.raises(UnknownVersionError, match="was deleted"):
        registry.promote("m", 3, "challenger")
    assert len(list(registry.store.list("files/m/"))) == 4
    assert registry.register(bundle(4), "m") == 4
    assert registry.model("m").versions == (1, 2, 4)


def test_a_deletion_that_was_cut_short_is_finished_by_the_next_sweep(
    local: Registry, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.register(bundle(1), "m")
    local.register(bundle(2), "m")

    def die(key: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local.store, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            local.delete("m", 2)
    assert local.model("m").versions == (1,)
    later(local, 2, tmp_path).sweep("m")
    assert [e.key for e in local.store.list("versions/")] == ["versions/m/00000001"]
    assert len(list(local.store.list("files/"))) == 2
    assert local.register(bundle(3), "m") == 3


def test_a_damaged_copy_is_fetched_again_and_a_damaged_original_is_refused(
    local: Registry, bundle: Bundle, tmp_path: Path
) -> None:
    local.register(bundle(1), "m")
    folder = local.resolve("m/1")
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + b"x", b""):
        weights.write_bytes(damaged)
        assert (local.resolve("m/1") / "weights.safetensors").read_bytes() == whole
    (folder / "more").write_text("")
    assert not (local.resolve("m/1") / "more").exists()
    weights.unlink()
    (original,) = (tmp_path / "local" / "files" / "m").glob("*/weights.safetensors")
    original.write_bytes(whole[:-4])
    with pytest.raises(CorruptModelError, match=r"weights.safetensors of model m/1 is damaged or missing"):
        local.resolve("m/1")
    original.unlink()
    with pytest.raises(CorruptModelError, match="damaged or missing"):
        local.resolve("m/1")
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")] == []


def test_a_copy_is_made_once_and_shared_by_versions_of_the_same_content(
    local: Registry, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.register(bundle(1), "m")
    local.register(bundle(1), "m")
    first = local.resolve("m/1")

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(local.store, "download", never)
    assert local.resolve("m/2") == first
    assert load_file(first / "weights.safetensors")["head.weight"].shape == (64,)


def test_a_bundle_that_cannot_be_read_is_not_registered(local: Registry, bundle: Bundle) -> None:
    folder = bundle(1)
    weights, model = folder / "weights.safetensors", folder / "model.json"
    whole, text = weights.read_bytes(), model.read_bytes()
    for damaged in (whole[:-8], whole[:20], b""):
        weights.write_bytes(damaged)
        with pytest.raises(CorruptModelError, match="damaged or cut off"):
            local.register(folder, "m")
    weights.write_bytes(whole)
    for wrong in (b"{", b"[]", b'{"lineage": 3}', b"\xff"):
        model.write_bytes(wrong)
        with pytest.raises(CorruptModelError, match=r"model\.json"):
            local.register(folder, "m")
    model.write_bytes(text)
    (folder / "link").symlink_to(model)
    with pytest.raises(CorruptModelError, match="no plain file"):
        local.register(folder, "m")
    (folder / "link").unlink()
    weights.unlink()
    with pytest.raises(CorruptModelError, match=r"holds no weights\.safetensors"):
        local.register(folder, "m")
    with pytest.raises(CorruptModelError, match="There is no folder"):
        local.register(folder / "none", "m")
    assert list(local.store.list()) == []


@pytest.mark.parametrize("name", ["", "A", "a/b", "a@b", "../a", ".a", "a" * 65, "ä"])
def test_a_name_that_no_model_can_have_is_refused(local: Registry, bundle: Bundle, name: str) -> None:
    with pytest.raises(ModelReferenceError, match="is no name of a model"):
        local.register(bundle(), name)


def test_a_manifest_that_was_changed_is_an_error_that_names_it(local: Registry, bundle: Bundle) -> None:
    local.register(bundle(), "m")
    manifest = json.loads(local.store.get("versions/m/00000001").data)
    for wrong in (
        {**manifest, "format": "nt-ray-version/9"},
        {**manifest, "more": 1},
        {**manifest, "files": {"../../x": {"size": 1, "sha256": "0" * 64}}},
    ):
        local.store.put("versions/m/00000001", json.dumps(wrong).encode())
        with pytest.raises(CorruptModelError, match="record m/1"):
            local.resolve("m/1")


def test_retraining_is_asked_for_once_until_the_holder_changes(
    local: Registry, bundle: Bundle, evidence: MakeEvidence
) -> None:
    for seed in (1, 2):
        local.register(bundle(seed), "m")
    local.promote("m", 1, evidence=evidence(1))
    event = local.ask_for_retraining("m", "champion", {"psi": 0.4}, "inputs drift")
    assert event is not None
    assert (event.action, event.version, event.evidence, event.reason) == ("retrain", 1, {"psi": 0.4}, "inputs drift")
    assert local.ask_for_retraining("m", "champion", {}, "again") is None
    local.promote("m", 2, evidence=evidence(2, champion_version=1, champion=0.9))
    assert local.ask_for_retraining("m", "champion", {}, "later") is not None


def test_a_change_whose_answer_was_lost_counts_once_though_another_was_made_on_top(
    endpoint: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{new_bucket(endpoint)}/models"
    ann, bob = (
        Registry(open_objects(place, S3Access(endpoint, REGION)), tmp_path / "cache", by=by) for by in ("ann", "bob")
    )
    for seed in (1, 2, 3):
        ann.register(bundle(seed), "m")
    ann.promote("m", 1, "challenger")
    client = ann.store._client  # type: ignore[attr-defined]
    put, lost = client.put_object, []

    def lossy(**given: Any) -> Any:
        if given["Key"] == "models/aliases/m" and not lost:
            # The first attempt arrives, its answer does not; until the client repeats it, Bob writes on top.
            lost.append(put(**given))
            bob.promote("m", 3, "challenger", reason="on top")
        return put(**given)

    monkeypatch.setattr(client, "put_object", lossy)
    event = ann.promote("m", 2, "challenger")
    assert lost
    assert event is not None
    assert (event.seq, event.by, event.version) == (2, "ann", 2)
    assert [(e.seq, e.by, e.version) for e in bob.history("m")] == [(3, "bob", 3), (2, "ann", 2), (1, "ann", 1)]
    assert dict(bob.model("m").aliases) == {"challenger": 3}
    assert bob.rollback("m", "challenger") == 2


def test_of_two_changes_at_once_the_later_looks_again_and_what_did_not_count_is_swept(
    local: Registry, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2, 3):
        local.register(bundle(seed), "m")
    bob = Registry(local.store, tmp_path / "cache", by="bob")
    put_if, met = local.store.put_if, []

    def late(key: str, data: bytes, version: str | None) -> str:
        if key == "aliases/m" and not met:
            met.append(key)
            bob.promote("m", 3, "challenger")
        return put_if(key, data, version)

    monkeypatch.setattr(local.store, "put_if", late)
    event = local.promote("m", 2, "challenger")
    assert event is not None
    assert (event.seq, event.before and event.before.version) == (2, 3)
    assert len(list(local.store.list("history/m/"))) == 3
    assert later(local, 2, tmp_path).sweep("m") == 1
    assert [e.version for e in local.history("m")] == [2, 3]


def test_a_sweep_leaves_uploads_of_other_programs_in_the_bucket_alone(
    endpoint: str, bundle: Bundle, tmp_path: Path
) -> None:
    bucket = new_bucket(endpoint)
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    for key in ("backups/huge", "files/other/huge", "files/m/20200101-000000-dead/weights.safetensors"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    registry = Registry(open_objects(f"s3://{bucket}", S3Access(endpoint, REGION)), tmp_path / "cache")
    # The server dates every unfinished upload 2010.
    registry.register(bundle(1), "m")
    left = [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]]
    assert sorted(left) == ["backups/huge", "files/other/huge"]


def test_an_alias_has_a_version_while_its_holder_is_replaced_and_deleted(
    local: Registry, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2, 3):
        local.register(bundle(seed), "m")
    local.promote("m", 1, "challenger")
    fresh = iter((2, 3))
    get, download = local.store.get, local.store.download

    def replace_first(key: str) -> Any:
        if key == "versions/m/00000001" and local.store.get is not get:
            monkeypatch.setattr(local.store, "get", get)
            local.promote("m", next(fresh), "challenger")
            local.delete("m", 1)
        return get(key)

    monkeypatch.setattr(local.store, "get", replace_first)
    assert local.describe("m@challenger").manifest.version == 2

    def replace_again(*given: Any) -> Any:
        monkeypatch.setattr(local.store, "download", download)
        local.promote("m", next(fresh), "challenger")
        local.delete("m", 2)
        return download(*given)

    monkeypatch.setattr(local.store, "download", replace_again)
    assert contents(local.resolve("m@challenger")) == contents(bundle(3))
    with pytest.raises(UnknownVersionError, match="was deleted"):
        local.resolve("m/2")


def test_a_version_that_is_deleted_while_it_is_fetched_is_unknown_and_not_damaged(
    local: Registry, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.register(bundle(1), "m")
    local.register(bundle(2), "m")
    download = local.store.download

    def late(*given: Any) -> Any:
        monkeypatch.setattr(local.store, "download", download)
        local.delete("m", 1)
        return download(*given)

    monkeypatch.setattr(local.store, "download", late)
    with pytest.raises(UnknownVersionError, match="was deleted"):
        local.resolve("m/1")
