"""`selection`: impute values whose blanks depend on the very value, where identified; elsewhere as `chained`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.methods.chained import Chained
from lacuna.methods.selection.blanks import Blanks, Evidence, Form, weigh, weigh_again
from lacuna.methods.selection.diagnosis import Verdict, decide, judge, warnings_for
from lacuna.methods.selection.identification import index
from lacuna.methods.selection.means import Mean, MeanKind, fit_mean, nearest_features, refined, trees_help
from lacuna.methods.selection.widths import ENOUGH, PROBES, hide_again, widths
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete, Problem

Judge: TypeAlias = Callable[[dict[int, Evidence]], dict[int, Verdict]]
MAX_COLUMNS = 2_000
SMALL_TABLE = 10_000  # cells up to which trees are always tried
WIDTH_ROWS = 5_000  # that are learned from once more to know how far off blanks are
LINEAR_SWEEPS = 2  # the first sweeps, before trees are worth their time
ROUNDS = 2  # of columns with a threshold and the others, filled in turn
ROOM = 0.5  # of the observed range, by which draws may lie beyond it on a side where nothing hides


@dataclass(frozen=True)
class SelectionColumn:
    """One numeric column with a threshold: what is predicted of observed cells, and what that says of blanks."""

    mean: Mean
    blanks: Blanks
    low: float  # what draws may not leave, standardised: infinite where values hide beyond what was observed
    high: float


class Selection(Method):
    """Impute by the mean of the value given the rest of the row *and* that it is blank, where that is identified.

    Of each numeric column the mean among observed cells is learned from the others, and then how the blanks depend on
    what they hide: by a threshold in the residual or in the value, sigmoid(k (e - a)) with a Gaussian residual e, by a
    slope of their log-odds, or not at all. A threshold or a slope is used where other populations, skewed or cut off,
    lose against it *and* there is a witness (``identification``); columns whose blanks may be meaningful are taken as
    not selected.

    Columns with a threshold are visited in sweeps. All others are imputed by `chained`, with a shift in columns with a
    slope: slope times variance, by which a tilt moves the mean of a Gaussian residual.

    Args:
        mean: of columns with a threshold: linear, boosted, or auto: a mix of ridge regression, boosted and random
            trees where trees predict held-out observed cells better than ridge regression, which is used alone
            elsewhere.
        select: False imputes as if blanks do not depend on what they hide: as `chained` does.
        sweeps: over the columns with a threshold, at most.
        level: of the tests, at whose false discovery rate a threshold is looked for.
        features: coordinates that the mean of a column uses, at most: the most correlated.
        max_rows: models are fitted on a random subset of the rows where there are more.
        alpha: draws are summarised by quantiles alpha / 2 and 1 - alpha / 2.
    """

    label = "selection (ours)"
    at_random: ClassVar[bool] = False
    inductive: ClassVar[bool] = False

    def __init__(
        self,
        mean: Literal["linear", "boosted", "auto"] = "auto",
        select: bool = True,
        sweeps: int = 4,
        level: float = 0.05,
        features: int = 100,
        max_rows: int = 20_000,
        alpha: float = 0.05,
    ) -> None:
        if mean not in ("linear", "boosted", "auto"):
            raise ValueError(f"mean must be linear, boosted or auto, got {mean!r}")
        if min(sweeps, features, max_rows) < 1:
            raise ValueError("sweeps, features and max_rows must be at least 1")
        if not (0 < level < 1 and 0 < alpha < 1):
            raise ValueError(f"level and alpha must lie in (0, 1), got {level} and {alpha}")
        self.mean, self.select, self.sweeps, self.level = mean, select, sweeps, level
        self.features, self.max_rows, self.alpha = features, max_rows, alpha

    def unsupported(self, problem: Problem) -> str | None:
        d = len(problem.train.columns)
        if d > MAX_COLUMNS:
            return f"every column is modelled by the others, which takes hours for {d} columns (limit {MAX_COLUMNS})"
        return None

    # --- learning -------------------------------------------------------------------------------------------

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        if len(train) > self.max_rows:
            train = train.take(_some(train, self.max_rows, stream(seed, "selection", "rows")))
        self.encoder_ = Encoder.fit(train)
        self.coordinate_ = np.array([block.start for block in self.encoder_.blocks])
        self.seen_share_ = np.repeat(train.observed.mean(0), [b.stop - b.start for b in self.encoder_.blocks])
        self.kinds_: dict[int, MeanKind] = {}
        self.models_: dict[int, SelectionColumn] = {}  # of the columns with a threshold
        evidence = self._evidence(train)
        # Where blanks may be meaningful, that is what they go with; nothing follows for those that are not.
        sought = [j for j in evidence if self.select and not train.columns[j].mm_candidate]
        forms: dict[int, Form] = dict(zip(sought, decide([evidence[j] for j in sought], self.level), strict=True))
        verdicts = self._judge(evidence, forms)
        edged = {j: evidence[j] for j, form in forms.items() if form in ("residual", "value")}
        if edged:
            train = self._fit_edged(train, edged, verdicts, forms)
        else:
            self._fit_others(train, {})
        if "slope" in forms.values():
            self._fit_others(train, self._deltas(train, verdicts))
        self.diagnostics_ = {
            "columns": {verdict.name: verdict.as_dict() for verdict in verdicts.values()},
            "warnings": warnings_for(list(verdicts.values())),
        }

    def _evidence(self, train: Incomplete) -> dict[int, Evidence]:
        """What each numeric column with blanks says of them.

        It is asked before any blank is filled, a level's included: what fills a blank knows of the other cells of its
        row, and so would tell a column of itself.
        """
        hidden, encoded = train.hidden, self._encoded(train)
        found: dict[int, Evidence] = {}
        for j, column in enumerate(train.columns):
            if column.discrete or not hidden[:, j].any():
                continue
            seen, at = ~hidden[:, j], self.coordinate_[j]
            mean = self._fit_mean(encoded, seen, j, True, False)
            # a level that no seen row has says nothing of the value, and would move blanks alone
            known = encoded.clip(encoded[seen].min(0), encoded[seen].max(0))
            predicted = mean.predict(known)
            weighed = weigh(mean.left_out, encoded[seen, at], predicted[~seen])
            found[j] = replace(weighed, index=index(predicted, ~seen, known[:, mean.features]))
        return found

    def _fit_edged(
        self, train: Incomplete, edged: dict[int, Evidence], verdicts: dict[int, Verdict], forms: dict[int, Form]
    ) -> Incomplete:
        """Learn the columns with thresholds, and the others given them, in turn; rows whose thresholds are filled.

        Their ``verdicts`` become those of the last sweep.
        """
        hidden, encoded = train.hidden, self._encoded(train)
        forms = {j: forms[j] for j in edged}
        filled = train
        for _ in range(ROUNDS):
            models, edged = self._sweep(encoded, hidden, edged, lambda found: self._judge(found, forms))
            verdicts |= self._judge(edged, forms)
            self._conclude(models, verdicts, dict.fromkeys(edged, 1.0))
            filled = self._filled(train, encoded, list(edged))
            self._fit_others(filled, {})
            if not filled.hidden.any():
                break
            self._put(encoded, self.chained_.impute(filled).values, filled.hidden)
        self._conclude(models, verdicts, self._widths(train, encoded, {j: verdicts[j] for j in edged}))
        return filled

    def _conclude(
        self, models: dict[int, SelectionColumn], verdicts: dict[int, Verdict], widths: dict[int, float]
    ) -> None:
        """Put the last verdicts into the models."""
        for j, model in models.items():
            low, high = model.low - ROOM * (model.high - model.low), model.high + ROOM * (model.high - model.low)
            if verdicts[j].direction < 0:
                low = -np.inf
            else:
                high = np.inf
            self.models_[j] = SelectionColumn(model.mean, verdicts[j].blanks(widths[j]), low, high)

    def _fit_others(self, train: Incomplete, deltas: dict[str, float]) -> None:
        """Learn all columns that have no threshold."""
        self.chained_ = Chained(max_rows=self.max_rows, delta=deltas)
        self.chained_.monitor = self.monitor
        self.chained_.fit(train, self.seed_)

    def _deltas(self, train: Incomplete, verdicts: dict[int, Verdict]) -> dict[str, float]:
        """By how many sds the means of blanks are shifted: slope times what the other columns leave of the variance."""
        drawn = self.chained_.impute(train, 1).draws
        assert drawn is not None
        assert drawn.samples is not None
        values = train.values.copy()
        values[train.hidden] = drawn.samples[0]
        encoded = self.encoder_.encode(values).astype(np.float64)
        deltas = {}
        for j, verdict in verdicts.items():
            if verdict.form == "slope":
                seen = train.observed[:, j]
                mean = self._fit_mean(encoded, seen, j, True, False)
                left = float(np.mean((encoded[seen, self.coordinate_[j]] - mean.left_out) ** 2))
                deltas[verdict.name] = verdict.slope * left
        return deltas

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

    def _widths(self, train: Incomplete, filled: np.ndarray, verdicts: dict[int, Verdict]) -> dict[int, float]:
        """By how much errors of blanks exceed those of left-out cells, by column; ``filled`` (n, width) rows."""
        columns = list(verdicts)
        rng = stream(self.seed_, "selection", "again")
        if len(train) > WIDTH_ROWS:
            chosen = _some(train, WIDTH_ROWS, rng)
            train, filled = train.take(chosen), filled[chosen]
        evidence = {j: verdict.evidence for j, verdict in verdicts.items()}
        errors: dict[int, list[np.ndarray]] = {j: [] for j in columns}
        n_hidden = 0
        for _ in range(PROBES):
            _, again = hide_again(train, columns, rng)
            encoded = filled.copy()
            for j in columns:
                encoded[train.hidden[:, j] | again[:, j], self.coordinate_[j]] = 0.0  # the mean again
            self._sweep(encoded, train.hidden, evidence, lambda _: verdicts, again)
            for j in columns:
                errors[j].append((filled - encoded)[again[:, j], self.coordinate_[j]])
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
        self, encoded: np.ndarray, hidden: np.ndarray, j: int, early: bool, verdict: Verdict, again: np.ndarray
    ) -> tuple[SelectionColumn, Evidence]:
        """Learn the mean of column j and what its blanks say; fill them in ``encoded`` by the verdict so far.

        Cells hidden ``again`` (n,) count neither as observed nor as blanks.
        """
        at = self.coordinate_[j]
        seen = ~(hidden | again)
        mean = self._fit_mean(encoded, seen, j, early, True)
        if not early and mean.is_linear:
            mean = refined(mean, encoded, seen, hidden, at, verdict.model)
        target, predicted = encoded[seen, at], mean.predict(encoded[hidden])
        found = weigh_again(verdict.evidence, verdict.form, verdict.direction, mean.left_out, target, predicted)
        blanks = replace(verdict, evidence=found, shares=_on_side(verdict, found)).blanks()
        encoded[hidden, at] = blanks.mean(predicted)
        encoded[again, at] = mean.predict(encoded[again]) + found.errors.mean()
        return SelectionColumn(mean, blanks, float(target.min()), float(target.max())), found

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

    def _encoded(self, rows: Incomplete) -> np.ndarray:
        """(n, width), hidden cells at their mean."""
        return self.encoder_.encode(rows.values).astype(np.float64)

    def _put(self, encoded: np.ndarray, values: np.ndarray, hidden: np.ndarray) -> None:
        """Write ``values`` (n, d) of ``hidden`` (n, d) cells into ``encoded``."""
        found = self.encoder_.encode(values)
        for j in np.flatnonzero(hidden.any(0)):
            block = self.encoder_.blocks[j]
            encoded[hidden[:, j], block] = found[hidden[:, j], block]

    def _filled(self, rows: Incomplete, encoded: np.ndarray, columns: list[int]) -> Incomplete:
        """Rows in which these numeric columns are as encoded, as if they had been observed."""
        values, observed = rows.values.copy(), rows.observed.copy()
        for j in columns:
            hidden = rows.hidden[:, j]
            values[hidden, j] = self._decoded(j, encoded[hidden, self.coordinate_[j]])
            observed[:, j] = True
        return Incomplete(rows.columns, values, observed)

    def _completed(self, rows: Incomplete) -> tuple[np.ndarray, Incomplete]:
        """Encoded rows, all cells filled; and the rows, those with thresholds filled."""
        encoded, edged = self._encoded(rows), [j for j in self.models_ if rows.hidden[:, j].any()]
        if not edged:
            return encoded, rows
        for turn in range(ROUNDS):
            for _ in range(self.sweeps if len(edged) > 1 else 1):
                for j in edged:
                    hidden, model = rows.hidden[:, j], self.models_[j]
                    encoded[hidden, self.coordinate_[j]] = model.blanks.mean(model.mean.predict(encoded[hidden]))
            filled = self._filled(rows, encoded, edged)
            if turn == ROUNDS - 1 or not filled.hidden.any():
                break
            self._put(encoded, self.chained_.impute(filled).values, filled.hidden)
        return encoded, filled

    def level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        """P(level | rest of the row), (h, levels), of the h hidden cells of each categorical column."""
        return self.chained_.level_probabilities(self._completed(self._seen(rows))[1])

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        encoded, filled = self._completed(rows)
        done = self.chained_.impute(filled, draws)
        diagnostics = self.diagnostics_ | {k: v for k, v in done.diagnostics.items() if k not in self.diagnostics_}
        kept = self._draws(rows, encoded, done.draws, draws) if draws else None
        return Imputation(done.values, draws=kept, diagnostics=diagnostics)

    def open_ends(self) -> np.ndarray:
        """Where blanks are found to be selected by their value, on that side."""
        ends = super().open_ends()
        for j, model in self.models_.items():
            ends[:, j] = np.isinf([model.low, model.high])
        return ends

    def _decoded(self, j: int, standard: np.ndarray) -> np.ndarray:
        """Data units; integers rounded, and within the observed range but where blanks may lie beyond it."""
        values = standard * self.encoder_.sd[self.coordinate_[j]] + self.encoder_.mean[self.coordinate_[j]]
        if self.encoder_.columns[j].kind != "integer":
            return values
        model = self.models_.get(j)
        low = self.encoder_.low[j] if model is None or np.isfinite(model.low) else -np.inf
        return np.round(values).clip(low, self.encoder_.high[j] if model is None or np.isfinite(model.high) else np.inf)

    def _draws(self, rows: Incomplete, encoded: np.ndarray, of_others: Draws | None, draws: int) -> Draws:
        """Of all hidden cells; ``of_others`` those of the columns without a threshold."""
        assert of_others is not None
        assert of_others.samples is not None
        cells = np.argwhere(rows.hidden)
        edged = np.isin(cells[:, 1], list(self.models_))
        samples = np.empty((draws, len(cells)))
        samples[:, ~edged] = of_others.samples
        rng = stream(self.seed_, "selection", "draws")
        for j in np.unique(cells[edged, 1]).tolist():
            model, hidden = self.models_[j], rows.hidden[:, j]
            drawn = model.blanks.draw(model.mean.predict(encoded[hidden]), draws, rng).clip(model.low, model.high)
            samples[:, cells[:, 1] == j] = self._decoded(j, drawn)
        return Draws.from_samples(cells, samples, self.alpha)


def _some(rows: Incomplete, size: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of rows to learn from; among them one with a value for each column."""
    chosen = rng.permutation(len(rows))[:size]
    lost = np.flatnonzero(~rows.observed[chosen].any(0))
    return np.union1d(chosen, [rows.observed[:, j].argmax() for j in lost]).astype(np.intp)


def _on_side(verdict: Verdict, found: Evidence) -> np.ndarray:
    """Shares of the thresholds that were compared again, of all before."""
    again = {model.k for model in found.models(verdict.form)}
    return verdict.shares[[model.k in again for model in verdict.evidence.models(verdict.form)]]
