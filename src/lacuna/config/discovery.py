"""One's own methods, data sets, masks and metrics, found wherever Lacuna's are.

Two ways: a folder of configs like ``conf/`` (``--config-dir``, ``config_dir=`` or the environment variable
``LACUNA_CONFIG_DIR``), or an installed package with entry points: in ``lacuna.methods``, ``lacuna.datasets``,
``lacuna.masks`` and ``lacuna.metrics`` names of classes (of functions for metrics), whose configs are the defaults of
their constructors; in ``lacuna.conf`` names of packages that are folders of configs.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import MISSING, DictConfig, OmegaConf

from lacuna import paths
from lacuna.errors import UserError

VARIABLE = "LACUNA_CONFIG_DIR"
ENTRY_POINTS = {
    "method": "lacuna.methods",
    "dataset": "lacuna.datasets",
    "mask": "lacuna.masks",
    "metric": "lacuna.metrics",
    "conf": "lacuna.conf",
}
PROVIDER = "installed packages"


def config_folder(config_dir: str | Path | None = None) -> Path | None:
    """The folder of one's own configs: the one that is given, else that of the environment, if any.

    Raises:
        UserError: it is no folder.
    """
    chosen = config_dir or os.environ.get(VARIABLE)
    if not chosen:
        return None
    if not (folder := Path(chosen).expanduser()).is_dir():
        raise UserError(f"the folder of your configs, {folder}, does not exist" + _origin(config_dir))
    return folder


def _origin(config_dir: str | Path | None) -> str:
    return "" if config_dir else f" ({VARIABLE})"


def with_config_dir(arguments: list[str]) -> list[str]:
    """The arguments of a command, with ``--config-dir`` of the environment unless they have their own."""
    given = any(argument.startswith(("--config-dir", "-cd")) for argument in arguments)
    folder = None if given else config_folder()
    return arguments if folder is None else ["--config-dir", str(folder), *arguments]


def make_importable(hydra: DictConfig) -> None:
    """Let Python find modules in the current folder and beside the folders of one's own configs.

    Last in ``sys.path``: no file there takes the place of an installed module.
    """
    folders = [
        Path(source.path).parent
        for source in hydra.runtime.config_sources
        if source.schema == "file" and source.provider not in ("main", PROVIDER)
    ]
    for folder in dict.fromkeys([Path.cwd(), *folders] if folders else []):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def installed(kind: str) -> dict[str, EntryPoint]:
    """The entry points of a kind of config (a key of ``ENTRY_POINTS``) by name."""
    return _installed(tuple(sys.path)).get(kind, {})


@cache
def _installed(_path: tuple[str, ...]) -> dict[str, dict[str, EntryPoint]]:
    """The look-up reads a file of every installed package: once for each state of ``sys.path``."""
    every = entry_points()
    return {kind: {found.name: found for found in every.select(group=group)} for kind, group in ENTRY_POINTS.items()}


def installed_config(kind: str, name: str) -> dict[str, Any]:
    """The config of an entry point: ``_target_`` and the defaults of its parameters.

    A parameter without a default has to be given; one called ``device`` follows the run's.

    Raises:
        UserError: the object cannot be imported, or cannot be called.
    """
    point = installed(kind)[name]
    where = f"{kind} {name!r} of the package {point.dist.name if point.dist else '?'}"
    try:
        target = point.load()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise UserError(f"{where}: cannot import {point.value}: {type(error).__name__}: {first}") from error
    if not callable(target):
        raise UserError(f"{where}: {point.value} is no class or function")
    config: dict[str, Any] = {"_target_": f"{point.module}.{point.attr}"}
    parameters = list(inspect.signature(target).parameters.values())
    if kind == "metric":  # a function that waits for the truth and an imputation
        config["_partial_"] = True
        parameters = [p for p in parameters if p.default is not p.empty]
    return config | {p.name: value for p in parameters if (value := _default(p)) is not p.empty}


def _default(parameter: inspect.Parameter) -> Any:
    """What stands in the config; ``empty`` for what YAML cannot hold, which the constructor knows itself."""
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        return parameter.empty
    if parameter.name == "device":
        return "${device}"
    if parameter.default is parameter.empty:
        return MISSING
    return parameter.default if _is_plain(parameter.default) else parameter.empty


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    return value is None or type(value) in (bool, int, float, str)


class InstalledConfigs(ConfigSource):
    """Hydra's view of ``installed_config``: a package is imported only where its config is asked for."""

    @staticmethod
    def scheme() -> str:
        return "installed"

    def available(self) -> bool:
        return True

    def load_config(self, config_path: str) -> ConfigResult:
        kind, name = _split(config_path)
        config = OmegaConf.create(installed_config(kind, name))
        return ConfigResult(self.provider, self.full_path(), config, header={"package": None})

    def is_group(self, config_path: str) -> bool:
        return bool(installed(config_path.strip("/")))

    def is_config(self, config_path: str) -> bool:
        kind, name = _split(config_path)
        return name in installed(kind)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        names: Iterable[str] = installed(config_path.strip("/")) if results_filter is not ObjectType.GROUP else ()
        return sorted(names)


def _split(config_path: str) -> tuple[str, str]:
    kind, _, name = config_path.removesuffix(".yaml").rpartition("/")
    return kind, name


class InstalledSearchPath(SearchPathPlugin):
    """Adds what is installed to the search path of Lacuna, and of no other program that uses Hydra."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if not any(str(element.path).removeprefix("file://") == str(paths.CONF) for element in search_path.get_path()):
            return
        for point in installed("conf").values():
            search_path.append(PROVIDER, f"file://{_folder(point)}")
        search_path.append(PROVIDER, f"{InstalledConfigs.scheme()}://")


def _folder(point: EntryPoint) -> Path:
    """Of a package, without importing it."""
    top, *below = point.value.split(".")
    found = find_spec(top)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (inside := Path(folder, *below)).is_dir():
            return inside
    raise UserError(f"the entry point {point.name!r} of lacuna.conf names {point.value!r}, which is no folder")


for _plugin in (InstalledConfigs, InstalledSearchPath):
    Plugins.instance().register(_plugin)
