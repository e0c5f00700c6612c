"""Search for parameters on Ray Tune: random, TPE (Optuna), ASHA over growing history, PBT from window to window.

A trial is one candidate; a worker process serves many of them, one after the other, and reads the panel from the
object store. Every finished evaluation is logged, and a candidate that was evaluated before is looked up instead of
computed, so a search that broke goes on where it stood. Candidates follow from the seed. Random, TPE and PBT give the
same rows for any number of workers; ASHA decides by what is known when a worker is free, so there only the candidates
and their metrics are the same, and which are given up early may differ.
"""

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search import ConcurrencyLimiter

from actors.cluster import require_gpus
from jobs.tune_trial import RUNGS, Candidate, Stretch, Work
from nt_ray.backtest.search.objective import Objective, SearchError
from nt_ray.backtest.search.result import Evaluation, EvaluationLog
from nt_ray.backtest.search.space import Choice, Domain, SearchSpace, Values
from nt_ray.errors import ServiceError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Algorithm = Literal["random", "optuna", "asha", "pbt"]
ALGORITHMS: Final = ("random", "optuna", "asha", "pbt")

GENERATION: Final = 8
"""Candidates that TPE proposes before it learns from them; fixed, so that results do not depend on the machine."""

STARTUP: Final = 10
"""Candidates that TPE draws evenly before it proposes."""

OnEvaluation = Callable[[Evaluation], None]


