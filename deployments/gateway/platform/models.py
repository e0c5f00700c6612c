"""`/models`: trained models by name, version and alias, and what they say about the bars after the last."""

import asyncio
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import plain
from deployments.gateway.platform.replies import Body, IdempotencyKey, done_once, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import Settings
from nt_ray.errors import MarketDataError
from nt_ray.trader.data import load_bars
from nt_ray.trader.jobs.spec import Symbol

ModelName: TypeAlias = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", examples=["drinks"])]
Version: TypeAlias = Annotated[int, Path(ge=1, lt=10**8)]
AliasName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


class ModelView(Body):
    """A model: its versions and who holds which alias."""

    name: str
    versions: list[int]
    aliases: dict[str, int]


class ModelList(Body):
    """Models of the registry."""

    models: list[ModelView]


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
    async def listed(request: Request, _: Annotated[Principal, needs(Scope.MODELS_READ)]) -> Response:
        return replied(request, await asyncio.to_thread(_list, settings))

    @routes.get("/{name}", response_model=ModelView, responses=problems(404), summary="Show a model")
    async def show(request: Request, _: Annotated[Principal, needs(Scope.MODELS_READ)], name: ModelName) -> Response:
        return replied(request, await asyncio.to_thread(_show, settings, name))

    @routes.get(
        "/{name}/versions/{version}", response_model=VersionView, responses=problems(404), summary="Show a version"
    )
    async def version(
        request: Request, _: Annotated[Principal, needs(Scope.MODELS_READ)], name: ModelName, version: Version
    ) -> Response:
        return replied(request, await asyncio.to_thread(_version, settings, f"{name}/{version}"))

    @routes.get("/{name}/changes", response_model=ChangeList, responses=problems(404), summary="Who held which alias")
    async def changes(
        request: Request,
        _: Annotated[Principal, needs(Scope.MODELS_READ)],
        name: ModelName,
        after: Annotated[int, Query(ge=0, lt=2**63, description="Only changes after this number.")] = 0,
    ) -> Response:
        return replied(request, await asyncio.to_thread(_changes, settings, name, after))

    @routes.post("/{name}/forecasts", response_model=ForecastView, responses=problems(404, 409), summary="Forecast")
    async def forecast(
        request: Request,
        principal: Annotated[Principal, needs(Scope.MODELS_READ)],
        name: ModelName,
        body: Asked,
        key: IdempotencyKey = None,
    ) -> Response:
        async def work() -> ForecastView:
            return await asyncio.to_thread(_forecast, settings, name, body)

        return await done_once(platform.jobs, request, principal, key, work)

    return routes


def _registry(settings: Settings) -> Any:
    # PyTorch is not loaded before somebody asks for models.
    from nt_ray.neural.registry.registry import open_registry

    return open_registry(settings.neural, "gateway")


def _list(settings: Settings) -> ModelList:
    return ModelList(models=[_model(summary) for summary in _registry(settings).list()])


def _show(settings: Settings, name: str) -> ModelView:
    return _model(_registry(settings).model(name))


def _model(summary: Any) -> ModelView:
    return ModelView(name=summary.name, versions=list(summary.versions), aliases=dict(summary.aliases))


def _version(settings: Settings, text: str) -> VersionView:
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


def _changes(settings: Settings, name: str, after: int) -> ChangeList:
    registry = _registry(settings)
    registry.model(name)
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
        for event in registry.history(name, after=after)
    ]
    return ChangeList(name=name, changes=rows)


def _forecast(settings: Settings, name: str, asked: Asked) -> ForecastView:
    from nt_ray.neural.inference.ahead import forecast_ahead
    from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
    from nt_ray.neural.training.choice import FIELDS, panel_of

    wanted = f"{name}@{asked.alias}" if asked.version is None else f"{name}/{asked.version}"
    folder = _registry(settings).resolve(wanted)
    target = describe_bundle(folder).lineage.config.get("target", settings.neural.training.target)
    if target not in FIELDS:
        raise MarketDataError(f"{wanted} forecasts {target}, which bars do not have. Use the inference service.")
    data = settings.data.model_copy(update={"symbols": tuple(asked.symbols)} if asked.symbols else {})
    panel = panel_of(load_bars(data), settings.neural.training.model_copy(update={"target": target}))
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
