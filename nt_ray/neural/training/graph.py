"""Steps captured in one CUDA graph: sampling, windows, forward, backward, clip and AdamW replay with one call.

Small networks spend their time in starting operations; a replay starts them all at once. Windows and learning rates of
many steps lie in tables that the graph walks through with a counter of its own; a replay needs nothing from the host.
Only a network whose operations are the same in every step can be captured (`capturable`).
"""

import torch
from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.training.optimiser import AdamW
from nt_ray.neural.training.step import Task

WARM_UP = 3
"""Steps before a capture, in which libraries choose their kernels and take their memory."""


def capturable(network: Forecaster) -> bool:
    """Say whether steps of this network can be captured.

    Dropout inside cuDNN's recurrent layers keeps a state that a replay does not renew. Others say so themselves.
    """
    recurrent = any(isinstance(m, nn.RNNBase) and m.dropout > 0 for m in network.modules())
    return network.capturable and not recurrent


class GraphStep:
    """Steps replayed from a graph; one worker, on a CUDA device."""

    def __init__(self, task: Task, optimiser: AdamW) -> None:
        self._task = task
        self._optimiser = optimiser
        self._sampler = task.sampler()
        device = task.device
        stretch = self._sampler.stretch
        self._places = self._sampler.ahead(0)
        self._rates = torch.zeros(stretch, device=device)
        self._losses = torch.zeros(stretch, device=device)
        self._counter = torch.zeros(1, dtype=torch.int64, device=device)
        self._first = -1
        self._next = -1
        self._unread: list[Tensor] = []
        self._read_to = 0
        with torch.cuda.device(device):
            self._graph = self._capture()

    def run(self, step: int) -> None:
        """Take a step."""
        first = step - step % self._sampler.stretch
        if first != self._first:
            self._fill(first)
        if step != self._next:
            self._counter.fill_(step - first)
            self._read_to = step - first
        with self._task.draws(step):
            self._graph.replay()
        self._next = step + 1

    def read(self) -> Tensor:
        """Losses of the steps since the last reading, float32 on the host, (steps,); waits for the device."""
        self._keep()
        losses = torch.cat(self._unread) if self._unread else torch.empty(0)
        self._unread = []
        return losses.cpu()

    def _keep(self) -> None:
        """Set losses of this stretch aside."""
        end = self._next - self._first
        if self._first >= 0 and end > self._read_to:
            self._unread.append(self._losses[self._read_to : end].clone())
            self._read_to = end

    def _fill(self, first: int) -> None:
        """Lay out the tables of the stretch that begins at a step."""
        self._keep()
        stretch = self._sampler.stretch
        self._places.copy_(self._sampler.ahead(first))
        rates = torch.tensor([self._task.rate(step) for step in range(first, first + stretch)])
        self._rates.copy_(rates, non_blocking=True)
        self._first = first
        self._next = -1

    def _work(self) -> None:
        """Run the operations of one step on the tables."""
        places = self._places.index_select(0, self._counter).view(-1)
        loss, _ = self._task.loss(places)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step(self._rates.index_select(0, self._counter).view(()))
        self._losses.index_copy_(0, self._counter, loss.detach().view(1))
        self._counter += 1

    def _capture(self) -> torch.cuda.CUDAGraph:
        kept = self._state()
        before = [tensor.detach().clone() for tensor in kept]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._optimiser.zero()
                self._counter.zero_()
                self._work()
        torch.cuda.current_stream().wait_stream(stream)
        # Gradients are made anew inside the graph, in memory of its own.
        self._optimiser.zero()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._work()
        with torch.no_grad():
            for tensor, value in zip(kept, before, strict=True):
                tensor.copy_(value)
        self._counter.zero_()
        return graph

    def _state(self) -> list[Tensor]:
        """Everything a step changes."""
        buffers = list(self._task.network.buffers())
        optimiser = self._optimiser
        return [*optimiser.parameters, *optimiser.averages, *optimiser.squares, *optimiser.steps, *buffers]
