"""Settings of a generative adversarial network for return paths."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nt_ray.neural.problems import NeuralError


class GanSettings(BaseModel):
    """Sizes of the networks and of their training; the defaults train in minutes on one core."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(16, ge=1, le=1024, description="Channels of the generator's convolutions.")
    layers: int = Field(9, ge=1, le=14, description="Its dilated convolutions; it sees 2^layers steps of noise.")
    channels: int = Field(3, ge=1, le=64, description="Noise channels, the innovation included.")
    critic_width: int = Field(8, ge=1, le=1024, description="Channels of the critic's first convolution.")
    critic_layers: int = Field(5, ge=1, le=12, description="The critic's convolutions of stride two.")
    kurtosis: float = Field(
        10.0,
        ge=3,
        description="Kurtosis left to the generator; tails above it are taken off and put back. The paper: 3.",
    )
    window: int = Field(256, ge=2, description="Steps of a window that the critic judges.")
    windows: int = Field(64, ge=1, description="Windows of each kind in a step.")
    paths: int = Field(12, ge=2, description="Generated paths in a step, each as long as the history.")
    lags: int = Field(250, ge=1, description="Lags of the dependence penalty.")
    steps: int = Field(300, ge=1, description="Training steps.")
    learning_rate: float = Field(2e-3, gt=0, description="First learning rate of both networks; it falls as a cosine.")
    dependence: float = Field(300.0, ge=0, description="Weight of the dependence penalty.")
    quantile: float = Field(3.0, ge=0, description="Weight of the quantile penalty.")
    adversarial: float = Field(1.0, ge=0, description="Weight of the critic's opinion in the generator's loss.")
    gradient: float = Field(10.0, ge=0, description="Weight of the critic's gradient penalties.")
    gradient_every: int = Field(
        4, ge=1, description="Steps between gradient penalties, which then count that much more."
    )
    average: float = Field(0.99, ge=0, lt=1, description="Memory of the moving average of the generator's weights.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of weights, noise and windows.")

    @model_validator(mode="after")
    def _fits(self) -> "GanSettings":
        if self.window < 2**self.critic_layers:
            raise NeuralError(
                f"A window of {self.window} steps cannot be halved {self.critic_layers} times. "
                f"Use window={2**self.critic_layers} or more, or fewer critic_layers."
            )
        return self

    @property
    def shortest(self) -> int:
        """Fewest returns that it can be trained on."""
        return max(self.window, self.lags + 1, 2) + 1
