"""Jobs and their runs as somebody finds them: what is not there for him is not there.

Whether it is stands in the tables of `nt_ray.access.roles`. REST, MCP and the dashboard ask here, so that each says the
same of a stranger's job as of one that never was.
"""

from pathlib import Path

from nt_ray.access.roles import Owned, Principal
from nt_ray.trader.jobs.job import Job, NoJobError
from nt_ray.trader.run_owners import owners


def reached(job: Job, principal: Principal) -> Job:
    """Return a job that was found; `NoJobError` where it is not there for him."""
    if not principal.reaches(Owned.JOBS, job.owner):
        raise NoJobError(job.id)
    return job


def reaches_run(folder: Path, principal: Principal) -> bool:
    """Tell whether a run is there for him: one that no job made is, for every reader."""
    if principal.only(Owned.RUNS) is None:
        return True
    found = owners(folder)
    return not found or principal.reaches(Owned.RUNS, *found)
