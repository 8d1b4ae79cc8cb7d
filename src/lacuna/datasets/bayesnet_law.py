"""The Bayesian network of Diff-Joint, appendix C.1, as a law: its parts, and the posterior of hidden cells.

C1 -> C2, (C1, C2, D1) -> D2 -> D3; C1 is blank above 27, D2 in one situation, D3 where D2 is 1 or blank.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lacuna.laws import HidingLaw, Posterior
from lacuna.numerics.quadrature import Panels
from lacuna.types import Column, Draws, Incomplete

COLUMNS = (
    Column("C1", "continuous", mm_candidate=True),
    Column("C2", "continuous"),
    Column("D1", "categorical", (0, 1)),
    Column("D2", "categorical", (0, 1, 2), mm_candidate=True),
    Column("D3", "categorical", (0, 1), mm_candidate=True),
)

# N(a, b) takes b as the standard deviation: only so does the published RMSE near 5 of C2 follow.
C1_MEAN, C1_SD, C1_NA_ABOVE = 25.0, 2.0, 27.0
C2_SLOPE, C2_INTERCEPT, C2_SD = 0.1, 50.0, 5.0
C1_CUT, C2_CUT = 26.0, 55.0
P_D1 = 0.3
D2_NA, D3_NA = 3, 2  # the codes of a meaningful blank, in this file only
# P(D2 = 0, 1, 2, na) by [C1 > 26, C2 > 55, D1]
_D1_OFF = (0.05, 0.05, 0.9, 0.0)
D2_GIVEN = np.array(
    [
        [(_D1_OFF, (0.0, 0.0, 0.0, 1.0)), (_D1_OFF, (0.7, 0.1, 0.2, 0.0))],
        [(_D1_OFF, (0.2, 0.3, 0.5, 0.0)), (_D1_OFF, (0.3, 0.6, 0.1, 0.0))],
    ]
)
# P(D3 = 0, 1, na) by D2 = 0, 1, 2, na
D3_GIVEN = np.array([(0.8, 0.2, 0.0), (0.0, 0.0, 1.0), (0.2, 0.8, 0.0), (0.0, 0.0, 1.0)])

# What depends on a continuous column jumps at these places only. The ends are 8 sd away: 1e-15 is lost.
C1_PANELS = Panels.between((C1_MEAN - 8 * C1_SD, C1_CUT, C1_NA_ABOVE, C1_MEAN + 8 * C1_SD), width=1.75 * C1_SD)
C2_PANELS = Panels.between((11.0, C2_CUT, 96.0), width=1.75 * C2_SD)
PANELS = {0: C1_PANELS, 1: C2_PANELS}
STATES = (C1_PANELS.nodes, C2_PANELS.nodes, np.arange(2.0), np.arange(4.0), np.arange(3.0))
N_LEVELS = 3  # the most regular levels that a column has

# Where the mask hides nothing, a hidden cell is surely meaningful. Its value, were it not, is the limit of a
# vanishing rate.
VANISHING = 1e-60
MAX_STATES = 1_000_000  # joint states held at once: some hundred megabytes


def d2_probabilities(c1: np.ndarray, c2: np.ndarray, d1: np.ndarray) -> np.ndarray:
    """P(D2 = 0, 1, 2, na | C1, C2, D1); the arguments broadcast to a shape s, the result is (*s, 4)."""
    return D2_GIVEN[(c1 > C1_CUT).astype(np.intp), (c2 > C2_CUT).astype(np.intp), d1.astype(np.intp)]


def network_density(c1: np.ndarray, c2: np.ndarray, d1: np.ndarray, d2: np.ndarray, d3: np.ndarray) -> np.ndarray:
    """The joint density of latent C1 and all else; blanks are D2_NA and D3_NA, arguments broadcast."""
    d1, d2, d3 = (x.astype(np.intp) for x in (d1, d2, d3))
    d2_given = D2_GIVEN[(c1 > C1_CUT).astype(np.intp), (c2 > C2_CUT).astype(np.intp), d1, d2]
    continuous = _normal(c1, C1_MEAN, C1_SD) * _normal(c2, C2_SLOPE * c1 + C2_INTERCEPT, C2_SD)
    return continuous * np.where(d1 == 1, P_D1, 1 - P_D1) * d2_given * D3_GIVEN[d2, d3]


def _normal(x: np.ndarray, mean: np.ndarray | float, sd: float) -> np.ndarray:
    """Its density; SciPy's takes longer to import than a small run takes."""
    return np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))


