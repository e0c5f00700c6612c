"""`/models`: trained models by name, version and alias, and what they say about the bars after the last.

Aliases are given and taken away here, as the registry's gate allows it: one that is guarded is given on evidence, which
no caller brings. With If-Match only while the model is as its caller has seen it, in one step with the change.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Header, Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import plain
from deployments.gateway.platform.paging import Cursor, Limit, Next, cursor_of, name_at, number_at
from deployments.gateway.platform.replies import Body, answered, changed, check_match, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import Settings
from nt_ray.errors import MarketDataError
from nt_ray.trader.data import load_bars
from nt_ray.trader.jobs.spec import Symbol

ModelName: TypeAlias = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", examples=["drinks"])]
Version: TypeAlias = Annotated[int, Path(ge=1, lt=10**8)]
AliasName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
AliasPath: TypeAlias = Annotated[AliasName, Path(examples=["challenger"])]
Reason: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Match: TypeAlias = Annotated[
    str | None,
    Header(alias="If-Match", max_length=400, description="ETag of the model as it was seen; 412 if it is another."),
]


class ModelView(Body):
    """A model: its versions and who holds which alias."""

    name: str
    versions: list[int]
    aliases: dict[str, int]


class ModelList(Body):
    """Models of the registry, by name."""

    models: list[ModelView]
    next: Next = None


class Holding(Body):
    """Which version is to hold an alias, and why."""

    version: int = Field(ge=1, lt=10**8)
    reason: Reason = Field(examples=["half the error on last month"])


class VersionView(Body):
    """One version of a model, which never changes."""

    name: str
    version: int
    aliases: list[str]
    created: str
    by: str
    digest: str
    bytes: int
    trained_until: str | None
    tags: dict[str, str]
    signature: dict[str, Any]
    lineage: dict[str, Any]


class ChangeView(Body):
    """One change of an alias."""

    seq: int
    time: str
    by: str
    action: str
    version: int
    alias: str | None
    reason: str


class ChangeList(Body):
    """Changes of a model's aliases, newest first."""

    name: str
    changes: list[ChangeView]
    next: Next


class Asked(Body):
    """Which version is to forecast which series."""

    version: int | None = Field(None, ge=1, lt=10**8, description="A version; else the holder of `alias`.")
    alias: AliasName = Field("champion", description="Alias whose holder forecasts.")
    symbols: list[Symbol] = Field([], max_length=100, description="Symbols; empty: those of the settings.")
    intervals: list[Annotated[float, Field(gt=0, lt=1)]] = Field([0.8, 0.9], max_length=5)
    history: int = Field(300, ge=0, le=2000, description="Earlier forecasts that intervals are learned from.")


class Interval(Body):
    """Where the truth is expected with this probability; null where too few errors are known."""

    share: float
    low: list[float | None]
    high: list[float | None]


class Series(Body):
    """The forecast of one series, a value for each bar ahead."""

    symbol: str
    mean: list[float | None]
    intervals: list[Interval]


