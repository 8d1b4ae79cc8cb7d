"""Foreign packages: whether they are there, and how to call them without a trace in this process."""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from lacuna import errors


def require(method: str, *packages: str) -> None:
    """Make sure, without importing them, that the packages of a method are installed.

    Raises:
        MissingPackage: one is not; the message says what to install.
    """
    errors.require(f"method {method}", "baselines", *packages)


@contextmanager
def untouched(seed: int) -> Iterator[None]:
    """Run foreign code with the global random generators at ``seed``; afterwards this process is as it was.

    The global generators of Python, numpy and torch, warning filters, logging, numpy's handling of floating-point
    errors and environment variables are those from before, also after an error. Warnings are not shown: what these
    packages warn of is not what the user wrote.
    """
    with ExitStack() as stack:
        for keep in (_random_state, _logging, _environment):
            stack.enter_context(keep())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(np.errstate(all="ignore"))
        warnings.simplefilter("ignore")
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  # packages draw from it
        if torch := _torch():
            torch.manual_seed(seed)
        yield


def _torch() -> Any:
    """The module where it is installed: foreign code may draw from its generators."""
    return import_module("torch") if errors.is_installed("torch") else None


@contextmanager
def _random_state() -> Iterator[None]:
    python, numpy, torch = random.getstate(), np.random.get_state(), _torch()  # noqa: NPY002
    cpu = torch.get_rng_state() if torch else None
    cuda = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _logging() -> Iterator[None]:
    disabled, before = logging.root.manager.disable, {logger: _settings(logger) for logger in _loggers()}
    try:
        yield
    finally:
        logging.disable(disabled)
        for logger, (level, propagate, off, handlers, filters) in before.items():
            logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, off
            logger.handlers[:], logger.filters[:] = handlers, filters


def _loggers() -> list[logging.Logger]:
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]


def _settings(logger: logging.Logger) -> tuple[Any, ...]:
    return logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logger.filters)


@contextmanager
def loguru_untouched(package: str) -> Iterator[None]:
    """Let a package neither write with loguru nor replace its handlers."""
    from loguru import logger

    names = ("add", "remove")
    for name in names:
        setattr(logger, name, lambda *arguments, **options: 0)
    logger.disable(package)
    try:
        yield
    finally:
        logger.enable(package)
        for name in names:
            delattr(logger, name)
