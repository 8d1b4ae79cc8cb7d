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
ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.List, ast.Tuple, ast.keyword, ast.Constant)
ARITHMETIC += (ast.operator, ast.unaryop, ast.cmpop, ast.Load)
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
        left, right = _sides(formula)
        names = [column.name for column in columns]
        for name in (left, *sorted(map(str, right.required_variables))):
            if name not in names:
                raise UserError(
                    f"the analysis {formula!r} names {name!r}, which is no modelled column: there are {names}"
                )
        outcome = names.index(left)
        covariates = tuple(j for j, name in enumerate(names) if name in right.required_variables)
        if outcome in covariates:
            raise UserError(f"the analysis {formula!r} has its outcome {left!r} on both sides")
        found = cls(formula, columns, outcome, covariates, reference)
        try:
            found.design(reference)
        except Exception as error:
            raise UserError(
                f"the analysis {formula!r} cannot be computed: {' '.join(str(error).split())[:200]}"
            ) from None
        return found

    def design(self, values: np.ndarray) -> np.ndarray:
        """(n, k) for values (n, d), of which only the covariates count; not finite where the formula is not."""
        with np.errstate(all="ignore"):
            return np.asarray(self._spec.get_model_matrix(self._frame(values), context={}), dtype=float)

    @cached_property
    def _spec(self) -> ModelSpec:
        right = _sides(self.formula)[1]
        made = right.get_model_matrix(self._frame(self.reference), context={}, output="numpy", na_action="ignore")
        return made.model_spec

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame({self.columns[j].name: _cells(self.columns[j], values[:, j]) for j in self.covariates})

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_spec"}


def _cells(column: Column, cells: np.ndarray) -> Any:
    """A column's cells (n,) as a formula sees them: levels by their labels, two numbers as numbers."""
    if not column.discrete:
        return cells
    codes = cells.astype(np.intp)
    if column.n_levels == 2 and all(isinstance(level, bool | int | float) for level in column.levels):
        return np.array(column.levels, dtype=float)[codes]
    return pd.Categorical.from_codes(codes, list(column.levels))


def _sides(formula: str) -> tuple[str, SimpleFormula]:
    """The name of the outcome, and what is on the right of the tilde."""
    require("an analysis by a formula", "analysis", "formulaic")
    from formulaic import Formula, SimpleFormula

    try:
        parsed: Any = Formula(formula)
        left, right = getattr(parsed, "lhs", None), getattr(parsed, "rhs", None)
        factors = list(_factors(right)) if isinstance(right, SimpleFormula) else []
    except Exception as error:  # of many kinds
        plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split("\n")[0]
        raise UserError(f"the analysis {formula!r} is no formula: {plain or type(error).__name__}") from None
    outcomes = list(_factors(left)) if isinstance(left, SimpleFormula) else []
    if not isinstance(right, SimpleFormula) or len(outcomes) != 1 or outcomes[0].eval_method.value != "lookup":
        raise UserError(
            f"the analysis must be a formula such as 'y ~ x1 * x2' with one column on the left: {formula!r}"
        )
    for factor in factors:
        if factor.eval_method.value == "python":
            _check_arithmetic(factor.expr, formula)
    return outcomes[0].expr, right


def _factors(terms: SimpleFormula) -> Iterator[Any]:
    return (factor for term in terms for factor in term.factors)


def _check_arithmetic(expression: str, formula: str) -> None:
    """Refuse what is not arithmetic: a formula may come from a file."""

    def known(node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in NUMPY
        return isinstance(node, ast.Name) and node.id in FUNCTIONS

    tree = ast.parse(IN_BACKTICKS.sub("x", expression).strip(), mode="eval")
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    inside = {id(part) for function in called if known(function) for part in ast.walk(function)}
    for node in ast.walk(tree):
        allowed = isinstance(node, (*ARITHMETIC, ast.Name)) or (isinstance(node, ast.Call) and known(node.func))
        if not allowed and id(node) not in inside:
            what = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            functions = ", ".join([*sorted(FUNCTIONS), *(f"np.{name}" for name in sorted(NUMPY))])
            raise UserError(f"the analysis {formula!r} may use numbers, columns and {functions}: not {what!r}")