def visible(states: np.ndarray) -> np.ndarray:
    """States (..., 5) of the network as a table shows them: NaN where the value is a meaningful blank."""
    blank = [states[..., 0] > C1_NA_ABOVE, states[..., 3] == D2_NA, states[..., 4] == D3_NA]
    shown = states.copy()
    shown[..., [0, 3, 4]] = np.where(np.stack(blank, -1), np.nan, states[..., [0, 3, 4]])
    return shown


@dataclass(frozen=True)
class BayesNetLaw:
    """The network without a mask."""

    def under(self, mechanism: HidingLaw | None) -> BayesNetPosterior | None:
        """The posterior; None where the mask has no law, or one that jumps between the nodes of the quadrature."""
        return None if mechanism is None or hasattr(mechanism, "limits") else BayesNetPosterior(mechanism)


@dataclass(frozen=True)
class BayesNetPosterior:
    """The network under a mask: hidden cells by summing over all joint states of their row.

    Discrete columns are enumerated, continuous ones integrated by Gauss-Legendre quadrature between the
    places where the network jumps. That serves any mask that hides cells independently given the row.
    """

    mechanism: HidingLaw

    def posterior(
        self, rows: Incomplete, draws: int = 0, rng: np.random.Generator | None = None, alpha: float = 0.05
    ) -> Posterior:
        """See ``laws.HiddenLaw``.

        Samples of a continuous column are uniform within the cells of the quadrature (at most 0.6 wide in C1
        and 1.6 in C2); everything else is exact.

        Raises:
            ValueError: the columns are not the network's, or a row cannot come from it under this mask.
        """
        names = [c.name for c in rows.columns]
        if sorted(names) != [c.name for c in COLUMNS]:
            raise ValueError(f"the law of bayesnet is about {[c.name for c in COLUMNS]}, not about {names}")
        if draws and rng is None:
            raise ValueError("draws need a random generator")
        place = np.array([names.index(c.name) for c in COLUMNS])
        # Rows that show the same are integrated once; -inf stands for hidden: NaN does not equal itself.
        shown, row_of = np.unique(np.where(rows.hidden, -np.inf, rows.values)[:, place], axis=0, return_inverse=True)
        summary = np.full((len(shown), 5, 5), np.nan)
        levels = np.zeros((len(shown), 5, N_LEVELS))
        samples = np.full((draws, len(rows), 5), np.nan, np.float32)
        for chosen, weights in self._joint_states(shown, place, draws):
            for j in np.flatnonzero(np.isneginf(shown[chosen[0]])).tolist():
                masses = weights.sum(tuple({1, 2, 3, 4, 5} - {j + 1}))
                summary[chosen, j], levels[chosen, j] = column_posterior(j, masses, alpha)
            if draws and rng is not None:
                members = np.flatnonzero(np.isin(row_of, chosen))
                samples[:, members] = draw_states(weights, np.searchsorted(chosen, row_of[members]), draws, rng)

        cells = np.argwhere(rows.hidden)
        at = row_of[cells[:, 0]], np.argsort(place)[cells[:, 1]]
        meaningful, mean, sd, lower, upper = summary[at].T
        regular = Draws(cells, mean, sd, lower, upper, alpha, samples[:, cells[:, 0], at[1]] if draws else None)
        return Posterior(meaningful, levels[at], regular)

    def _joint_states(
        self, shown: np.ndarray, place: np.ndarray, draws: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The posterior of every joint state of distinct rows, block by block.

        Args:
            shown: (U, 5) network order; -inf where hidden.
            place: (5,) where the network's columns stand in the table.
            draws: how many samples of each row there will be; blocks are sized for those too.

        Yields:
            Indices (u,), increasing, of rows with one pattern of hidden cells, and the weights
            (u, s1, .., s5) of their states, sum 1 per row; s is 1 for an observed column.
        """
        patterns, pattern_of = np.unique(np.isneginf(shown), axis=0, return_inverse=True)
        for index, hidden in enumerate(patterns):
            if not hidden.any():
                continue
            n_states = int(np.prod([len(s) for s, h in zip(STATES, hidden, strict=True) if h]))
            members = np.flatnonzero(pattern_of == index)
            rows_at_once = max(1, MAX_STATES // max(n_states, draws))
            for chosen in np.array_split(members, -(-len(members) // rows_at_once)):
                yield chosen, self._weigh(shown[chosen], hidden, place)

    def _weigh(self, shown: np.ndarray, hidden: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Posterior weights (u, s1, .., s5) of the joint states of rows (u, 5) that hide the same columns."""
        axes = []
        for j, is_hidden in enumerate(hidden):
            states = STATES[j][None] if is_hidden else shown[:, j, None]
            axes.append(states.reshape(len(states), *np.where(np.arange(5) == j, -1, 1)))
        weights = network_density(*axes)
        for j in np.flatnonzero(hidden[:2]).tolist():
            weights = weights * PANELS[j].weights.reshape(-1, *[1] * (4 - j))

        values = visible(np.stack(np.broadcast_arrays(*axes), axis=-1))
        table_order = values.reshape(-1, 5)[:, np.argsort(place)]
        probability = self.mechanism.hide_probability(table_order)[:, place].reshape(values.shape)
        # An observed cell was spared; a hidden one was hit, unless its blank is meaningful and needs no hit.
        evidence = np.where(hidden, np.maximum(probability, VANISHING), 1 - probability)
        weights = weights * np.where(np.isnan(values), 1.0, evidence).prod(-1)
        total = weights.sum((1, 2, 3, 4, 5), keepdims=True)
        if not total.all():
            row = shown[int((total == 0).argmax())]
            raise ValueError(f"a row {np.where(hidden, np.nan, row)} cannot come from bayesnet under this mask")
        return weights / total


def column_posterior(j: int, masses: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """What is known of a hidden cell of column ``j`` from the masses (u, s) of its states.

    Returns:
        (u, 5): P(meaningful); then mean, sd and both quantiles given that the blank is not meaningful.
        (u, N_LEVELS): the probabilities of the levels, given the same; 0 for continuous columns.
    """
    column, states = COLUMNS[j], STATES[j]
    is_regular = states <= C1_NA_ABOVE if j == 0 else states < (column.n_levels or np.inf)
    regular = masses * is_regular
    # Where the blank must be meaningful, no level is likelier than another.
    regular = np.where(regular.any(1, keepdims=True), regular, is_regular)
    regular = regular / regular.sum(1, keepdims=True)
    mean = regular @ states
    sd = np.sqrt((regular * (states - mean[:, None]) ** 2).sum(1))
    levels = np.zeros((len(masses), N_LEVELS))
    ends = (alpha / 2, 1 - alpha / 2)
    if column.discrete:
        levels[:, : column.n_levels] = regular[:, : column.n_levels]
        lower, upper = ((regular.cumsum(1) < end).sum(1) for end in ends)
    else:
        lower, upper = (PANELS[j].quantile(regular, end) for end in ends)
    return np.stack([(masses * ~is_regular).sum(1), mean, sd, lower, upper], axis=1), levels


def draw_states(weights: np.ndarray, context: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Joint samples (draws, r, 5) of rows whose states have ``weights[context]``, NaN where meaningful.

    Args:
        weights: (u, s1, .., s5), sum 1 per context.
        context: (r,) int.
    """
    shape = weights.shape[1:]
    # One search for all: the distribution functions of the contexts, stacked one above the other.
    cumulative = weights.reshape(len(weights), -1).cumsum(1)
    stacked = (cumulative / cumulative[:, -1:] + np.arange(len(weights))[:, None]).ravel()
    found = np.searchsorted(stacked, context + rng.random((draws, len(context))), side="right")
    states = np.unravel_index(np.minimum(found - context * cumulative.shape[1], cumulative.shape[1] - 1), shape)
    nodes = np.stack([STATES[j][i] if shape[j] > 1 else np.full(i.shape, np.nan) for j, i in enumerate(states)], -1)
    samples = visible(nodes)
    for j, panels in PANELS.items():
        if shape[j] > 1:
            within = panels.cell_starts[states[j]] + rng.random(states[j].shape) * panels.weights[states[j]]
            samples[..., j] = np.where(np.isnan(samples[..., j]), np.nan, within)
    return samples
