"""From configuration to objects: a YAML file names a class and mirrors its constructor."""

from __future__ import annotations

import inspect
import sys
import typing
from functools import partial
from typing import Any

from hydra._internal.utils import _locate
from omegaconf import OmegaConf

from lacuna.config.schema import as_annotated
from lacuna.errors import UserError, did_you_mean, require

SPECIAL = ("_target_", "_partial_", "_version_")
OWN_MODULES = "on PYTHONPATH, and with --config-dir in the current folder and beside that of the configs"


def instantiate(node: Any, where: str, kind: type = object) -> Any:
    """The object that a config describes: ``_target_`` names what to call with the other keys.

    Arguments are checked against the annotations of the signature. ``_partial_: true`` gives the callable
    with those arguments bound. ``_version_`` counts changes of the code that change its numbers: it is part of a
    run's id, so that records of before are not reused; without it, 1.

    Args:
        node: a config, or a plain value, which is returned as it is.
        where: its key, for messages.
        kind: what the object has to be.

    Raises:
        UserError: a key is unknown or missing, or its value has the wrong type or is refused; or the object is not
            of its kind.
    """
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=True)
    if isinstance(node, list):
        return [instantiate(item, f"{where}[{i}]") for i, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    parts = {key: instantiate(value, f"{where}.{key}") for key, value in node.items() if key not in SPECIAL}
    if "_target_" not in node:
        return parts
    target = _imported(node["_target_"], where)
    bound = node.get("_partial_", False)
    arguments = _arguments(target, parts, where, complete=not bound)
    if bound:
        return partial(target, **arguments)
    try:
        built = target(**arguments)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    if not isinstance(built, kind):
        raise UserError(f"{where}: {node['_target_']} must be derived from {kind.__module__}.{kind.__name__}")
    return built


def _imported(target: str, where: str) -> Any:
    try:
        return _locate(target)
    except Exception as error:  # a module of one's own may raise anything
        cause = error.__cause__ or error
        if isinstance(cause, ModuleNotFoundError) and cause.name == "torch":
            require(f"{where} {target.rpartition('.')[2]}", "deep", "torch")
        reason = f"{type(cause).__name__}: {(str(cause).splitlines() or [''])[0]}"
        module, _, name = target.rpartition(".")
        if isinstance(cause, ModuleNotFoundError) and cause.name == target and module in sys.modules:
            known = [each for each in vars(sys.modules[module]) if not each.startswith("_")]
            reason = f"{module} has no {name}{did_you_mean(name, known)}"
        elif isinstance(cause, ModuleNotFoundError) and cause.name == target.split(".", maxsplit=1)[0]:
            reason += f" (looked for {OWN_MODULES})"
        raise UserError(f"{where}: cannot import {target}: {reason}") from error


def _arguments(target: Any, given: dict[str, Any], where: str, complete: bool) -> dict[str, Any]:
    parameters = inspect.signature(target).parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        names = [p.name for p in parameters]
        for key in given:
            if key not in names:
                raise UserError(f"unknown key '{where}.{key}'{did_you_mean(key, names)}")
    for p in parameters if complete else ():
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in given:
            raise UserError(f"{where}.{p.name} is not given")
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    return {key: as_annotated(hints.get(key, Any), value, f"{where}.{key}") for key, value in given.items()}
