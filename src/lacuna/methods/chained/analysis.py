"""A formula such as ``y ~ x1 * x2`` as a design matrix of chained tables. Nothing in it is run but arithmetic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from lacuna.errors import UserError, require
from lacuna.types import Column

if TYPE_CHECKING:
    from formulaic import ModelSpec, SimpleFormula

FUNCTIONS = frozenset(
    ("abs", "bs", "C", "cc", "center", "cr", "cs", "exp", "exp10", "exp2", "I", "log", "log10", "log2", "poly", "scale")
)
NUMPY = frozenset(
    (
        "abs",
        "cos",
        "exp",
        "expm1",
        "log",
        "log10",
        "log1p",
        "log2",
        "maximum",
        "minimum",
        "sin",
        "sqrt",
        "square",
        "tanh",
    )
)
ARITHMETIC: tuple[type[ast.AST], ...] = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.List, ast.Tuple, ast.keyword, ast.Constant, ast.Name),
    *(ast.operator, ast.unaryop, ast.cmpop, ast.Load),
)
IN_BACKTICKS = re.compile(r"`[^`]*`")


@dataclass(frozen=True)
class Analysis:
    """A formula over d columns, whose design is that of tables in the units that the user gave."""

    formula: str
    columns: tuple[Column, ...]
    outcome: int  # index of the column
    covariates: tuple[int, ...]  # of the columns on the right-hand side
    reference: np.ndarray  # (n, d) values without NaN: what transforms such as ``scale`` and ``bs`` refer to

    @classmethod
    def of(cls, formula: str, columns: tuple[Column, ...], reference: np.ndarray) -> Self:
        """Read and check a formula, over complete values (n, d).

        Raises:
            UserError: it cannot be read, names what is no column, or holds more than arithmetic and ``FUNCTIONS``.
        """
        left, right, quoted = _sides(formula)
        names = [column.name for column in columns]
        asked = {quoted.get(name, name) for factor in _factors(right) for name in _names(factor, formula)}
        for name in (left, *sorted(asked)):
            if name not in names:
                raise UserError(
                    f"the analysis {formula!r} names {name!r}, which is no modelled column: there are {names}"
                )
        if left in asked or not asked:
            raise UserError(f"the analysis {formula!r} needs other columns than its outcome {left!r} on the right")
        covariates = tuple(j for j, name in enumerate(names) if name in asked)
        found = cls(formula, columns, names.index(left), covariates, reference)
        found.design(reference)
        return found

    def design(self, values: np.ndarray) -> np.ndarray:
        """(n, k) for values (n, d), of which only the covariates count; not finite where the formula is not.

        Raises:
            UserError: it cannot be computed.
        """
        try:
            with np.errstate(all="ignore"):
                return np.asarray(self._spec.get_model_matrix(self._frame(values), context={}), dtype=float)
        except Exception as error:  # of many kinds
            why = " ".join(str(error).split())[:300]
            raise UserError(f"the analysis {self.formula!r} cannot be computed: {why}") from None

    @cached_property
    def _spec(self) -> ModelSpec:
        right = _sides(self.formula)[1]
        made = right.get_model_matrix(self._frame(self.reference), context={}, output="numpy", na_action="ignore")
        return made.model_spec

    @cached_property
    def _variables(self) -> dict[str, int]:
        """Columns of the covariates by their names inside the formula."""
        inside = {name: variable for variable, name in _sides(self.formula)[2].items()}
        return {inside.get(self.columns[j].name, self.columns[j].name): j for j in self.covariates}

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame({name: _cells(self.columns[j], values[:, j]) for name, j in self._variables.items()})

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}


def _cells(column: Column, cells: np.ndarray) -> Any:
    """A column's cells (n,) as a formula sees them: levels by their labels, two numbers as numbers."""
    if not column.discrete:
        return cells
    codes = cells.astype(np.intp)
    if column.n_levels == 2 and all(isinstance(level, bool | int | float) for level in column.levels):
        return np.array(column.levels, dtype=float)[codes]
    return pd.Categorical.from_codes(codes, pd.Index(column.levels))


def _sides(formula: str) -> tuple[str, SimpleFormula, dict[str, str]]:
    """The name of the outcome, what is on the right of the tilde, and names that stand in it for quoted ones."""
    require("an analysis by a formula", "analysis", "formulaic")
    from formulaic import Formula, SimpleFormula

    quotations = dict.fromkeys(IN_BACKTICKS.findall(formula))
    quoted = {f"quoted_{i}": quotation[1:-1] for i, quotation in enumerate(quotations)}
    try:
        parsed: Any = Formula(IN_BACKTICKS.sub(lambda found: f"quoted_{list(quotations).index(found[0])}", formula))
        left, right = getattr(parsed, "lhs", None), getattr(parsed, "rhs", None)
    except Exception as error:  # of many kinds
        plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split("\n")[0]
        raise UserError(f"the analysis {formula!r} is no formula: {plain or type(error).__name__}") from None
    outcomes = list(_factors(left)) if isinstance(left, SimpleFormula) else []
    if not isinstance(right, SimpleFormula) or len(outcomes) != 1 or outcomes[0].eval_method.value != "lookup":
        raise UserError(
            f"the analysis must be a formula such as 'y ~ x1 * x2' with one column on the left: {formula!r}"
        )
    for factor in _factors(right):
        _names(factor, formula)
    return quoted.get(outcomes[0].expr, outcomes[0].expr), right, quoted


def _factors(terms: SimpleFormula) -> Iterator[Any]:
    return (factor for term in terms for factor in term.factors)


def _names(factor: Any, formula: str) -> set[str]:
    """Names of columns in a factor of a formula, which may come from a file: what is not arithmetic is refused."""
    if factor.eval_method.value != "python":
        return {factor.expr} if factor.eval_method.value == "lookup" else set()

    def known(node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in NUMPY
        return isinstance(node, ast.Name) and node.id in FUNCTIONS

    try:
        tree = ast.parse(factor.expr.strip(), mode="eval")
    except SyntaxError:
        raise UserError(f"the analysis {formula!r} is no formula: {factor.expr!r} cannot be read") from None
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    inside = {id(part) for function in called if known(function) for part in ast.walk(function)}
    for node in ast.walk(tree):
        allowed = isinstance(node, ARITHMETIC) or (isinstance(node, ast.Call) and known(node.func))
        if not allowed and id(node) not in inside:
            what = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            functions = ", ".join([*sorted(FUNCTIONS), *(f"np.{name}" for name in sorted(NUMPY))])
            raise UserError(f"the analysis {formula!r} may use numbers, columns and {functions}: not {what!r}")
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in inside}
