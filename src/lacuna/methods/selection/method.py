"""`selection`: impute values whose blanks depend on the very value, as far as the data bear that out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from lacuna.crossfit import Boosting, CrossFitted, categorical_columns, cross_fit
from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.methods.boosting import sample_levels
from lacuna.methods.selection.blanks import Blanks, Evidence, Form, Tilted, weigh, weigh_again
from lacuna.methods.selection.diagnosis import Verdict, decide, judge, warnings_for
from lacuna.methods.selection.means import Mean, MeanKind, fit_mean, nearest_features, refined, trees_help
from lacuna.methods.selection.tilting import beyond_prediction
from lacuna.methods.selection.widths import ENOUGH, PROBES, hide_again, widths
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete, Problem

Judge: TypeAlias = Callable[[dict[int, Evidence]], dict[int, Verdict]]
MAX_COLUMNS = 2_000
SMALL_TABLE = 10_000  # cells up to which trees are always tried
WIDTH_ROWS = 5_000  # that are learned from once more to know how far off blanks are
LINEAR_SWEEPS = 2  # the first sweeps, before trees are worth their time


@dataclass(frozen=True)
class SelectionColumn:
    """One numeric column: what is predicted of observed cells, and what that says of blanks."""

    mean: Mean
    blanks: Blanks
    free_below: bool  # whether blanks may lie beyond what was observed
    free_above: bool


class Selection(Method):
    """Impute by the mean of the value given the rest of the row *and* that it is blank.

    Of each numeric column the mean among observed cells is learned from the others, and then how the blanks
    depend on what they hide: by a threshold in the residual or in the value, sigmoid(k (e - a)) with a Gaussian
    residual e, by a slope of their log-odds, or not at all, whichever the data support; columns whose blanks may be
    meaningful are taken as not selected. Columns with blanks are visited in sweeps, the others at their current
    mean. Categorical columns are imputed by boosted trees.

    Args:
        mean: linear, boosted, or auto: a mix of ridge regression, boosted and random trees where trees predict
            held-out observed cells better than ridge regression, which is used alone elsewhere.
        select: False imputes as if blanks do not depend on what they hide.
        sweeps: over the columns.
        level: of the tests, at whose false discovery rate a threshold is used.
        features: coordinates that the mean of a column uses, at most: the most correlated.
        max_rows: models are fitted on a random subset of the rows where there are more.
        alpha: draws are summarised by quantiles alpha / 2 and 1 - alpha / 2.
        draws_gb: beyond it draws are summarised, not kept.
    """

    label = "selection (ours)"
    at_random: ClassVar[bool] = False

    def __init__(
        self,
        mean: Literal["linear", "boosted", "auto"] = "auto",
        select: bool = True,
        sweeps: int = 4,
        level: float = 0.05,
        features: int = 100,
        max_rows: int = 20_000,
        alpha: float = 0.05,
        draws_gb: float = 2.0,
    ) -> None:
        if mean not in ("linear", "boosted", "auto"):
            raise ValueError(f"mean must be linear, boosted or auto, got {mean!r}")
        if min(sweeps, features, max_rows) < 1:
            raise ValueError("sweeps, features and max_rows must be at least 1")
        if not (0 < level < 1 and 0 < alpha < 1):
            raise ValueError(f"level and alpha must lie in (0, 1), got {level} and {alpha}")
        self.mean, self.select, self.sweeps, self.level = mean, select, sweeps, level
        self.features, self.max_rows, self.alpha, self.draws_gb = features, max_rows, alpha, draws_gb

    def unsupported(self, problem: Problem) -> str | None:
        d = len(problem.train.columns)
        if d > MAX_COLUMNS:
            return f"every column is modelled by the others, which takes hours for {d} columns (limit {MAX_COLUMNS})"
        return None

    # --- learning -------------------------------------------------------------------------------------------

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        if len(train) > self.max_rows:
            train = _subset(train, self.max_rows, stream(seed, "selection", "rows"))
        self.encoder_ = Encoder.fit(train)
        self.coordinate_ = np.array([block.start for block in self.encoder_.blocks])
        self.seen_share_ = np.repeat(train.observed.mean(0), [b.stop - b.start for b in self.encoder_.blocks])
        self.numeric_ = [j for j, c in enumerate(train.columns) if not c.discrete]
        self.levels_ = {j: self._fit_levels(train, j) for j, c in enumerate(train.columns) if c.discrete}
        self.kinds_: dict[int, MeanKind] = {}
        hidden, encoded = train.hidden, self.encoder_.encode(train.values).astype(np.float64)
        incomplete = [j for j in self.numeric_ if hidden[:, j].any()]
        # Whether there is selection is judged before any blank is filled, a level's included: what fills a blank
        # knows of the other cells of its row, and so would tell a column of itself.
        evidence: dict[int, Evidence] = {}
        for j in incomplete:
            model, found = self._fit_column(encoded, hidden[:, j], j, True)
            predicted, features = model.mean.predict(encoded), encoded[:, model.mean.features]
            evidence[j] = replace(found, others_p_value=beyond_prediction(predicted, hidden[:, j], features))
            encoded[hidden[:, j], self.coordinate_[j]] = 0.0  # the mean again
        # Where blanks may be meaningful, that is what they go with; nothing follows for those that are not.
        sought = [j for j in incomplete if self.select and not train.columns[j].mm_candidate]
        forms: dict[int, Form] = dict(zip(sought, decide([evidence[j] for j in sought], self.level), strict=True))
        encoded = self._start(train)
        self.models_, evidence = self._sweep(encoded, hidden, evidence, lambda found: self._judge(found, forms))
        for j in sorted(set(self.numeric_) - set(incomplete)):
            self.models_[j], _ = self._fit_column(encoded, hidden[:, j], j, False)
        verdicts = self._judge(evidence, forms)
        self._conclude(verdicts, self._widths(train, verdicts))

    def _sweep(
        self,
        encoded: np.ndarray,
        hidden: np.ndarray,
        evidence: dict[int, Evidence],
        verdicts_on: Judge,
        again: np.ndarray | None = None,
    ) -> tuple[dict[int, SelectionColumn], dict[int, Evidence]]:
        """Learn the columns of ``evidence`` one after the other, again and again; fill their blanks in ``encoded``.

        Cells hidden ``again`` (n, d) are filled as what they are, cells that would have been seen.
        """
        models, evidence = {}, dict(evidence)
        sweeps = self.sweeps if again is None else max(1, self.sweeps - 1)  # the last adds little to errors
        again = np.zeros_like(hidden) if again is None else again
        for sweep in range(sweeps):
            verdicts = verdicts_on(evidence)
            early = sweep < min(LINEAR_SWEEPS, sweeps - 1)
            for done, j in enumerate(evidence):
                self.monitor.progress(f"sweep {sweep + 1} of {sweeps}", done, len(evidence))
                models[j], evidence[j] = self._fit_column(encoded, hidden[:, j], j, early, verdicts[j], again[:, j])
        return models, evidence

    def _widths(self, train: Incomplete, verdicts: dict[int, Verdict]) -> dict[int, float]:
        """By how much errors of blanks exceed those of left-out cells, by column."""
        columns = list(verdicts)
        rng = stream(self.seed_, "selection", "again")
        if len(train) > WIDTH_ROWS:
            train = _subset(train, WIDTH_ROWS, rng)
        evidence = {j: verdict.evidence for j, verdict in verdicts.items()}
        truth = self.encoder_.encode(train.values)
        errors: dict[int, list[np.ndarray]] = {j: [] for j in columns}
        n_hidden = 0
        for _ in range(PROBES):
            rows, again = hide_again(train, columns, rng)
            encoded = self._start(rows)
            self._sweep(encoded, train.hidden, evidence, lambda _: verdicts, again)
            for j in columns:
                errors[j].append((truth - encoded)[again[:, j], self.coordinate_[j]])
            n_hidden += int(again.sum())
            if n_hidden >= ENOUGH or not again.any():
                break
        found = widths([evidence[j].errors for j in columns], [np.concatenate(errors[j]) for j in columns])
        return dict(zip(columns, found.tolist(), strict=True))

    def _judge(self, evidence: dict[int, Evidence], forms: dict[int, Form]) -> dict[int, Verdict]:
        """The verdict on each column so far; ``forms`` are those of the columns in which selection is sought."""
        names = {j: self.encoder_.columns[j].name for j in evidence}
        verdicts = {j: Verdict(names[j], found, sought=False) for j, found in evidence.items()}
        judged = judge([names[j] for j in forms], [evidence[j] for j in forms], list(forms.values()))
        return verdicts | dict(zip(forms, judged, strict=True))

    def _fit_column(
        self,
        encoded: np.ndarray,
        hidden: np.ndarray,
        j: int,
        early: bool,
        verdict: Verdict | None = None,
        again: np.ndarray | None = None,
    ) -> tuple[SelectionColumn, Evidence]:
        """Learn the mean of column j and what its blanks say; fill them in ``encoded`` by the verdict so far.

        Cells hidden ``again`` (n,) count neither as observed nor as blanks.
        """
        at = self.coordinate_[j]
        seen = ~hidden if again is None else ~(hidden | again)
        threshold = verdict is not None and verdict.form in ("residual", "value")
        mean = self._fit_mean(encoded, seen, j, early, threshold)
        if verdict is not None and threshold and not early and mean.is_linear:
            mean = refined(mean, encoded, seen, hidden, at, verdict.model)
        target, predicted = encoded[seen, at], mean.predict(encoded[hidden])
        if verdict is None:
            found = weigh(mean.left_out, target, predicted)
            blanks: Blanks = Tilted(found.residuals)
        else:
            side = verdict.direction if threshold else 0.0
            found = weigh_again(verdict.evidence, verdict.form, side, mean.left_out, target, predicted)
            blanks = replace(verdict, evidence=found, shares=_on_side(verdict, found)).blanks()
        encoded[hidden, at] = blanks.mean(predicted)
        if again is not None:
            encoded[again, at] = mean.predict(encoded[again]) + found.errors.mean()
        return SelectionColumn(mean, blanks, False, False), found

    def _conclude(self, verdicts: dict[int, Verdict], widths: dict[int, float]) -> None:
        """Put the last verdicts into the models."""
        for j, verdict in verdicts.items():
            direction = verdict.direction
            blanks = verdict.blanks(widths.get(j, 1.0))
            self.models_[j] = SelectionColumn(self.models_[j].mean, blanks, direction < 0, direction > 0)
        self.diagnostics_ = {
            "columns": {verdict.name: verdict.as_dict() for verdict in verdicts.values()},
            "warnings": warnings_for(list(verdicts.values()), self.level),
        }

    def _fit_levels(self, train: Incomplete, j: int) -> CrossFitted:
        seen = train.observed[:, j]
        features = np.delete(train.values[seen], j, axis=1)
        categorical = np.delete(categorical_columns(train.columns), j)
        rng = stream(self.seed_, "selection", train.columns[j].name)
        n_levels = train.columns[j].n_levels
        return cross_fit(features, train.values[seen, j], n_levels, categorical, Boosting(folds=3), rng)

    def _fit_mean(self, encoded: np.ndarray, seen: np.ndarray, j: int, early: bool, threshold: bool) -> Mean:
        """From the encoded rows (n, width) in which column j is ``seen`` (n,)."""
        seen = encoded[seen]
        target = seen[:, self.coordinate_[j]]
        others = np.delete(np.arange(seen.shape[1]), self.coordinate_[j])
        features = nearest_features(others, seen, target, self.features)
        trust = self.seen_share_[features]
        rng = stream(self.seed_, "selection", self.encoder_.columns[j].name)
        if self.mean != "auto":
            return fit_mean(seen, target, features, trust, self.mean, rng)
        if early:
            return fit_mean(seen, target, features, trust, "linear", rng)
        if j not in self.kinds_:
            # a threshold is fitted jointly with a linear mean, which gains more than a mix does
            small = seen.size < SMALL_TABLE and not threshold
            self.kinds_[j] = "mixed" if small or trees_help(seen[:, features], target, rng) else "linear"
        return fit_mean(seen, target, features, trust, self.kinds_[j], rng)

    # --- completing -----------------------------------------------------------------------------------------

    def _start(self, rows: Incomplete) -> np.ndarray:
        """(n, width) encoded; hidden numbers at their mean, hidden categories at their probabilities."""
        encoded = self.encoder_.encode(rows.values).astype(np.float64)
        for j, probabilities in self._level_probabilities(rows).items():
            block = self.encoder_.blocks[j]
            standard = (probabilities - self.encoder_.mean[block]) / self.encoder_.sd[block]
            encoded[rows.hidden[:, j], block] = standard
        return encoded

    def level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        """P(level | rest of the row), (h, levels), of the h hidden cells of each categorical column."""
        return self._level_probabilities(self._seen(rows))

    def _level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        return {
            j: model.predict(np.delete(rows.values[rows.hidden[:, j]], j, axis=1))
            for j, model in self.levels_.items()
            if rows.hidden[:, j].any()
        }

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        encoded = self._start(rows)
        wanted = [j for j in self.numeric_ if rows.hidden[:, j].any()]
        for _ in range(self.sweeps if len(wanted) > 1 else 1):
            for j in wanted:
                hidden, model = rows.hidden[:, j], self.models_[j]
                encoded[hidden, self.coordinate_[j]] = model.blanks.mean(model.mean.predict(encoded[hidden]))
        values = rows.values.copy()
        for j in wanted:
            values[rows.hidden[:, j], j] = self._decoded(j, encoded[rows.hidden[:, j], self.coordinate_[j]])
        levels = self._level_probabilities(rows)
        for j, probabilities in levels.items():
            values[rows.hidden[:, j], j] = probabilities.argmax(1)
        kept = self._draws(rows, encoded, levels, draws) if draws else None
        return Imputation(values, draws=kept, diagnostics=self.diagnostics_)

    def open_ends(self) -> np.ndarray:
        """Where blanks are found to be selected by their value, on that side."""
        ends = super().open_ends()
        for j, model in self.models_.items():
            ends[:, j] = model.free_below, model.free_above
        return ends

    def _decoded(self, j: int, standard: np.ndarray) -> np.ndarray:
        """Data units; integers rounded, and within the observed range but where blanks may lie beyond it."""
        values = standard * self.encoder_.sd[self.coordinate_[j]] + self.encoder_.mean[self.coordinate_[j]]
        if self.encoder_.columns[j].kind != "integer":
            return values
        model = self.models_[j]
        low = -np.inf if model.free_below else self.encoder_.low[j]
        return np.round(values).clip(low, np.inf if model.free_above else self.encoder_.high[j])

    def _draws(self, rows: Incomplete, encoded: np.ndarray, levels: dict[int, np.ndarray], draws: int) -> Draws:
        cells = np.argwhere(rows.hidden)
        kept = np.empty((draws, len(cells)), np.float32) if 4.0 * draws * len(cells) <= self.draws_gb * 1e9 else None
        mean, sd, lower, upper = summary = np.empty((4, len(cells)))
        rng = stream(self.seed_, "selection", "draws")
        for j in np.flatnonzero(rows.hidden.any(0)).tolist():
            hidden, of_column = rows.hidden[:, j], cells[:, 1] == j
            if j in levels:
                drawn = sample_levels(levels[j], draws, rng).astype(np.float32)
            else:
                model = self.models_[j]
                drawn = self._decoded(j, model.blanks.draw(model.mean.predict(encoded[hidden]), draws, rng))
            found = Draws.from_samples(cells[of_column], drawn, self.alpha)
            summary[:, of_column] = found.mean, found.sd, found.lower, found.upper
            if kept is not None:
                kept[:, of_column] = drawn
        return Draws(cells, mean, sd, lower, upper, self.alpha, kept)


def _subset(rows: Incomplete, size: int, rng: np.random.Generator) -> Incomplete:
    """Rows to learn from; among them one with a value for each column."""
    chosen = rng.permutation(len(rows))[:size]
    lost = np.flatnonzero(~rows.observed[chosen].any(0))
    return rows.take(np.union1d(chosen, [rows.observed[:, j].argmax() for j in lost]).astype(np.intp))


def _on_side(verdict: Verdict, found: Evidence) -> np.ndarray:
    """Shares of the thresholds that were compared again, of all before."""
    again = {model.k for model in found.models(verdict.form)}
    return verdict.shares[[model.k in again for model in verdict.evidence.models(verdict.form)]]