class Space(Protocol):
    """What a search walks."""

    @property
    def domains(self) -> Mapping[str, Domain]:
        """Range or list of each parameter."""
        ...

    def sample(self, seed: int, number: int) -> Values:
        """Candidate of this number."""
        ...

    def nearest(self, values: Mapping[str, float]) -> Values:
        """Candidate of the space nearest to these values."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What to search with. `windows` is the number of stretches between which PBT changes its population."""

    algorithm: Algorithm
    trials: int
    goal: str
    training: int
    seed: int
    windows: int = 5

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise SearchError(f"Algorithm {self.algorithm!r} is not known. Use one of {', '.join(ALGORITHMS)}.")
        if self.trials < 1 or (self.algorithm == "pbt" and self.trials < 4):
            least = 4 if self.algorithm == "pbt" else 1
            raise SearchError(f"{self.trials} trials are too few for {self.algorithm}. Use at least {least}.")
        if not 1 <= self.windows <= self.training // 2:
            raise SearchError(
                f"{self.windows} windows do not fit {self.training} training bars. Use 1 to {self.training // 2}."
            )

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """First row and row after the last of each evaluation of a candidate; the last is all of the training rows."""
        whole = (0, self.training)
        if self.algorithm == "asha":
            return tuple((0, max(2, self.training * rung // RUNGS[-1])) for rung in RUNGS)
        if self.algorithm == "pbt":
            bounds = np.linspace(0, self.training, self.windows + 1).astype(int).tolist()
            return (*pairwise(bounds), whole)
        return (whole,)


class Recorder(tune.Callback):
    """Logs every evaluation as it comes in; `last` and `results` hold each trial's last, and all it said then."""

    def __init__(self, log: EvaluationLog, on_evaluation: OnEvaluation | None) -> None:
        self.last: dict[str, Evaluation] = {}
        self.results: dict[str, Mapping[str, Any]] = {}
        self._log: EvaluationLog | None = log
        self._tell = on_evaluation

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune keeps a copy of callbacks to restore a search, and searches here go on from their log."""
        return {"last": {}, "results": {}, "_log": None, "_tell": None}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Take in an evaluation."""
        evaluation = Evaluation(trial.trial_id, result["values"], **result["evaluation"])
        self.last[trial.trial_id] = evaluation
        self.results[trial.trial_id] = result
        if self._log is not None:
            self._log.add(evaluation)
        if self._tell is not None:
            self._tell(evaluation)


@dataclass(slots=True)
class _Method:
    """How Tune is set up for one algorithm."""

    values: Any
    trials: int
    searcher: ConcurrencyLimiter | None = None
    scheduler: TrialScheduler | None = None


def search(
    objective: Objective,
    space: SearchSpace,
    plan: Plan,
    log: EvaluationLog,
    folder: Path,
    on_evaluation: OnEvaluation | None = None,
) -> list[Evaluation]:
    """Search on the connected Ray; return the last evaluation of each candidate, in order of their numbers.

    `folder` takes Tune's own files while the search runs. For PBT on several nodes it has to be one that all of them
    reach.
    """
    work = Work(objective, plan.goal, plan.stretches, dict(log.known))
    return list(conduct(Candidate, work, space, plan, log, folder, on_evaluation).last.values())


def conduct(
    trainable: type[tune.Trainable],
    work: Any,
    space: Space,
    plan: Plan,
    log: EvaluationLog,
    folder: Path,
    on_evaluation: OnEvaluation | None = None,
    *,
    gpus: int = 0,
) -> "Recorder":
    """Let Tune walk a space with trials of this class, each of which is handed `work`; return what was recorded.

    A trial has one CPU and so many GPUs.
    """
    require_gpus(gpus, "Search on the CPU (neural.training.gpu = false), or add a node with one.")
    method = _method(space, plan)
    recorder = Recorder(log, on_evaluation)
    # Tune's own log files, one folder a trial, would cost more than the trials themselves.
    os.environ.update(TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", TUNE_GLOBAL_CHECKPOINT_S="600", RAY_AIR_NEW_OUTPUT="0")
    scratch = folder / "tune"
    try:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(trainable, work=work), {"cpu": 1, "gpu": gpus}),
            param_space={} if method.searcher else {"values": method.values},
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                num_samples=method.trials,
                search_alg=method.searcher,
                scheduler=method.scheduler,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(scratch.resolve()),
                verbose=0,
                callbacks=[recorder],
                failure_config=tune.FailureConfig(max_failures=2),
            ),
        )
        results = tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not recorder.last:
        raise ServiceError(f"No trial finished; the first failed with {results.errors[:1]}. Run `nt-ray doctor`.")
    return recorder


def identity(objective: Objective) -> dict[str, Any]:
    """What evaluations depend on besides parameters and rows; two searches with the same may share a log."""
    panel = objective.panel
    digest = hashlib.sha256(panel.timestamps.tobytes() + panel.values.tobytes()).hexdigest()
    return {
        "strategy": objective.strategy.name,
        "data": digest,
        "symbols": list(panel.symbols),
        "sizing": [*objective.sizing.vector().tolist(), objective.sizing.volatility_halflife],
        "costs": [objective.costs.vector(i.quantity_increment).tolist() for i in panel.instruments],
        "initial_cash": str(objective.initial_cash),
    }


def _method(space: Space, plan: Plan) -> _Method:
    if plan.algorithm == "optuna":
        return _Method(None, plan.trials, searcher=_tpe(space, plan))
    listed = tune.grid_search([space.sample(plan.seed, number) for number in range(plan.trials)])
    if plan.algorithm == "asha":
        ladder = ASHAScheduler(time_attr="units", max_t=RUNGS[-1], grace_period=RUNGS[0], reduction_factor=3)
        return _Method(listed, 1, scheduler=ladder)
    if plan.algorithm == "pbt":
        return _Method(listed, 1, scheduler=_population(space, plan.seed))
    return _Method(listed, 1)


def _tpe(space: Space, plan: Plan) -> ConcurrencyLimiter:
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    # Refused combinations are unlikely to repeat: their score is the worst there is.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=plan.seed, n_startup_trials=min(STARTUP, plan.trials))
    distributions = {f"values/{name}": _distribution(domain) for name, domain in space.domains.items()}
    inner = OptunaSearch(distributions, metric="score", mode="max", sampler=sampler)
    return ConcurrencyLimiter(inner, max_concurrent=GENERATION, batch=True)


def _distribution(domain: Domain) -> "BaseDistribution":
    from optuna import distributions

    if isinstance(domain, Choice):
        return distributions.CategoricalDistribution(domain.values)
    if domain.integer:
        return distributions.IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return distributions.FloatDistribution(domain.low, domain.high, log=domain.log)


class _Population(PopulationBasedTraining):
    """Population based training whose draws follow from seed, member and window alone.

    Tune draws from the global generators, which other threads of this process use too.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._seed = seed

    def _checkpoint_or_exploit(self, trial: Any, tune_controller: Any, *quantiles: Any) -> None:
        member = tune_controller.get_trials().index(trial)
        window = int(self._trial_state[trial].last_train_time)
        random.seed(f"{self._seed}/{member}/{window}")
        np.random.seed(random.getrandbits(32))
        super()._checkpoint_or_exploit(trial, tune_controller, *quantiles)


def _population(space: Space, seed: int) -> PopulationBasedTraining:
    def explore(config: dict[str, Any]) -> dict[str, Any]:
        # A changed value may leave its range, and a whole number may no longer be one.
        return {**config, "values": space.nearest(config["values"])}

    mutations = {name: _mutation(domain) for name, domain in space.domains.items()}
    return _Population(
        seed,
        time_attr="training_iteration",
        perturbation_interval=1,
        hyperparam_mutations={"values": mutations},
        custom_explore_fn=explore,
        log_config=False,
        synch=True,
    )


def _mutation(domain: Domain) -> Sequence[float] | Any:
    if isinstance(domain, Choice):
        return sorted(domain.values)
    return tune.loguniform(domain.low, domain.high) if domain.log else tune.uniform(domain.low, domain.high)
