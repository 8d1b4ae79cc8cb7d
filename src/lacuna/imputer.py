"""The public Python API: any method of Lacuna as a scikit-learn transformer.

>>> import pandas as pd
>>> from lacuna import Imputer
>>> table = pd.DataFrame({"age": [31, None, 40, 35], "city": ["Bonn", "Ulm", None, "Bonn"]})
>>> Imputer("mean_mode").fit_transform(table)
    age  city
0  31.0  Bonn
1  35.0   Ulm
2  40.0  Bonn
3  35.0  Bonn
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted, validate_data

from lacuna.conformal import Margins, interval_margins
from lacuna.errors import UserError
from lacuna.frames import native
from lacuna.frames.codec import FrameCodec, Unknown
from lacuna.frames.labels import known_label, label_text, listed
from lacuna.frames.na_values import NaValues
from lacuna.frames.native import is_foreign, to_pandas
from lacuna.frames.reading import Reading
from lacuna.frames.where import is_mask, to_fill
from lacuna.methods.apart import Apart
from lacuna.methods.base import Method
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete, Problem


class Imputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fill the blanks of a table, but for those that are meant.

    A DataFrame comes back as a DataFrame: dtypes, index, labels and every observed cell as they were, cells
    judged meaningful still NA. Columns may be numbers, booleans, categories, text or dates of any dtype;
    ``lacuna.frames.codec`` says what is taken for what, and what is left out, of which a warning tells. A frame of
    polars, or a table of pyarrow, comes back as one. An array (n, d) of numbers comes back as an array with NaN where
    meaningful; its columns are continuous unless ``schema`` says otherwise; of a masked array, masked cells are blank.

    Args:
        method: id of a method (a file in conf/method, or one of yours), or a ``lacuna.methods.base.Method``; or "auto":
            ``fit`` hides cells again in the manner of the table's own blanks and takes the method that fills them best
            (``lacuna.comparison``). With candidates, each is tried as the base of selective.
        mm_candidates: the columns that may hold meaningful missingness: labels in any kind of list, or positions in
            an array; or a single one.
        schema: by column, where the dtype misleads: continuous, integer, categorical, date, or ignore (not
            modelled, blanks stay); ``{"kind": "date", "format": "%d/%m/%y"}`` for text that is a date; or
            ``{"min": 0, "max": 120, "whole": True}``, what imputed numbers, draws and intervals keep to.
        where: which blanks to fill: columns, or a mask of bool in the shape of the table; None: all. What is not filled
            is used like all else.
        predict_only: columns that are used and whose blanks stay.
        impute_only: columns that are filled and predict no other; each takes one more fit of the method.
        na_values: cells besides NA that are blank, such as -999: a value, several, or by column.
        max_levels: text with more distinct values is not modelled.
        random_state: an int gives the same numbers every time, None does not.
        unknown: whether a category of new rows that fit has not seen is an "error", or is treated
            "as_missing", and so imputed.
        budget: "paper", "fast" or "quick" hyper-parameters; "auto" is paper on CUDA and quick elsewhere.
        device: "auto", "cpu" or "cuda".
        calibrate: whether ``interval`` sets its widths on observed cells that are hidden again, for which the method is
            fitted a second time; else they are the quantiles of its draws (``lacuna.conformal``).
        method_options: hyper-parameters of the method that differ from its config; of "auto", ``minutes`` (default 1)
            and ``methods``, ids of those to try.
        analysis: formula of the regression that draws are for, such as "y ~ x1 * x2"; of ``method="chained"``.
        config_dir: folder of your own configs; default: the environment variable LACUNA_CONFIG_DIR, if it is set.

    Attributes:
        method_: the fitted method.
        chosen_, comparison_: with "auto" the method that was taken, and what it was compared with.
        codec_: how columns are read.
        seed_: the root seed.
        n_features_in_, feature_names_in_: as in scikit-learn.

    >>> rows = np.array([[1.0, 2.0], [3.0, np.nan]])
    >>> Imputer("mean_mode").fit(rows).transform([[np.nan, 5.0]])
    array([[2., 5.]])
    """

    def __init__(
        self,
        method: str | Method = "selective",
        *,
        mm_candidates: Any = None,
        schema: Mapping[Any, str | Mapping[str, Any]] | None = None,
        where: Any = None,
        predict_only: Any = None,
        impute_only: Any = None,
        na_values: Any = None,
        max_levels: int = 100,
        random_state: int | np.random.RandomState | None = 0,
        unknown: Unknown = "error",
        budget: str = "auto",
        device: str = "auto",
        calibrate: bool = True,
        method_options: Mapping[str, Any] | None = None,
        analysis: str | None = None,
        config_dir: str | Path | None = None,
    ) -> None:
        self.method = method
        self.mm_candidates = mm_candidates
        self.schema = schema
        self.where = where
        self.predict_only = predict_only
        self.impute_only = impute_only
        self.na_values = na_values
        self.max_levels = max_levels
        self.random_state = random_state
        self.unknown = unknown
        self.budget = budget
        self.device = device
        self.calibrate = calibrate
        self.method_options = method_options
        self.analysis = analysis
        self.config_dir = config_dir

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from incomplete rows.

        Args:
            X: frame or array (n, d); every column needs an observed cell.
            y: ignored.

        Raises:
            UserError: a column or an option is not as it has to be, and is named; it is a ValueError.

        >>> Imputer("mean_mode").fit(pd.DataFrame({"b": [None, None]}))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        lacuna.errors.UserError: column 'b' has no observed value: drop it, or leave it blank with ...
        """
        if self.unknown not in ("error", "as_missing"):
            raise UserError(f"unknown must be 'error' or 'as_missing', got {self.unknown!r}")
        frame = self._checked(X, reset=True)
        label = label_text if self._fitted_on_frame else _label_in_array
        schema = {label(column): kind for column, kind in (self.schema or {}).items()}
        one = isinstance(self.mm_candidates, tuple) and self.mm_candidates in frame.columns  # of a MultiIndex
        candidates = [label(column) for column in ([self.mm_candidates] if one else listed(self.mm_candidates))]
        by_column = isinstance(self.na_values, Mapping)
        na_values = {label(k): v for k, v in self.na_values.items()} if by_column else self.na_values
        self._na_values = NaValues.of(na_values, frame.columns, "na_values")
        blanked = self._na_values.blanked(frame)
        reading = Reading(self.max_levels, guess=self._fitted_on_frame)
        self.codec_ = FrameCodec.infer(blanked, schema, candidates, reading)
        for note in (*self._na_values.unseen(frame), *self.codec_.notes):
            warnings.warn(note, stacklevel=2)
        self.seed_ = _seed(self.random_state)
        self._train = self._read(X, frame)
        self._train_done: Imputation | None = None
        self._margins: dict[str, Margins] = {}
        if self.method == "auto":
            self._choose()
        self.method_ = self._fresh_method()
        _check_serves(self.method_, self._train.incomplete)
        self.method_.fit(self._train.incomplete, self.seed_)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Learn from incomplete rows and complete them as the method completes what it was fitted on.

        Returns:
            As ``transform``.
        """
        return self.fit(X)._train.completed(self._impute_train().final)

    def transform(self, X: Any) -> Any:
        """Complete rows with the fitted method, without learning from them.

        Args:
            X: DataFrame or array (n, d) of the columns of ``fit``.

        Returns:
            A DataFrame or array like ``X``; cells that are judged meaningful are NA.

        Raises:
            UserError: other columns, cells of another kind, or a category that fit has not seen.

        >>> imputer = Imputer("mean_mode").fit(pd.DataFrame({"city": ["Bonn", "Ulm", "Ulm"]}))
        >>> imputer.transform(pd.DataFrame({"city": ["Jena"]}))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        lacuna.errors.UserError: column 'city' holds a category that fit has not seen, such as 'Jena', ...
        >>> imputer.set_params(unknown="as_missing").transform(pd.DataFrame({"city": ["Jena"]}))
          city
        0  Ulm
        """
        rows, done = self._impute(X)
        return rows.completed(done.final)

    # --- which blanks are meant -----------------------------------------------------------------------------

    @property
    def meaningful_(self) -> Any:
        """Flags of the rows of ``fit``: DataFrame or array (n, d) bool, True where a blank is meant.

        Raises:
            AttributeError: the method does not tell, or there was no fit; an imputer that was loaded knows
                nothing of the rows of its fit.

        >>> table = pd.DataFrame({"a": [1.0, None], "b": [None, 2.0]})
        >>> Imputer("always_na", mm_candidates=["a"]).fit(table).meaningful_
               a      b
        0  False  False
        1   True  False
        """
        flags = self._impute_train().meaningful
        if flags is None:
            raise AttributeError(f"{self._method_name} does not tell meaningful blanks from others")
        return self._train.table(flags)

    @property
    def diagnostics_(self) -> dict[str, Any]:
        """What the method has to say about the rows of ``fit``, such as whether its assumptions hold there.

        Raises:
            AttributeError: there was no fit; an imputer that was loaded knows nothing of the rows of its fit.
        """
        return self._impute_train().diagnostics

    def predict_meaningful(self, X: Any) -> Any:
        """Flags of any rows: DataFrame or array (n, d) bool, True where a blank is meant.

        Raises:
            UserError: as ``transform``; or the method does not tell.
        """
        rows, done = self._impute(X)
        if done.meaningful is None:
            raise UserError(f"{self._method_name} does not tell meaningful blanks from others")
        return rows.table(done.meaningful)

    def predict_meaningful_proba(self, X: Any) -> Any:
        """P(meaningful) of any rows: DataFrame or array (n, d) of probabilities, 0 where observed.

        Raises:
            UserError: as ``transform``; or the method gives no probabilities.
        """
        rows, done = self._impute(X)
        if done.meaningful_probability is None:
            raise UserError(f"{self._method_name} gives no probabilities of meaningful missingness")
        return rows.table(done.meaningful_probability)

    # --- how sure -------------------------------------------------------------------------------------------

    def draws(self, X: Any, m: int = 5) -> Any:
        """Several completions of the same rows from the posterior, for multiple imputation.

        In each, a blank of a candidate column stays NA with its probability of being meant.

        Args:
            X: DataFrame or array (n, d).
            m: how many.

        Returns:
            A list of m DataFrames, or an array (m, n, d).

        Raises:
            UserError: as ``transform``; or the method gives no draws.
        """
        if m < 1:
            raise UserError(f"m must be at least 1, got {m}")
        rows, done = self._impute(X, m)
        self._draws(done)
        completed = [rows.completed(final) for final in done.completions(stream(self.seed_, "draws"))]
        return np.stack(completed) if isinstance(completed[0], np.ndarray) else completed

    def interval(self, X: Any, alpha: float = 0.05, n_draws: int = 1000) -> tuple[Any, Any]:
        """Bounds between which each blank's value lies with probability 1 - alpha.

        Observed cells are their own bounds. Cells judged meaningful, and blanks of categorical columns, which
        have no order, are NA in both.

        With ``calibrate``, in each column 1 - alpha of the blanks lie between their bounds, whatever the method, where
        blanks are as random as the observed cells on which the widths are set; about so where they depend on observed
        values; there is no promise where values hide themselves. The first call for an alpha fits the method again.
        ``selection``, whose blanks may hide themselves, sets its widths itself.

        Args:
            X: DataFrame or array (n, d).
            alpha: in (0, 1).
            n_draws: draws that the quantiles are taken of.

        Returns:
            Lower and upper bounds, each like ``X``.

        Raises:
            UserError: as ``transform``; or the method gives no draws.
        """
        if not 0 < alpha < 1:
            raise UserError(f"alpha must lie in (0, 1), got {alpha}")
        rows, done = self._impute(X, n_draws)
        draws, margins = self._draws(done), self._margins_at(alpha, n_draws)
        lower, upper = draws.interval(alpha)
        if margins is not None:
            lower, upper = margins.widened(draws)
        columns = rows.incomplete.columns
        whole = np.array([column.kind == "integer" for column in columns])
        blank = np.array([column.discrete for column in columns]) & rows.incomplete.hidden
        if done.meaningful is not None:
            blank |= done.meaningful
        low, high = rows.filled(lower, blank), rows.filled(upper, blank)
        return (
            rows.completed(np.where(whole, np.floor(low), low)),
            rows.completed(np.where(whole, np.ceil(high), high)),
        )

    # --- a file ---------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the fitted imputer, without the rows of ``fit`` unless its method keeps them; see ``load``.

        Raises:
            UserError: the method holds something that cannot be saved.
            StorageError: the file cannot be written.
        """
        from lacuna import saving

        check_is_fitted(self)
        kept = {k: v for k, v in vars(self).items() if not k.startswith("_train") and k != "config_dir"}
        for key in ("mm_candidates", "predict_only", "impute_only", "where"):
            if kept[key] is not None:  # an Index, say, or a mask
                kept[key] = np.asarray(kept[key], bool) if is_mask(kept[key]) else listed(kept[key])
        saving.save_object(kept, Path(path))

    # --- inside ---------------------------------------------------------------------------------------------

    def _made(self, method: str | Method, options: Mapping[str, Any] | None = None) -> Method:
        return make_method(method, self.budget, self.device, options, self.config_dir)

    def _choose(self) -> None:
        """The method that ``comparison`` recommends for the rows of ``fit``."""
        from lacuna.comparison.entrants import entrants
        from lacuna.comparison.race import compare_methods

        options = {"minutes": 1.0, "methods": None} | dict(self.method_options or {})
        if strange := sorted(options.keys() - {"minutes", "methods"}):
            raise UserError(f"method 'auto' takes the options minutes and methods, not {strange[0]!r}")
        rows = self._train.incomplete
        field = entrants(self._made, options["methods"], flags=bool(rows.candidates.any()))
        self.comparison_ = compare_methods(rows, field, 60 * options["minutes"], self.seed_)
        self.chosen_ = self.comparison_.chosen
        self._auto = field[self.chosen_].args

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _method_name(self) -> str:
        return self.method if isinstance(self.method, str) else type(self.method).__name__

    def _checked(self, X: Any, reset: bool = False) -> pd.DataFrame:
        """``X`` as a frame with the labels of ``fit``, after scikit-learn's checks of shape and names."""
        X = to_pandas(X)
        if isinstance(X, pd.DataFrame):
            named = X if _nameable(X.columns) else X.set_axis(range(X.shape[1]), axis=1)
            validate_data(self, named, reset=reset, skip_check_array=True)
            frame = X
        else:
            array = validate_data(self, X, reset=reset, dtype=FLOAT_DTYPES, ensure_all_finite="allow-nan")
            frame = pd.DataFrame(array).rename(columns=_label_in_array)
        if reset:
            self._fitted_on_frame = isinstance(X, pd.DataFrame)
        elif self._fitted_on_frame != isinstance(X, pd.DataFrame):
            frame = frame.set_axis(list(self.codec_.labels), axis=1)
        return frame

    def _read(self, X: Any, frame: pd.DataFrame) -> _Rows:
        values = self.codec_.encode(self._na_values.blanked(frame), self.unknown)
        incomplete = Incomplete(self.codec_.columns, values, ~np.isnan(values))
        label = label_text if self._fitted_on_frame else _label_in_array
        filled = to_fill(self.codec_, len(frame), self.where, self.predict_only, label)
        return _Rows(self.codec_, frame, incomplete, X, filled)

    def _impute(self, X: Any, draws: int = 0) -> tuple[_Rows, Imputation]:
        check_is_fitted(self)
        rows = self._read(X, self._checked(X))
        return rows, self.method_.impute(rows.incomplete, draws)

    def _impute_train(self) -> Imputation:
        if not hasattr(self, "_train"):
            raise AttributeError("the rows of fit are not known: there was no fit, or it is that of a saved imputer")
        if self._train_done is None:
            self._train_done = self.method_.impute(self._train.incomplete)
        return self._train_done

    def _fresh_method(self) -> Method:
        name, options = self._auto if self.method == "auto" else (self.method, self.method_options)
        asked = {} if self.analysis is None else {"analysis": self.analysis}
        method = self._made(name, {**(options or {}), **asked})
        label = label_text if self._fitted_on_frame else _label_in_array
        apart = [known_label(label(column), self.codec_.labels, "impute_only") for column in listed(self.impute_only)]
        return Apart(method, apart) if apart else method

    def _margins_at(self, alpha: float, n_draws: int) -> Margins | None:
        """Of intervals at level 1 - alpha; None where their widths are the method's own."""
        if not self.calibrate or not self.method_.at_random:
            return None
        key = f"{alpha:.12g}, {n_draws}"
        if key not in self._margins:
            if not hasattr(self, "_train"):
                warnings.warn(
                    "these intervals are quantiles of draws: a saved imputer has the widths of the calls of interval "
                    "with the same alpha and n_draws before it was saved",
                    stacklevel=3,
                )
                return None
            rows = self._train.incomplete
            known = self._draws(self.method_.impute(rows, n_draws))
            self._margins[key] = interval_margins(self._fresh_method(), rows, known, alpha, n_draws, self.seed_)
        return self._margins[key]

    def _draws(self, done: Imputation) -> Draws:
        if done.draws is None:
            raise UserError(f"{self._method_name} gives no draws, only one value a cell")
        return done.draws


