"""Configurations: composed by Hydra, then resolved and checked here.

Everything that can be wrong with what the user typed becomes a ``UserError`` of one line.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from lacuna import paths
from lacuna.backend.device import pick
from lacuna.config.discovery import config_folder, installed, installed_config, make_importable
from lacuna.config.schema import validated
from lacuna.errors import UserError, did_you_mean, is_installed
from lacuna.records.environment import n_cores

MISSING = "???"  # of OmegaConf
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError)


def _by_budget(paper: Any, quick: Any, fast: Any = None, *, _root_: DictConfig) -> Any:
    """The value of a key under the run's budget; a key without a value for ``fast`` has the paper's there."""
    return {"paper": paper, "quick": quick, "fast": paper if fast is None else fast}[_root_.budget.name]


def _to_complete(draws: int, otherwise: int, *, _root_: DictConfig) -> int:
    return draws if (_root_.names.dataset, _root_.names.mask) == ("csv", "none") else otherwise


def _arena(which: str) -> str:
    from lacuna.datasets.arena.listed import names

    return ",".join(names(which))


RESOLVERS: dict[str, Callable[..., Any]] = {
    "program": lambda: shlex.join(paths.program()),
    "project": lambda name: str(paths.PROJECT / name),
    "local_jobs": lambda device: 1 if _actual_device(device) == "cuda" else n_cores(),
    "auto_budget": lambda device: "paper" if device == "cuda" else "quick",
    "by_budget": _by_budget,
    "arena": _arena,
    "to_complete": _to_complete,
}
for _name, _resolver in RESOLVERS.items():
    OmegaConf.register_new_resolver(_name, _resolver, replace=True)


def compose(overrides: Iterable[str] = (), config_dir: str | Path | None = None) -> DictConfig:
    """The resolved and checked configuration of one run, as ``python run.py *overrides`` would run it.

    Args:
        overrides: as on the command line, such as ``["method=mean_mode", "dataset.n_train=100"]``.
        config_dir: a folder of further configs, such as ``my_conf/method/mine.yaml``; default: that of the environment
            (``lacuna.config.discovery``).

    Raises:
        UserError: an override is malformed, names something unknown, or is out of range.
    """
    overrides, config_dir = list(overrides), config_folder(config_dir)
    try:
        return settle(*unresolved(overrides, config_dir))
    except UserError:
        raise
    except COMPOSITION_ERRORS as error:
        raise UserError(explain(error, overrides, config_dir)) from error


def unresolved(overrides: list[str], config_dir: str | Path | None = None) -> tuple[DictConfig, DictConfig]:
    """The configuration as Hydra composes it, and its ``hydra`` node: what ``settle`` takes."""
    extra = []
    if config_dir is not None:
        folder = QuotedString(f"file://{Path(config_dir).resolve()}", Quote.single).with_quotes()
        extra.append(f"hydra.searchpath=[{folder}]")
    with _no_hydra(), initialize_config_dir(str(paths.CONF), version_base="1.3"):
        cfg = hydra_compose("config", overrides + extra, return_hydra_config=True)
    OmegaConf.set_struct(cfg, False)
    return cfg, cfg.pop("hydra")


@contextmanager
def _no_hydra() -> Iterator[None]:
    """Hydra composes for one program at a time: put aside the one of a running command line."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer


