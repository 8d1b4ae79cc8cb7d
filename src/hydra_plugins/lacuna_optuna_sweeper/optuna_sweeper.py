"""``hydra/sweeper=optuna``: trials one after the other, or some at a time, each a run of its own.

``lacuna.sweeps.callback`` opens the study before the sweeper is made; this only launches what it asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LacunaOptunaSweeper(Sweeper):
    """Launches the trials of the study that is open.

    Args:
        n_trials: in all.
        n_jobs: trials at a time.
        seed: of the search.
        params: the search space that configs give.
    """

    def __init__(self, n_trials: int, n_jobs: int, seed: int, params: Mapping[str, Any] | None) -> None:
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from lacuna.sweeps.running import RunningSweep
        from lacuna.sweeps.tuning import Tuning

        tuning = RunningSweep.current
        assert isinstance(tuning, Tuning)
        assert self.launcher is not None
        for trials in tuning.batches():
            self.launcher.launch([tuning.overrides(trial) for trial in trials], initial_job_idx=trials[0].number)
            tuning.learn(trials)