def load(path: str | Path, trusted: Sequence[type] = ()) -> Imputer:
    """Read an imputer that ``Imputer.save`` wrote; nothing in the file is executed (``lacuna.saving``).

    It gives the same results as the one that was saved, but for ``meaningful_``, which it has not, as it has no
    ``config_dir``.

    Args:
        path: of the file.
        trusted: classes outside Lacuna that the file may name, such as a method of your own.

    Raises:
        UserError: the file cannot be read, or names a class that is not trusted.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "imputer.lacuna"
    >>> Imputer("mean_mode").fit([[1.0], [3.0]]).save(path)
    >>> load(path).transform([[np.nan]])
    array([[2.]])
    """
    from lacuna import saving

    imputer = Imputer()
    imputer.__dict__.update(saving.load_object(Path(path), trusted))
    return imputer


@dataclass(frozen=True)
class _Rows:
    """Rows as the user gave them and as a method sees them."""

    codec: FrameCodec
    frame: pd.DataFrame
    incomplete: Incomplete
    given: Any
    to_fill: np.ndarray  # (n, d) or (d,) bool: where a blank may be filled

    def filled(self, cells: np.ndarray, blank: np.ndarray | None) -> np.ndarray:
        """(n, d): the hidden cells, in row order, take ``cells`` (k,); NaN where ``blank`` (n, d)."""
        values = self.incomplete.values.copy()
        values[self.incomplete.hidden] = cells
        return values if blank is None else np.where(blank, np.nan, values)

    def completed(self, final: np.ndarray) -> Any:
        """What was given, with its hidden cells filled from ``final`` (n, d)."""
        hidden = self.incomplete.hidden
        done = self.codec.complete(self.frame, hidden, np.where(self.to_fill, final, np.nan))
        if not is_foreign(self.given):
            return self._like_given(done)
        return native.completed(self.given, done, [self.codec.coded[j].position for j in np.flatnonzero(hidden.any(0))])

    def table(self, array: np.ndarray) -> Any:
        """(n, d) of the modelled columns, shaped like what was given."""
        return self._like_given(pd.DataFrame(self.codec.spread(array), index=self.frame.index))

    def _like_given(self, frame: pd.DataFrame) -> Any:
        if isinstance(self.given, pd.DataFrame):
            return frame.set_axis(self.given.columns, axis=1)
        if is_foreign(self.given):
            return native.like(self.given, frame.set_axis(self.frame.columns, axis=1))
        return frame.to_numpy()


