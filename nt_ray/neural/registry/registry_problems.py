"""Errors of the model registry; each writes its own sentence and names what is near."""

from collections.abc import Iterable
from difflib import get_close_matches

from nt_ray.neural.problems import NeuralError


class ModelReferenceError(NeuralError):
    """A name, alias or reference that no model can have."""

    code = "model_reference"


class UnknownModelError(NeuralError):
    """No model of that name is registered."""

    code = "unknown_model"
    status = 404

    def __init__(self, name: str, known: Iterable[str], place: str) -> None:
        near = near_text(name, known) or "Register it first, or list what is there."
        super().__init__(f"There is no model {name} in the registry {place}. {near}")


class UnknownVersionError(NeuralError):
    """The model has no such version."""

    code = "unknown_version"
    status = 404

    def __init__(self, name: str, version: int, known: Iterable[int], *, deleted: bool) -> None:
        there = ", ".join(str(n) for n in known) or "none"
        fate = "was deleted" if deleted else "does not exist"
        super().__init__(f"Version {version} of model {name} {fate}. Its versions: {there}.")


class UnknownAliasError(NeuralError):
    """The model has no such alias."""

    code = "unknown_alias"
    status = 404

    def __init__(self, name: str, alias: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = near_text(alias, known) or (
            f"Its aliases: {', '.join(known)}." if known else "It has none yet; promote a version to it."
        )
        super().__init__(f"Model {name} has no alias {alias}. {near}")


class CorruptModelError(NeuralError):
    """Files of a model that are damaged, cut off or not what was registered."""

    code = "corrupt_model"


class RefusedPromotionError(NeuralError):
    """Evidence that does not carry a promotion."""

    code = "promotion_refused"
    status = 409

    def __init__(self, name: str, version: int, alias: str, reasons: Iterable[str]) -> None:
        super().__init__(
            f"Version {version} of model {name} does not become {alias}: {'; '.join(reasons)}. "
            "Score it on data that neither model has seen, beside both."
        )


class AliasesChangedError(NeuralError):
    """Aliases that are held by other versions than a writer has seen."""

    code = "changed"
    status = 412

    def __init__(self, name: str) -> None:
        super().__init__(f"The aliases of model {name} have changed since they were seen. Look again, then decide.")


class VersionInUseError(NeuralError):
    """A version that aliases point to."""

    code = "version_in_use"
    status = 409

    def __init__(self, name: str, version: int, aliases: Iterable[str]) -> None:
        super().__init__(
            f"Version {version} of model {name} is its {', '.join(sorted(aliases))}. "
            "Point the alias elsewhere or remove it, then delete."
        )


def near_text(name: str, known: Iterable[str]) -> str:
    """Ask whether a known name was meant; empty where none is near."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""
