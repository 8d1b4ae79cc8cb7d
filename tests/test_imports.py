"""Imports point one way, and the core needs only the scientific stack."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "lacuna"
MODULES = {
    ".".join(("lacuna", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Every module and room of the package, from the ground up: a layer imports from itself and from those before it.
LAYERS = (
    ("errors", "paths"),
    ("files", "figures", "rng", "templates", "types"),
    ("estimands", "laws", "numerics", "pooling"),
    ("backend",),
    ("crossfit", "encoding", "masks", "nets", "problem", "units"),
    ("methods",),
    ("conformal", "metrics"),
    ("frames",),
    ("datasets",),
    ("comparison", "downstream", "records", "saving"),
    ("config",),
    ("diagnosis", "imputer", "sensitivity", "tables"),
    ("physionet", "reports"),
    ("runner",),
    ("sweeps",),
    ("cli",),
    ("__main__",),
)
CORE = [room for layer in LAYERS[:7] for room in layer if room not in ("files", "figures", "paths")] + ["datasets"]
# triton ships with torch for CUDA, threadpoolctl with scikit-learn
SCIENTIFIC = {"numpy", "scipy", "pandas", "sklearn", "torch", "triton", "threadpoolctl"}


def room(module: str) -> str:
    """The first name below the package: of ``lacuna.tables.grid``, ``tables``."""
    return module.split(".")[1]


def layer(module: str) -> int:
    return next(i for i, rooms in enumerate(LAYERS) if room(module) in rooms)


def is_core(module: str) -> bool:
    top, *below = module.split(".")[1:] or [""]
    return top in CORE and below[:1] != ["external"]


def imports(module: str, at_import_only: bool = False) -> set[str]:
    """The modules that ``module`` names in import statements; type-checking blocks do not count."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def own(names: set[str]) -> set[str]:
    """Lacuna's modules among imported names: of ``lacuna.types.Table`` the module ``lacuna.types``."""
    known = set()
    for name in names:
        parts = name.split(".")
        prefixes = (".".join(parts[:k]) for k in range(len(parts), 1, -1))
        known.update([module for module in prefixes if module in MODULES][:1])
    return known


BELOW_ROOT = [module for module in MODULES if module != "lacuna"]


def test_every_room_has_its_layer() -> None:
    assert sorted({room(module) for module in BELOW_ROOT}) == sorted(name for rooms in LAYERS for name in rooms)


@pytest.mark.parametrize("module", BELOW_ROOT)
def test_no_layer_imports_a_later_one(module: str) -> None:
    later = {name for name in own(imports(module)) if layer(name) > layer(module)}
    assert not later, f"{module} comes before {sorted(later)}"


def test_no_circle_of_modules() -> None:
    graph = {module: own(imports(module, at_import_only=True)) - {module} for module in BELOW_ROOT}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(graph)


def test_no_circle_of_rooms() -> None:
    graph: dict[str, set[str]] = {}
    for module in BELOW_ROOT:
        graph.setdefault(room(module), set()).update({room(name) for name in own(imports(module))} - {room(module)})
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(graph)


def test_the_engine_of_tables_knows_no_paper() -> None:
    engine = [module for module in MODULES if module.startswith("lacuna.tables.") and ".papers" not in module]
    for module in engine:
        assert not any(name.startswith("lacuna.tables.papers") for name in own(imports(module))), module


def test_methods_never_see_answers() -> None:
    for module in MODULES:
        if module.startswith("lacuna.methods."):
            assert "lacuna.types.Answer" not in imports(module), module


@pytest.mark.parametrize("module", [module for module in MODULES if is_core(module)])
def test_the_core_imports_only_the_scientific_stack(module: str) -> None:
    reached, todo = set(), [module]
    while todo:  # helpers that a core module needs are part of the core
        if (name := todo.pop()) not in reached:
            reached.add(name)
            todo += own(imports(name, at_import_only=True))
    for name in reached:
        others = {i.split(".")[0] for i in imports(name, at_import_only=True)} - sys.stdlib_module_names - {"lacuna"}
        assert others <= SCIENTIFIC, f"{module} needs {name}, which imports {sorted(others - SCIENTIFIC)}"


@pytest.mark.parametrize("tracker", ["mlflow", "tensorboard", "wandb"])
def test_only_its_own_module_imports_a_tracker(tracker: str) -> None:
    users = {m for m in MODULES if any(i.split(".")[0] == tracker for i in imports(m))}
    assert users == {f"lacuna.runner.{tracker}_tracking"}


BLOCKED = ("hydra", "omegaconf", "mlflow", "pydantic", "rich", "matplotlib", "pyarrow", "xgboost", "yaml", "skops")
PROGRAM = f"""
import importlib, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked")

sys.meta_path.insert(0, Block())
for module in {[module for module in MODULES if is_core(module)]!r}:
    importlib.import_module(module)

from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mcar import MCAR
from lacuna.methods.diffjoint import DiffJoint
from lacuna.metrics.discrete import acc
from lacuna.problem import hide
from lacuna.rng import stream

table = BayesNet(60, 20).load(stream(0, "dataset"), stream(0, "split"))
problem = hide(table, MCAR().draw(table, 0.2, stream(0, "mask")))
method = DiffJoint(iterations=1, samples=2, steps=2, repeats=1, hidden=8, epochs=1, device="cpu")
print(acc(problem.answers["test"], method.fit(problem.train, seed=0).impute(problem.test)))
"""


def test_the_core_runs_without_the_runners_packages() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 <= float(done.stdout) <= 1


def test_help_and_reused_records_come_at_once() -> None:
    shown = "[display(file.stem, {}) for file in (paths.CONF / 'metric').glob('*.yaml')]"
    program = (
        f"import sys, lacuna.cli.run; from lacuna import paths; from lacuna.config.described import display; {shown}; "
        f"print(sorted({SCIENTIFIC - {'numpy'} | {'mlflow'}!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "the command line imports these before it knows that it needs them"