def make_method(
    method: str | Method,
    budget: str = "auto",
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
    config_dir: str | Path | None = None,
) -> Method:
    """A fresh method: that of conf/method/<id>.yaml with ``options`` in place of its own, or a copy.

    Raises:
        UserError: an unknown id or option, or a value that is refused.

    >>> make_method("mean_mode")  # doctest: +ELLIPSIS
    <lacuna.methods.mean_mode.MeanMode object at ...>
    """
    if isinstance(method, Method):
        if options:
            raise UserError("method_options go with the id of a method; set them in the constructor of yours")
        return copy.deepcopy(method)
    if not isinstance(method, str):
        raise UserError(f"method must be the id of a method or a Method, got {method!r}")
    from lacuna.config.instantiate import instantiate

    node = method_config(method, budget, device, config_dir)
    for key, value in (options or {}).items():
        is_id = isinstance(value, str) and isinstance(node.get(key), dict)  # base="missforest"
        node[key] = method_config(value, budget, device, config_dir) if is_id else value
    return instantiate(node, "method", Method)


def method_config(
    method: str, budget: str = "auto", device: str = "auto", config_dir: str | Path | None = None
) -> dict[str, Any]:
    """The resolved conf/method/<id>.yaml: ``_target_`` and the arguments of its constructor."""
    from lacuna.config.discovery import config_folder

    if folder := config_folder(config_dir):  # its files may change
        return _method_config(method, budget, device, folder)
    return copy.deepcopy(_known_method_config(method, budget, device))


