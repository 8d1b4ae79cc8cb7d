"""What a sweep is called, and what is said of it: the keys that it varies, with their values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from lacuna.runner.experiment import NOT_RECORDED

NOT_NAMED = (*NOT_RECORDED, "limits", "device", "experiment", "hydra")  # keys that do not decide what is compared


def title(experiment: str | None, jobs: Sequence[Sequence[str]], typed: Collection[str] = ()) -> str:
    """The name of a sweep: its experiment and axes, with the values of those that the experiment does not give.

    Args:
        experiment: id in conf/experiment, if one was chosen.
        jobs: the overrides of each job.
        typed: overrides on the command line.

    >>> jobs = [[f"method={method}", f"seed={seed}", "ratio=0.3"] for method in ("gain", "ot") for seed in range(3)]
    >>> title(None, jobs)
    'method=gain,ot x seed=0..2, ratio=0.3'
    >>> title("diffjoint_table1", jobs, ["method=gain,ot"])
    'diffjoint_table1: method=gain,ot x seed'
    """
    own = {_key(override) for override in typed}
    values = _values(jobs)
    shown = {key: key if experiment and key not in own else f"{key}={_short(found)}" for key, found in values.items()}
    swept = " x ".join(text for key, text in shown.items() if len(values[key]) > 1)
    fixed = [text for key, text in shown.items() if len(values[key]) == 1 and (key in own or not experiment)]
    text = ", ".join(filter(None, [swept, *fixed])) or f"{len(jobs)} runs"
    return f"{experiment}: {text}" if experiment else text


def description(jobs: Sequence[Sequence[str]], command: str) -> str:
    """How many runs, what is swept and fixed, and the command, as Markdown.

    >>> description([["method=gain", "seed=0"], ["method=gain", "seed=1"]], "python run.py -m method=gain seed=0,1")
    '2 runs: method=gain, seed=0,1\\n\\n`python run.py -m method=gain seed=0,1`'
    """
    values = ", ".join(f"{key}={_short(found)}" for key, found in _values(jobs).items())
    return f"{len(jobs)} run{'s' * (len(jobs) != 1)}: {values or 'as configured'}\n\n`{command}`"


def _values(jobs: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    """The distinct values of each key, in the order in which the jobs have them."""
    found: dict[str, dict[str, None]] = {}
    for job in jobs:
        for override in job:
            if (key := _key(override)).partition(".")[0] not in NOT_NAMED:
                found.setdefault(key, {})[override.partition("=")[2]] = None
    return {key: list(values) for key, values in found.items()}


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _short(values: Sequence[str]) -> str:
    """
    >>> _short(["0", "1", "2"]), _short(["0", "1"]), _short(["0.1", "0.2", "0.3"])
    ('0..2', '0,1', '0.1,0.2,0.3')
    """
    if len(values) > 2 and all(value.isdecimal() for value in values):
        first, last = int(values[0]), int(values[-1])
        if list(map(int, values)) == list(range(first, last + 1)):
            return f"{first}..{last}"
    return ",".join(values)
