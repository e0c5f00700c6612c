"""Precision of a model in service: what was asked for where its error stays within a bound, else 32 bits, and why.

The error is the mean absolute one on the reference windows of the bundle. Without these, or with windows the network
cannot be run on, nothing but 32 bits is admitted.
"""

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from nt_ray.neural.inference.onnx import OnnxRunner, export, quantise
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.serving.model import ServedModel
from nt_ray.neural.serving.reference import Reference, load_reference
from nt_ray.neural.serving.runner import Runner, TorchRunner
from nt_ray.neural.training.trained import Trained

Precision = Literal["fp32", "bf16", "int8"]
BOUND: Final = 0.01
"""Largest growth of the error, as a share of that with 32 bits."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a precision is admitted, the growth of the error where it was measured, and why in words."""

    wanted: Precision
    admitted: bool
    growth: float | None
    reason: str


def admit(
    trained: Trained, folder: Path, name: str, version: int, precision: Precision, bound: float = BOUND
) -> tuple[ServedModel, Verdict]:
    """Make a model in the precision that is wanted, or in 32 bits where that is not admitted."""
    plain = ServedModel(trained, name, version)
    if precision == "fp32":
        return plain, Verdict(precision, True, 0.0, "32 bits are always admitted")
    try:
        reference = _reference(folder, trained)
        runner = _RUNNERS[precision](trained)
        other = ServedModel(trained, name, version, runner=runner, precision=precision)
        verdict = judge(plain, other, reference, precision, bound)
    except NeuralError as error:
        verdict = Verdict(precision, False, None, str(error))
    if verdict.admitted:
        _log.info("%s/%d is served with %s: %s.", name, version, precision, verdict.reason)
        return other, verdict
    _log.warning("%s/%d is served with fp32, not %s: %s", name, version, precision, verdict.reason)
    return plain, verdict


def judge(plain: ServedModel, other: ServedModel, reference: Reference, precision: Precision, bound: float) -> Verdict:
    """Compare the errors of both on the reference windows."""
    before = reference.error(plain.forecast(reference.windows).mean)
    after = reference.error(other.forecast(reference.windows).mean)
    growth = (after - before) / before if before > 0 else (0.0 if after == 0 else float("inf"))
    share = f"its error grows by {growth:+.3%} on {len(reference.windows)} reference windows"
    if growth <= bound:
        return Verdict(precision, True, growth, f"{share}, at most {bound:.3%} is allowed")
    return Verdict(precision, False, growth, f"{share}, and at most {bound:.3%} is allowed.")


def _reference(folder: Path, trained: Trained) -> Reference:
    found = load_reference(folder, trained)
    if found is None:
        raise NeuralError("The bundle holds no reference windows to measure it on. Save some with the bundle.")
    return found


def _bf16(trained: Trained) -> Runner:
    return TorchRunner(trained.network, bf16=True)


def _int8(trained: Trained) -> Runner:
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "network.onnx", Path(folder) / "network.int8.onnx"
        export(trained.network, whole)
        quantise(whole, small)
        return OnnxRunner(small)


_RUNNERS: Final[dict[str, Callable[[Trained], Runner]]] = {"bf16": _bf16, "int8": _int8}