class ForecastView(Body):
    """Forecasts for the bars after the last."""

    model: str
    target: Literal["close", "log_close", "returns"]
    after: str
    history: int
    series: list[Series]


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/models", tags=["models"])
    settings = platform.settings

    @routes.get("", response_model=ModelList, responses=problems(), summary="List models")
    async def listed(
        _: Annotated[Principal, needs(Scope.MODELS_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        return replied(await asyncio.to_thread(models_of, settings, name_at("models", cursor) or "", limit))

    @routes.get("/{name}", response_model=ModelView, responses=problems(404), summary="Show a model")
    async def show(_: Annotated[Principal, needs(Scope.MODELS_READ)], name: ModelName) -> Response:
        return replied(await asyncio.to_thread(model_of, settings, name))

    @routes.get(
        "/{name}/versions/{version}", response_model=VersionView, responses=problems(404), summary="Show a version"
    )
    async def version(_: Annotated[Principal, needs(Scope.MODELS_READ)], name: ModelName, version: Version) -> Response:
        return replied(await asyncio.to_thread(version_of, settings, f"{name}/{version}"))

    @routes.get("/{name}/changes", response_model=ChangeList, responses=problems(404), summary="Who held which alias")
    async def changes(
        _: Annotated[Principal, needs(Scope.MODELS_READ)],
        name: ModelName,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        return replied(await asyncio.to_thread(_changes, settings, name, number_at("changes", cursor), limit))

    @routes.put(
        "/{name}/aliases/{alias}", response_model=ModelView, responses=problems(404, 409, 412), summary="Give an alias"
    )
    async def give(
        principal: Annotated[Principal, needs(Scope.MODELS_WRITE)],
        name: ModelName,
        alias: AliasPath,
        body: Holding,
        match: Match = None,
    ) -> Response:
        def act(registry: Any, held: Mapping[str, int] | None) -> None:
            registry.promote(name, body.version, alias, reason=body.reason, held=held)

        return changed(await asyncio.to_thread(_change, settings, principal.id, name, match, act))

    @routes.delete(
        "/{name}/aliases/{alias}", response_model=ModelView, responses=problems(404, 412), summary="Take an alias away"
    )
    async def take(
        principal: Annotated[Principal, needs(Scope.MODELS_WRITE)],
        name: ModelName,
        alias: AliasPath,
        reason: Annotated[Reason, Query()],
        match: Match = None,
    ) -> Response:
        def act(registry: Any, held: Mapping[str, int] | None) -> None:
            registry.remove(name, alias, reason=reason, held=held)

        return changed(await asyncio.to_thread(_change, settings, principal.id, name, match, act))

    @routes.post("/{name}/forecasts", response_model=ForecastView, responses=problems(404, 409), summary="Forecast")
    async def forecast(_: Annotated[Principal, needs(Scope.MODELS_READ)], name: ModelName, body: Asked) -> Response:
        return answered(await asyncio.to_thread(forecast_of, settings, name, body))

    return routes


def _registry(settings: Settings, who: str = "gateway") -> Any:
    # PyTorch is not loaded before somebody asks for models.
    from nt_ray.neural.registry.registry import open_registry

    return open_registry(settings.neural, who)


def models_of(settings: Settings, after: str = "", limit: int | None = None) -> ModelList:
    """List the models of the registry behind a name, at most so many."""
    found = [_model(summary) for summary in _registry(settings).list(after, None if limit is None else limit + 1)]
    if limit is None or len(found) <= limit:
        return ModelList(models=found)
    return ModelList(models=found[:limit], next=cursor_of("models", found[limit - 1].name))


def _change(
    settings: Settings, who: str, name: str, match: str | None, act: Callable[[Any, Mapping[str, int] | None], None]
) -> ModelView:
    """Change aliases; where If-Match names the model as it is, only while nobody else has changed them since."""
    registry = _registry(settings, who)
    before = registry.model(name)
    check_match(match, _model(before), f"Model {name}")
    act(registry, None if match in (None, "*") else before.aliases)
    return _model(registry.model(name))


def model_of(settings: Settings, name: str) -> ModelView:
    """Show a model."""
    return _model(_registry(settings).model(name))


def _model(summary: Any) -> ModelView:
    return ModelView(name=summary.name, versions=list(summary.versions), aliases=dict(summary.aliases))


def version_of(settings: Settings, text: str) -> VersionView:
    """Show a version by NAME/N."""
    found = _registry(settings).describe(text)
    manifest = found.manifest
    until = manifest.trained_until
    return VersionView(
        name=manifest.name,
        version=manifest.version,
        aliases=list(found.aliases),
        created=manifest.created.isoformat(),
        by=manifest.by,
        digest=manifest.digest,
        bytes=manifest.size,
        trained_until=None if until is None else until.isoformat(),
        tags=dict(manifest.tags),
        signature=plain(manifest.signature),
        lineage=plain(manifest.lineage),
    )


def _changes(settings: Settings, name: str, before: int | None, limit: int) -> ChangeList:
    registry = _registry(settings)
    registry.model(name)
    found = registry.history(name, before=before, most=limit + 1)
    rows = [
        ChangeView(
            seq=event.seq,
            time=event.time.isoformat(),
            by=event.by,
            action=event.action,
            version=event.version,
            alias=event.alias,
            reason=event.reason,
        )
        for event in found[:limit]
    ]
    more = cursor_of("changes", rows[-1].seq) if len(found) > limit else None
    return ChangeList(name=name, changes=rows, next=more)


def forecast_of(settings: Settings, name: str, asked: Asked) -> ForecastView:
    """Forecast the bars after the last of the settings' data, with intervals learned from recent errors."""
    from nt_ray.neural.inference.ahead import forecast_ahead
    from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
    from nt_ray.neural.training.choice import FIELDS, panel_for

    wanted = f"{name}@{asked.alias}" if asked.version is None else f"{name}/{asked.version}"
    folder = _registry(settings).resolve(wanted)
    described = describe_bundle(folder)
    target = described.lineage.config.get("target", settings.neural.training.target)
    if target not in FIELDS:
        raise MarketDataError(f"{wanted} forecasts {target}, which bars do not have. Use the inference service.")
    data = settings.data.model_copy(update={"symbols": tuple(asked.symbols)} if asked.symbols else {})
    panel = panel_for(load_bars(data), target, described.signature)
    shares = tuple(sorted(set(asked.intervals)))
    found = forecast_ahead(load_bundle(folder), panel, shares, asked.history)
    series = [
        Series(
            symbol=symbol,
            mean=plain(found.mean[s].tolist()),
            intervals=[
                Interval(share=share, low=plain(found.low[s, :, c].tolist()), high=plain(found.high[s, :, c].tolist()))
                for c, share in enumerate(found.shares)
            ],
        )
        for s, symbol in enumerate(panel.names)
    ]
    after = str(panel.times[-1].astype("datetime64[s]"))
    return ForecastView(model=wanted, target=target, after=after, history=found.history, series=series)
