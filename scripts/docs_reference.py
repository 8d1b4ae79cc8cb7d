"""Hook of MkDocs: pages that are made from docstrings and YAML files at build time, none of which is committed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from omegaconf import OmegaConf

from lacuna import paths

FLAGS = {"needs_law": "needs the law of the data: synthetic tables only"}
PYTHON = {
    "Your table": ("lacuna.Imputer", "lacuna.load", "lacuna.diagnose"),
    "Analysis": ("lacuna.pool", "lacuna.tipping_point"),
    "Write your own": (
        "lacuna.methods.base.Method",
        "lacuna.masks.base.Mask",
        "lacuna.datasets.base.Dataset",
        "lacuna.types",
    ),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "reference/methods.md": methods(),
        "reference/parts.md": parts(),
        "reference/configuration.md": configuration(),
        "reference/python.md": python(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def methods() -> str:
    """The catalogue: what each method assumes, what it gives, and its settings."""
    return "\n\n".join(["# Methods", *_group("method", "method={}")]) + "\n"


def parts() -> str:
    """Data sets, masks and metrics."""
    text = ["# Data sets, masks, metrics", "## Data sets", *_group("dataset", "dataset={}", "###")]
    text += ["## Masks", *_group("mask", "mask={}", "###"), "## Metrics", *_group("metric", "metrics=[{}]", "###")]
    return "\n\n".join(text) + "\n"


def _group(group: str, use: str, level: str = "##") -> Iterator[str]:
    for path in sorted((paths.CONF / group).glob("*.yaml")):
        raw = path.read_text(encoding="utf-8")
        target = _target(raw)
        if target is None:
            continue
        label = getattr(target, "label", "")
        yield f"{level} {path.stem}" + (f": {label}" if isinstance(label, str) and label else "")
        yield (inspect.getdoc(target) and _as_markdown(inspect.getdoc(target))) or "No description."
        if group == "method":
            yield " · ".join(_gives(target))
        yield f"`{use.format(path.stem)}`, settings:\n\n```yaml\n{raw.rstrip()}\n```"


def _target(raw: str) -> Any:
    """The class or function that a config names; None where its package is not installed."""
    config = OmegaConf.to_container(OmegaConf.create(raw), resolve=False)
    if not isinstance(config, dict) or "_target_" not in config:
        return None
    try:
        return get_object(config["_target_"])
    except Exception as error:
        raise SystemExit(f"docs: cannot import {config['_target_']}: {error}") from error


def _gives(method: Any) -> list[str]:
    inductive = "serves new rows" if getattr(method, "inductive", True) is not False else "completes its own rows only"
    return [f"`{method.__module__}`", inductive, *(text for key, text in FLAGS.items() if getattr(method, key, False))]


def _as_markdown(docstring: str) -> str:
    """Sections of a Google docstring as lists; double backticks as single ones."""
    lines = []
    for line in docstring.replace("``", "`").splitlines():
        if line.rstrip() in ("Args:", "Returns:", "Raises:"):
            lines += ["", f"**{line.strip()[:-1]}**", ""]
        elif line.startswith("    ") and not line.startswith("     ") and ":" in line:
            name, _, about = line.strip().partition(":")
            lines.append(f"- `{name}`: {about.strip()}")
        else:
            lines.append(line if not line.startswith("     ") else "  " + line.strip())
    return "\n".join(lines)


def configuration() -> str:
    """Every key of the configuration, as its YAML files state it."""
    text = ["# Configuration", "`python run.py --cfg job` shows the whole configuration of a run, resolved."]
    text.append(f"## conf/config.yaml\n\n```yaml\n{_read(paths.CONF / 'config.yaml')}\n```")
    for group in ("budget", "tracking", "downstream", "experiment"):
        files = sorted((paths.CONF / group).glob("*.yaml"))
        text.append(f"## {group}")
        text += [f"### {group}={path.stem}\n\n```yaml\n{_read(path)}\n```" for path in files]
    return "\n\n".join(text) + "\n"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip()


def python() -> str:
    """The Python API, by mkdocstrings."""
    text = ["# Python"]
    for title, names in PYTHON.items():
        text += [f"# {title}", *(f"::: {name}" for name in names)]
    return "\n\n".join(text) + "\n"