@functools.cache
def _known_method_config(method: str, budget: str, device: str) -> dict[str, Any]:
    return _method_config(method, budget, device)


def _method_config(method: str, budget: str, device: str, folder: Path | None = None) -> dict[str, Any]:
    from lacuna.config.compose import compose, plain

    table = ["dataset=csv", "dataset.path=none"]  # defaults for any table, not those of a benchmark
    return plain(compose([*table, f"method={method}", f"budget={budget}", f"device={device}"], folder))["method"]


def _check_serves(method: Method, train: Incomplete) -> None:
    name = type(method).__name__
    if method.needs_law:
        raise UserError(f"{name} needs the law of the data, which only synthetic benchmarks have")
    if reason := method.unsupported(Problem("table", train, None, {})):
        raise UserError(f"{name} cannot serve this table: {reason}")


def _nameable(labels: pd.Index) -> bool:
    """Whether scikit-learn can take these names or do without; others are compared by ``FrameCodec`` alone."""
    n_text = sum(isinstance(label, str) for label in labels)
    return labels.is_unique and n_text in (0, len(labels))


def _label_in_array(column: Any) -> str:
    return f"x{column}" if isinstance(column, int | np.integer) else str(column)


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, int | np.integer):
        if random_state < 0:
            raise UserError(f"random_state must not be negative, got {random_state}")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
