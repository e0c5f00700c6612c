"""What a replica does with a request, from its bytes to those of the answer; it knows nothing of HTTP but these."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from deployments.inference.batcher import Batcher
from deployments.inference.metrics import Metrics
from nt_ray.config.sections import Neural
from nt_ray.neural.inference.quantiles import Intervals
from nt_ray.neural.registry.registry import open_registry
from nt_ray.neural.serving import metadata, series, tensors
from nt_ray.neural.serving.model import Answer, ServedModel
from nt_ray.neural.serving.shelf import Shelf, Terms
from nt_ray.neural.serving.windows import WindowSet

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"
ARROW: Final = "application/vnd.apache.arrow.stream"
HEADER: Final = "Inference-Header-Content-Length"
LONG: Final = 1 << 18
"""Bytes of a body that is read in a thread, so that short requests do not wait for it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The model that answered, with body, media type and headers."""

    model: str
    body: bytes
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """Models, batches and counts of one replica."""

    def __init__(self, settings: Neural) -> None:
        terms = settings.inference
        torch.set_num_threads(1)
        self.metrics = Metrics()
        self.shelf = Shelf(open_registry(settings), _terms(settings), self.metrics.load)
        self._batcher = Batcher(terms.threads, self.metrics.forward)
        self._inside = 0
        self._largest = terms.largest_request_mb << 20
        for model in terms.preload:
            self.shelf.get(model)
        self._stop = threading.Event()
        self._follower = threading.Thread(target=self._follow, args=(terms.poll_s,), daemon=True, name="aliases")
        self._follower.start()

    def close(self) -> None:
        """Let go of the threads."""
        self._stop.set()
        self._batcher.close()

    @property
    def alive(self) -> bool:
        """Whether aliases are still followed."""
        return self._follower.is_alive()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Know of a request, from its first byte to its answer."""
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def infer(self, name: str, version: str, body: bytes, header: str | None) -> Reply:
        """Answer a request of the Open Inference Protocol."""
        question = tensors.decode(body, header) if len(body) < LONG else await _aside(tensors.decode, body, header)
        model = await self.model(name, version)
        windows, levels, intervals = metadata.asked(question, model)
        answer = await self._answer(model, windows, levels, intervals)
        outputs = metadata.answered(question, answer)
        encoded, length = tensors.encode(model.name, str(model.version), question, outputs)
        if length is None:
            return Reply(model.name, encoded)
        return Reply(model.name, encoded, BINARY, {HEADER: str(length)})

    async def forecast(self, body: bytes, media: str, parameters: Mapping[str, str]) -> Reply:
        """Forecast series, in JSON or Arrow's IPC format."""
        arrow = "arrow" in media
        if arrow:
            question = await _aside(series.from_arrow, body, parameters, self._largest)
        else:
            question = series.from_json_text(body) if len(body) < LONG else await _aside(series.from_json_text, body)
        model = await self.model(question.model, question.version)
        windows = question.windows(model)
        answer = await self._answer(model, windows, question.levels, question.intervals)
        if arrow:
            return Reply(model.name, series.to_arrow(question, answer), ARROW)
        return Reply(model.name, series.to_json_text(question, model, answer))

    async def describe(self, name: str, version: str) -> dict[str, Any]:
        """Describe a model."""
        model = await self.model(name, version)
        versions = (await asyncio.to_thread(self.shelf.registry.model, model.name)).versions
        return metadata.metadata(model, versions)

    async def index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """Every version of every model, and whether it is in memory; with `ready` those that are, alone."""
        held = set(self.shelf.loaded())
        return [
            {"name": model.name, "version": str(n), "state": "READY" if (model.name, n) in held else "UNAVAILABLE"}
            for model in await asyncio.to_thread(self.shelf.registry.list)
            for n in model.versions
            if not ready or (model.name, n) in held
        ]

    async def model(self, name: str, version: str = "") -> ServedModel:
        """Find a model; one that is not in memory is loaded beside the loop."""
        found = self.shelf.peek(name, version)
        return await asyncio.to_thread(self.shelf.get, name, version) if found is None else found

    async def _answer(
        self, model: ServedModel, windows: WindowSet, levels: tuple[float, ...], intervals: Intervals
    ) -> Answer:
        model.check(windows, levels)
        return await self._batcher.submit(model, windows, levels, intervals, alone=self._inside <= 1)

    def _follow(self, poll_s: float) -> None:
        while not self._stop.wait(poll_s):
            for swap in self.shelf.refresh():
                self.metrics.swap(swap)
            self.metrics.cache(self.shelf.state())


def _terms(settings: Neural) -> Terms:
    asked = settings.inference
    return Terms(
        alias=asked.alias,
        precision=asked.precision,
        bound=asked.bound,
        cache_bytes=asked.cache_mb << 20,
        largest_batch=asked.largest_batch,
        slowest_s=asked.slowest_ms / 1e3,
        device="cuda" if asked.gpus else "cpu",
    )


async def _aside(work: Any, *arguments: Any) -> Any:
    return await asyncio.to_thread(work, *arguments)
