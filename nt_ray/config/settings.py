"""The settings tree: one frozen object that says everything a run can be told.

Building it reads neither the environment nor a file; `nt_ray.config.load_settings` does, when it is called.
"""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nt_ray.config.access import Access
from nt_ray.config.gateway import Gateway
from nt_ray.config.observability import Observability
from nt_ray.config.sections import AccountSettings, Data, Neural, Portfolio, Ray, Risk, Strategies, Swarm
from nt_ray.config.toml_text import toml_text
from nt_ray.config.values import Folder, Whole
from nt_ray.config.venues import Brokers


class Settings(BaseSettings):
    """All settings of a run."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="NT_", env_nested_delimiter="__", validate_default=True
    )

    seed: Whole = Field(7, ge=0, le=2**32 - 1, description="Seed of everything that is random.")
    runs: Folder = Field(Path("runs"), description="Folder in which each run gets a folder of its own.")
    state: Folder = Field(Path("state"), description="Folder of the journals of accounts at real venues.")
    live: bool = Field(False, description="Allow orders with real money; each command needs --live as well.")
    data: Data = Field(default_factory=Data)
    swarm: Swarm = Field(default_factory=Swarm)
    strategies: Strategies = Field(default_factory=Strategies)
    portfolio: Portfolio = Field(default_factory=Portfolio)
    risk: Risk = Field(default_factory=Risk)
    account: AccountSettings = Field(default_factory=AccountSettings)
    brokers: Brokers = Field(default_factory=Brokers)
    neural: Neural = Field(default_factory=Neural)
    ray: Ray = Field(default_factory=Ray)
    access: Access = Field(default_factory=Access)
    gateway: Gateway = Field(default_factory=Gateway)
    observability: Observability = Field(default_factory=Observability)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor alone, so that no object depends on where it is built."""
        return (init_settings,)

    def resolved(self) -> dict[str, Any]:
        """Every setting in effect as JSON values; amounts are exact text, secrets are masked."""
        return self.model_dump(mode="json")


def to_toml(settings: Settings) -> str:
    """Write every setting in effect as TOML that loads to equal settings; what is unset is left out."""
    return toml_text(settings.model_dump(mode="python"))
