"""``hydra/launcher=slurm``: hydra-submitit-launcher for sweeps that must survive their jobs.

It submits only jobs without a finished record, waits for the queue to be empty instead of for answers that a
cancelled job never gives (so it needs no accounting database), and reports what was lost. Slurm requeues a job that
is preempted, submitit one that nears its time limit; either goes on from its checkpoint.
"""

from __future__ import annotations

import getpass
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus

try:
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher
except ImportError:  # the extra `slurm` is not installed; lacuna.sweeps.callback says so to those who ask for it
    pass
else:

    class LacunaSlurmLauncher(SlurmLauncher):
        """One Slurm job array for a sweep.

        Args:
            jobs_per_task: runs that one Slurm job carries out in turn; more for many short ones.
            poll_seconds: between two looks at the queue.
            params: those of hydra-submitit-launcher.
        """

        def __init__(self, jobs_per_task: int = 1, poll_seconds: float = 10.0, **params: Any) -> None:
            super().__init__(**params)
            self.jobs_per_task, self.poll_seconds = jobs_per_task, poll_seconds

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            """Submit, wait, and tell for the jobs that could not; what came out lies in the sweep's folder."""
            from lacuna.sweeps.running import tell, was_told

            assert self.config is not None
            folder = Path(self.config.hydra.sweep.dir)
            numbered = [(initial_job_idx + i, list(overrides)) for i, overrides in enumerate(job_overrides)]
            todo = [job for job in numbered if not was_told(folder, job[0])]
            batches = [todo[i : i + self.jobs_per_task] for i in range(0, len(todo), self.jobs_per_task)]
            submitted = self._submit(batches) if batches else []
            ids = {job.job_id for job in submitted}
            try:
                while ids & _queued(ids):
                    time.sleep(self.poll_seconds)
            except BaseException:
                subprocess.run(["scancel", *{each.split("_")[0] for each in ids}], check=False)
                raise
            if any(not was_told(folder, number) for number, _ in todo):
                time.sleep(self.poll_seconds)  # a file written on another machine shows late
            for batch, job in zip(batches, submitted, strict=True):
                for number, _ in batch:
                    if not was_told(folder, number):
                        lost = f"Slurm job {job.job_id} did not run to its end (log: {job.paths.stderr})"
                        tell(folder, number, error=lost)
            return [JobReturn(overrides=each, status=JobStatus.COMPLETED) for each in job_overrides]

        def _submit(self, batches: list[list[tuple[int, list[str]]]]) -> list[Any]:
            import submitit

            shared = set(BaseQueueConf.__dataclass_fields__)
            special = {"submitit_folder", "max_num_timeout"}
            executor = submitit.AutoExecutor(
                folder=self.params["submitit_folder"],
                cluster="slurm",
                slurm_max_num_timeout=self.params["max_num_timeout"],
            )
            given = {key: value for key, value in self.params.items() if key not in special}
            executor.update_parameters(**{k if k in shared else f"slurm_{k}": v for k, v in given.items()})
            return executor.map_array(self, batches, [Singleton.get_state()] * len(batches))

        def __call__(self, batch: list[tuple[int, list[str]]], singletons: dict[type, Singleton]) -> None:
            """On the node: the jobs of a batch in turn. A batch that starts again passes over finished records."""
            from lacuna.runner.limits import stoppable

            with stoppable():
                for number, overrides in batch:
                    super().__call__(overrides, "hydra.sweep.dir", number, str(number), singletons)


def _queued(ids: set[str]) -> set[str]:
    """Those of the user's jobs that wait or run; ``ids`` themselves where Slurm does not answer now."""
    command = ["squeue", "--noheader", "--array", "--user", getpass.getuser(), "--format", "%i"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return ids if done.returncode else set(done.stdout.split())
