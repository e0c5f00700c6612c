"""A training run as data: the network, what it sees, and how it is trained. Equal recipes on equal data train alike."""

from typing import Annotated, Literal

from annotated_types import Gt
from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, model_validator

from nt_ray.neural.models.base import Shape

HeadName = Literal["mse", "mae", "huber", "quantile", "student_t"]
Scaling = Literal["none", "standard", "robust", "last", "fold"]
Schedule = Literal["constant", "cosine", "halving", "one_cycle"]
Penalty = Annotated[float, AllowInfNan(False), Gt(0)]
Level = Annotated[float, Field(gt=0.0, lt=1.0)]


class Recipe(BaseModel):
    """Everything a training run depends on, but for the data and the device."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="Name of the network, as in `nt-ray models kinds`.")
    parameters: dict[str, float] = Field({}, description="Parameters of the network; those left out keep defaults.")
    lookback: int = Field(96, ge=1, description="Rows a window looks back.")
    horizon: int = Field(24, ge=1, description="Rows a window forecasts.")
    head: HeadName = Field("mse", description="What the outputs mean and which loss trains them.")
    levels: tuple[Level, ...] = Field(
        (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95), description="Levels of the quantile head, increasing."
    )
    scaling: Scaling = Field(
        "standard", description="Scale of the target: none, of each window's past, or of the training rows (fold)."
    )
    inputs: Literal["fold", "none"] = Field(
        "fold", description="Scale of the inputs: mean and deviation of each over the training rows, or none."
    )
    observed: float = Field(0.5, gt=0.0, le=1.0, description="Least share of a look-back that is not missing.")
    unfit: Literal["error", "skip"] = Field(
        "error", description="A series too short, constant or without values: refuse it, or train without it."
    )

    solver: Literal["steps", "ridge"] = Field(
        "steps", description="Steps along the gradient, or weights in closed form (rlinear with the head mse)."
    )
    penalties: tuple[Penalty, ...] = Field(
        (1.0,), min_length=1, description="Penalties of ridge; the one that validates best is kept."
    )
    batch: int = Field(256, ge=1, description="Windows of one step, over all workers together.")
    steps: int = Field(1000, ge=1, description="Steps of training.")
    lr: float = Field(1e-3, gt=0.0, description="Learning rate; the highest one where it changes.")
    schedule: Schedule = Field(
        "constant", description="Course of the learning rate; halving: by half after each pass over the windows."
    )
    warmup: int = Field(0, ge=0, description="First steps, in which the learning rate grows from zero.")
    weight_decay: float = Field(0.0, ge=0.0, description="Decoupled weight decay (AdamW).")
    clip: float = Field(1.0, ge=0.0, description="Largest norm of the gradient; 0 does not clip.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Arithmetic of the forward pass.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of weights, windows and dropout.")

    validation: float = Field(0.1, ge=0.0, le=0.5, description="Last share of the rows, kept for validation.")
    validate_every: int = Field(100, ge=0, description="Steps between validations; 0 never validates.")
    validation_windows: int = Field(16_384, ge=1, description="Most windows of one validation, evenly spread.")
    patience: int = Field(0, ge=0, description="Validations without a better one that end training; 0: none do.")
    purge: int = Field(0, ge=0, description="Rows left out between training and validation.")

    @model_validator(mode="after")
    def _levels_increase(self) -> "Recipe":
        if not self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels = {list(self.levels)} do not increase. Give each once, the smallest first.")
        if self.patience and not (self.validate_every and self.validation):
            raise ValueError("patience needs validation. Set validate_every and validation, or patience = 0.")
        if self.solver == "ridge" and len(self.penalties) > 1 and not (self.validate_every and self.validation):
            raise ValueError("several penalties need validation. Set validate_every and validation, or give one.")
        if self.warmup >= self.steps:
            raise ValueError(f"warmup = {self.warmup} takes all {self.steps} steps. Give fewer.")
        return self

    def shape(self, past: int, future: int, static: int, outputs: int) -> Shape:
        """Sizes of the network for this many inputs and outputs."""
        return Shape(self.lookback, self.horizon, past, future, static, outputs)