def settle(cfg: DictConfig, hydra: DictConfig, device: str | None = None) -> DictConfig:
    """Resolve a composed configuration and check every plain key.

    ``device=auto`` and ``budget=auto`` become what they are on this machine, ``metrics`` the configs of the
    chosen metrics by name, and ``method.base=<id>`` the config of that method.

    Args:
        cfg: the configuration without its ``hydra`` node.
        hydra: that node; it knows which file of each group was chosen, and where configs lie.
        device: of the machine that will run it; default: what ``device`` means here.
    """
    make_importable(hydra)
    cfg = cfg.copy()
    OmegaConf.set_struct(cfg, False)
    cfg.names = {key: hydra.runtime.choices[key] for key in cfg.names} | {"metrics": cfg.metrics}
    cfg.device = device or _actual_device(cfg.device)
    cfg.outputs = str(Path(str(cfg.outputs)).absolute())
    metrics = group("metric", hydra)
    cfg.metrics = {key: _choose("metric", key, metrics) for key in _asked(cfg.metrics, metrics)}
    if isinstance(base := cfg.method.get("base"), str):
        cfg.method.base = method_below(base, cfg.names.dataset, hydra)
    return OmegaConf.create(literal(validated(plain(cfg))))


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as nested dicts and lists, every interpolation resolved."""
    resolved = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def literal(value: Any) -> Any:
    r"""``value`` whose texts OmegaConf takes as they are, such as a file called ``${x}``.

    >>> literal({"path": "${x}.csv"})
    {'path': '\\${x}.csv'}
    """
    if isinstance(value, Mapping):
        return {key: literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [literal(each) for each in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def group(name: str, hydra: DictConfig) -> dict[str, Callable[[], Any]]:
    """What loads each config of a group, by id: files of all folders of the search path, and installed packages'."""
    folders = [Path(source.path) / name for source in hydra.runtime.config_sources if source.schema == "file"]
    files = [file for folder in reversed(folders) for file in sorted(folder.glob("*.yaml"))]
    packages = {key: partial(installed_config, name, key) for key in installed(name)}
    return packages | {file.stem: partial(_loaded, file, file.stat().st_mtime_ns) for file in files}


@cache
def _loaded(file: Path, _modified: int) -> Any:
    """A sweep asks for the same few files for each of its jobs."""
    return OmegaConf.load(file)


def _asked(metrics: Any, available: Mapping[str, Any]) -> list[str]:
    if metrics == "all":
        return list(available)
    if OmegaConf.is_list(metrics):
        return list(metrics)
    raise UserError(f"metrics must be all or a list such as [acc,rmse], got {metrics!r}")


def _choose(kind: str, name: str, available: Mapping[str, Callable[[], Any]]) -> Any:
    if name not in available:
        raise UserError(f"unknown {kind} {name!r}{did_you_mean(name, available)}")
    return available[name]()


def method_below(name: str, dataset: str, hydra: DictConfig) -> Any:
    """The config of a method that another builds on, with what a paper sets otherwise for the data set."""
    config = _choose("method", name, group("method", hydra))
    published = group(f"published/{name}", hydra).get(dataset)
    return OmegaConf.merge(config, published()) if published else config


def _actual_device(device: str) -> str:
    """Importing torch takes seconds; without it, or without a device node, there is nothing to ask."""
    nodes = [*Path("/dev").glob("nvidia*"), *Path("/dev").glob("dxg")]
    if device == "auto" and (not is_installed("torch") or (sys.platform == "linux" and not nodes)):
        return "cpu"
    return pick(device).type if device in ("auto", "cuda") else device


def explain(error: Exception, overrides: list[str], config_dir: str | Path | None = None) -> str:
    """What Hydra or OmegaConf found wrong with the overrides, in one line."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        kind, _, name = error.missing_cfg_file.rpartition("/")
        return f"unknown {kind} {name!r}{did_you_mean(name, error.options)}"
    if isinstance(cause, MissingMandatoryValue):
        if any(MISSING in override for override in overrides):
            return rf"{cause.full_key}: {MISSING!r} stands for a value that is not given: write '\{MISSING}' for itself"
        return f"{cause.full_key} is not given: add {cause.full_key}=..."
    if found := re.match(r"Could not override '([^']+)'", str(error)):
        return _unknown_key(found[1], overrides, config_dir)
    first = (str(error).strip() or str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {error.override!r}: {first}"
    return first + (": add -m to run one job for each value" if first.startswith("Ambiguous value") else "")


def _unknown_key(key: str, overrides: list[str], config_dir: str | Path | None) -> str:
    """Compose again without the bad key to learn what its neighbours are called."""
    parent, _, name = key.rpartition(".")
    try:
        cfg, hydra = unresolved([o for o in overrides if not o.startswith((f"{key}=", f"{key}@"))], config_dir)
        node = OmegaConf.select(cfg, parent) if parent else cfg
        if isinstance(node, str) and node in (known := group(parent.partition(".")[0], hydra)):
            whole = f"{parent}={{_target_: {known[node]()['_target_']}, {name}: ...}}"
            return f"{parent}={node} is a name, which takes its settings as they are: to choose {name}, use '{whole}'"
        siblings = [str(k) for k in node if k != "_target_"]
    except (*COMPOSITION_ERRORS, TypeError):
        return f"unknown key {key!r}"
    return f"unknown key {key!r}{did_you_mean(name, siblings)}"
