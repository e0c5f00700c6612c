"""Training steps of neuralforecast, of the product's loop on the very same networks, and on its own, in one process.

Prints CPU milliseconds of every step as JSON. Both loops train an instance of the peer's own class with squared error,
Adam, each window scaled by its mean and deviation, and as many windows a step; validation, logs and checkpoints are
off. A step of the peer is what lies between two ends of a batch, so its loader belongs to it, and the wrapping of the
product's step in `nt_ray.neural.training.training.Training.advance` belongs to that. The floor is what no loop can do
without: forward, backward and Adam on one batch that lies ready. The product's own network is of the same sizes and
goes through the same loop. They take turns.

PYTHONPATH=. .venv-peers/neuralforecast/bin/python benchmarks/peers/neuralforecast_steps.py TASK_AS_JSON
"""

import json
import logging
import sys
import time
import warnings
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MSE
from neuralforecast.models import LSTM, NHITS, DLinear, PatchTST
from pytorch_lightning import Callback

from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import Training

LOOKBACK, HORIZON, SERIES_A_STEP, RATE = 96, 24, 32, 1e-3
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DLinear": (DLinear, {}),
    "NHITS": (NHITS, {}),
    "LSTM": (LSTM, {"encoder_n_layers": 2, "encoder_hidden_size": 128, "encoder_dropout": 0.0}),
    "PatchTST": (PatchTST, {}),
}
OWN_NETWORKS: dict[str, tuple[str, dict[str, float]]] = {
    "DLinear": ("dlinear", {}),
    "NHITS": ("nhits", {"layers": 4}),
    "LSTM": ("lstm", {"layers": 2, "shrink": 1.0, "dropout": 0.0}),
    "PatchTST": ("transformer", {}),
}
"""The product's own networks of the same kind and sizes."""


class Borrowed(Forecaster):
    """A network of the peer behind the product's interface."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__(Shape(LOOKBACK, HORIZON))
        self.network = network

    def forward(self, batch: Batch) -> torch.Tensor:
        """Outputs (B, H, 1)."""
        given = {"insample_y": batch.target[..., None], "insample_mask": batch.mask[..., None]}
        return self.network(given | dict.fromkeys(("futr_exog", "hist_exog", "stat_exog")))


class Clock(Callback):
    """CPU time at the end of every batch; of all clocks together, because the peer trains a copy of its network."""

    at: ClassVar[list[float]] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Note it."""
        self.at.append(time.process_time())


def network_of(name: str, windows: int, steps: int) -> Any:
    """Make a network of the peer."""
    kind, sizes = NETWORKS[name]
    return kind(
        h=HORIZON,
        input_size=LOOKBACK,
        loss=MSE(),
        max_steps=steps,
        learning_rate=RATE,
        scaler_type="standard",
        batch_size=SERIES_A_STEP,
        windows_batch_size=windows,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
        accelerator="cpu",
        devices=1,
        callbacks=[Clock()],
        **sizes,
    )


def values_of(series: int, rows: int) -> np.ndarray:
    """Random walks with a season, (S, T)."""
    draws = np.random.default_rng(0).normal(size=(series, rows))
    return draws.cumsum(axis=1) * 0.1 + np.sin(np.arange(rows) * 2 * np.pi / 24)


def peer_steps(name: str, values: np.ndarray, windows: int, steps: int) -> list[float]:
    """CPU milliseconds of steps of the peer's own training."""
    series, rows = values.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{i:05d}" for i in range(series)], rows),
            "ds": np.tile(pd.date_range("2000-01-01", periods=rows, freq="h"), series),
            "y": values.reshape(-1),
        }
    )
    Clock.at.clear()
    NeuralForecast([network_of(name, windows, steps)], freq="h").fit(frame)
    return (np.diff(Clock.at) * 1e3).tolist()


class Own:
    """The product's training of the peer's network, or of its own, a few steps at a time."""

    def __init__(self, name: str, values: np.ndarray, windows: int, steps: int, *, borrows: bool = True) -> None:
        times = np.datetime64("2000-01-01", "us") + np.arange(values.shape[1]) * np.timedelta64(1, "h")
        panel = SeriesPanel(tuple(f"s{i:05d}" for i in range(len(values))), times, values)
        model, parameters = OWN_NETWORKS[name]
        recipe = Recipe(
            model=model,
            parameters=parameters,
            lookback=LOOKBACK,
            horizon=HORIZON,
            batch=windows,
            steps=steps,
            lr=RATE,
            clip=0.0,
            validation=0.0,
            validate_every=0,
        )
        network = Borrowed(network_of(name, windows, steps)) if borrows else None
        self._run = Training(panel, recipe, network=network)

    def steps(self, count: int) -> list[float]:
        """CPU milliseconds of the next steps."""
        taken = []
        for _ in range(count):
            began = time.process_time()
            self._run.advance()
            taken.append((time.process_time() - began) * 1e3)
        return taken


class Floor:
    """Forward, backward and Adam of the peer's network on one batch of scaled windows."""

    def __init__(self, name: str, windows: int, steps: int) -> None:
        self._network = Borrowed(network_of(name, windows, steps)).train()
        self._optimiser = torch.optim.Adam(self._network.parameters(), lr=RATE)
        empty = torch.zeros((windows, LOOKBACK, 0)), torch.zeros((windows, LOOKBACK + HORIZON, 0))
        inputs = torch.randn(windows, LOOKBACK), torch.ones(windows, LOOKBACK)
        self._batch = Batch(*inputs, *empty, torch.zeros((windows, 0)))
        self._target = torch.randn(windows, HORIZON, 1)

    def steps(self, count: int) -> list[float]:
        """CPU milliseconds of the next steps."""
        taken = []
        for _ in range(count):
            began = time.process_time()
            self._optimiser.zero_grad()
            torch.nn.functional.mse_loss(self._network(self._batch), self._target).backward()
            self._optimiser.step()
            taken.append((time.process_time() - began) * 1e3)
        return taken


def measure(task: dict[str, Any]) -> dict[str, list[list[float]]]:
    """CPU milliseconds of every step, by turn; without `peer`, of the product's loop alone."""
    name, windows, steps, turns = task["network"], task["windows"], task["steps"], task["turns"]
    panels = {rows: values_of(task["series"], rows) for rows in task["rows"]}
    own = {rows: Own(name, values, windows, steps * turns) for rows, values in panels.items()}
    floor = Floor(name, windows, steps * turns) if task["peer"] else None
    network = {rows: Own(name, v, windows, steps * turns, borrows=False) for rows, v in panels.items() if task["peer"]}
    found: dict[str, list[list[float]]] = {}
    for _ in range(turns):
        for rows, values in panels.items():
            if floor is not None:
                found.setdefault(f"peer {rows}", []).append(peer_steps(name, values, windows, steps + 1))
                found.setdefault("floor", []).append(floor.steps(steps))
                found.setdefault(f"network {rows}", []).append(network[rows].steps(steps))
            found.setdefault(f"own {rows}", []).append(own[rows].steps(steps))
    return found


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for library in ("pytorch_lightning", "lightning_fabric", "neuralforecast"):
        logging.getLogger(library).setLevel(logging.ERROR)
    torch.set_num_threads(1)
    print(json.dumps(measure(json.loads(sys.argv[1]))))
