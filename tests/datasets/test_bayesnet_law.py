"""The exact posterior of bayesnet under each mask, against simulation and a second, slower integration."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from lacuna.datasets.bayesnet import BayesNet
from lacuna.datasets.bayesnet_law import COLUMNS, BayesNetLaw
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR, ConstantHiding
from lacuna.masks.mnar import MNAR
from lacuna.masks.self_logistic import SelfLogistic
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Incomplete, Problem, Table

NAN = float("nan")


def driven_by(mask, driver: int, table: Table, ratio: float = 0.3):
    """``mask`` drawn with the first seed at which one given column drives it."""
    for seed in range(200):
        drawn = mask.draw(table, ratio, stream(seed, "mask"))
        if drawn.mechanism.drivers == [driver]:
            return drawn
    raise AssertionError("no such seed")


@pytest.fixture(scope="module")
def table() -> Table:
    return BayesNet(4000, 0).load(stream(0, "dataset"), stream(0, "split"))


DRAWS = {
    "mcar": lambda t: MCAR().draw(t, 0.3, stream(0, "mask")),
    "self_logistic": lambda t: SelfLogistic().draw(t, 0.3, stream(0, "mask")),
    **{f"mar_{c.name}": lambda t, j=j: driven_by(MAR(), j, t) for j, c in enumerate(COLUMNS)},
    **{f"mnar_{c.name}": lambda t, j=j: driven_by(MNAR(), j, t) for j, c in enumerate(COLUMNS)},
}


# --- a second integration: plain loops over states, a midpoint rule, the cases of the paper ---


def d2_law(c1, c2, d1, d2):
    high, tall = c1 > 26, c2 > 55
    if d1 == 0:
        return np.broadcast_to([0.05, 0.05, 0.9, 0][d2], high.shape)
    cases = [high & tall, high & ~tall, ~high & tall]
    return np.select(cases, [[0.3, 0.6, 0.1, 0][d2], [0.2, 0.3, 0.5, 0][d2], [0.7, 0.1, 0.2, 0][d2]], [0, 0, 0, 1][d2])


def d3_law(d2, d3):
    return {0: [0.8, 0.2, 0], 2: [0.2, 0.8, 0]}.get(d2, [0, 0, 1])[d3]


def slow_posterior(row: np.ndarray, mechanism, fine: int) -> tuple[np.ndarray, dict]:
    """P(meaningful) (5,) and, by column, what a regular value is: level probabilities, or mean and sd."""
    hidden = np.isnan(row)
    c1_grid = 9 + (np.arange(32 * fine) + 0.5) / fine if hidden[0] else row[:1]
    c2_grid = 12 + (np.arange(83 * fine) + 0.5) / fine if hidden[1] else row[1:2]
    c1, c2 = (x.ravel() for x in np.meshgrid(c1_grid, c2_grid, indexing="ij"))
    density = norm.pdf(c1, 25, 2) * norm.pdf(c2, 0.1 * c1 + 50, 5)
    levels = [range(k) if hidden[j] else [int(row[j])] for j, k in ((2, 2), (3, 4), (4, 3))]
    mass, na, value = [], [], []
    for d1, d2, d3 in itertools.product(*levels):
        shown = np.stack(
            [
                np.where(c1 > 27, NAN, c1),
                c2,
                *(np.full(len(c1), x) for x in (d1, NAN if d2 == 3 else d2, NAN if d3 == 2 else d3)),
            ],
            axis=1,
        )
        p = mechanism.hide_probability(shown)
        weight = density * (0.3 if d1 else 0.7) * d2_law(c1, c2, d1, d2) * d3_law(d2, d3)
        for j in range(5):
            blank = np.isnan(shown[:, j])
            weight = weight * (np.where(blank, 1.0, p[:, j]) if hidden[j] else 1 - p[:, j])
        mass.append(weight)
        na.append(np.isnan(shown))
        value.append(shown)
    mass, na, value = np.concatenate(mass), np.concatenate(na), np.concatenate(value)
    chances, regular = np.zeros(5), {}
    for j in np.flatnonzero(hidden):
        chances[j] = mass[na[:, j]].sum() / mass.sum()
        w, x = mass[~na[:, j]], value[~na[:, j], j]
        if w.sum() == 0:  # must be meaningful
            continue
        if j < 2:
            mean = w @ x / w.sum()
            regular[j] = mean, np.sqrt(w @ (x - mean) ** 2 / w.sum())
        else:
            regular[j] = np.bincount(x.astype(int), w, minlength=3) / w.sum()
    return chances, regular


@pytest.mark.parametrize("name", DRAWS)
def test_posterior_equals_a_second_integration(table, name):
    mask = DRAWS[name](table)
    if name.startswith("mar"):  # the never-masked driver hides nothing but its own meaningful blanks
        assert mask.ordinary[:, mask.mechanism.drivers].sum() == 0
    rows = hide(table, mask).train
    both = rows.hidden[:, 0] & rows.hidden[:, 1]
    chosen = np.r_[np.flatnonzero(rows.hidden.any(1) & ~both)[:12], np.flatnonzero(both)[:1]]
    found = BayesNetLaw().under(mask.mechanism).posterior(rows.take(chosen))
    of = {tuple(cell): k for k, cell in enumerate(found.regular.cells.tolist())}
    for i, row in enumerate(rows.values[chosen]):
        both_hidden = np.isnan(row[:2]).all()
        tolerance = 1e-4 if both_hidden else 1e-6  # of the midpoint rule: a 24th of the squared step, or so
        chances, regular = slow_posterior(row, mask.mechanism, fine=8 if both_hidden else 100)
        for j in np.flatnonzero(np.isnan(row)):
            k = of[i, j]
            assert abs(found.meaningful[k] - chances[j]) < tolerance
            if j in regular and j < 2:
                assert np.allclose([found.regular.mean[k], found.regular.sd[k]], regular[j], atol=20 * tolerance)
            elif j in regular:
                assert np.allclose(found.levels[k], regular[j], atol=tolerance)


# --- simulation: two million rows, conditioned by counting ---


@pytest.fixture(scope="module")
def simulated() -> Table:
    return BayesNet(2_000_000, 0).load(stream(1, "dataset"), stream(1, "split"))


@pytest.mark.parametrize("name", ["mcar", "mar_D1", "mnar_C1", "mnar_C2", "mnar_D3"])
def test_posterior_equals_frequencies_where_only_discrete_cells_are_seen(table, simulated, name):
    """With C1 and C2 hidden, rows that show the same are numerous: count their true states."""
    mechanism = DRAWS[name](table).mechanism
    rng = stream(2, "blanks")
    blank = rng.random(simulated.values.shape) < mechanism.hide_probability(simulated.values)
    shown = np.where(blank, NAN, simulated.values)
    both = np.isnan(shown[:, :2]).all(1)
    contexts, member, count = np.unique(
        np.nan_to_num(shown[both], nan=-1.0), axis=0, return_inverse=True, return_counts=True
    )
    contexts = np.where(contexts < 0, NAN, contexts)
    found = BayesNetLaw().under(mechanism).posterior(Incomplete(COLUMNS, contexts, ~np.isnan(contexts)))
    truth, meaningful = simulated.values[both], simulated.meaningful[both]
    checked = 0
    for k, (i, j) in enumerate(found.regular.cells):
        n = count[i]
        if n < 500:
            continue
        p = found.meaningful[k]
        frequency = meaningful[member == i, j].mean()
        assert abs(frequency - p) < 4.5 * np.sqrt(p * (1 - p) / n) + 1e-9
        cells = truth[(member == i) & ~meaningful[:, j], j]
        if len(cells) > 100:
            sd = found.regular.sd[k]
            assert abs(cells.mean() - found.regular.mean[k]) < 4.5 * sd / np.sqrt(len(cells)) + 1e-9
            if j < 2:
                below = (cells < found.regular.lower[k]).mean()
                assert abs(below - 0.025) < 4.5 * np.sqrt(0.025 / len(cells))
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("mask", [MCAR(), MAR(), MNAR()])
def test_probabilities_are_calibrated(mask):
    """In bins of P(meaningful), the share of meaningful cells is the mean probability; so for the levels."""
    table = BayesNet(12_000, 0).load(stream(3, "dataset"), stream(3, "split"))
    problem = hide(table, mask.draw(table, 0.3, stream(3, "mask")))
    found, truth = problem.law.posterior(problem.train), problem.answers["train"]
    at = tuple(found.regular.cells.T)
    for j in (0, 3, 4):
        column = at[1] == j
        claimed, real = found.meaningful[column], truth.meaningful[at][column]
        check_calibration(claimed, real)
    for level in range(3):
        joint = found.levels[:, level] * (1 - found.meaningful)
        discrete = at[1] >= 2
        check_calibration(joint[discrete], (truth.values[at] == level)[discrete])


def check_calibration(claimed: np.ndarray, real: np.ndarray) -> None:
    for low, high in itertools.pairwise([0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0]):
        cells = (claimed >= low) & (claimed <= high)
        sd = np.sqrt((claimed * (1 - claimed))[cells].sum())
        assert abs(real[cells].sum() - claimed[cells].sum()) < 4.5 * sd + 1e-6


# --- what else the law promises ---


def problem_of(table: Table, name: str = "mnar_C1") -> Problem:
    return hide(table, DRAWS[name](table))


def test_columns_may_come_in_any_order(table):
    order = [3, 0, 4, 2, 1]
    permuted = Table(
        table.name,
        tuple(COLUMNS[j] for j in order),
        table.values[:, order],
        table.meaningful[:, order],
        law=table.law,
    )
    mask = DRAWS["self_logistic"](table)
    law = mask.mechanism
    moved = type(mask)(
        mask.ordinary[:, order],
        type(law)(law.mean[order], law.sd[order], law.mixing[np.ix_(order, order)], law.intercept),
    )
    straight, other = (p.law.posterior(p.train) for p in (hide(table, mask), hide(permuted, moved)))
    place = np.argsort(order)
    moved_cells = np.c_[straight.regular.cells[:, 0], place[straight.regular.cells[:, 1]]]
    back = np.lexsort(moved_cells.T[::-1])
    assert np.array_equal(moved_cells[back], other.regular.cells)
    assert np.allclose(straight.meaningful[back], other.meaningful, atol=1e-12)
    assert np.allclose(straight.levels[back], other.levels, atol=1e-12)
    assert np.allclose(straight.regular.upper[back], other.regular.upper, atol=1e-9)


def test_samples_agree_with_the_exact_summary_and_are_joint(table):
    problem = problem_of(table)
    rows = problem.train.take(np.flatnonzero(problem.train.hidden.sum(1) >= 3)[:60])
    found = problem.law.posterior(rows, draws=2000, rng=stream(0, "draws"))
    samples = found.regular.samples
    assert samples.shape == (2000, len(found.meaningful))
    assert samples.dtype == np.float32
    na = np.isnan(samples)
    assert np.abs(na.mean(0) - found.meaningful).max() < 4.5 * 0.5 / np.sqrt(2000)
    often = (~na).sum(0) > 200
    n = (~na).sum(0)[often]
    mean, sd = np.nanmean(samples[:, often], 0), np.nanstd(samples[:, often], 0)
    assert (np.abs(mean - found.regular.mean[often]) < 4.5 * found.regular.sd[often] / np.sqrt(n) + 1e-3).all()
    spread = found.regular.sd[often]
    assert (np.abs(sd - spread)[spread > 0.1] < 0.3 * spread[spread > 0.1]).all()

    # D3 is blank exactly where D2 is 1 or blank: so in every joint sample, hardly ever in independent ones
    cells = {tuple(c): k for k, c in enumerate(found.regular.cells.tolist())}
    pairs = [(cells[i, 3], cells[i, 4]) for i in range(len(rows)) if (i, 3) in cells and (i, 4) in cells]
    assert len(pairs) > 10
    for d2, d3 in pairs:
        assert np.array_equal(na[:, d3], na[:, d2] | (samples[:, d2] == 1))


def test_a_column_that_is_never_masked_hides_meaningful_cells_only(table):
    problem = problem_of(table, "mar_C1")
    found = problem.law.posterior(problem.train)
    c1 = found.regular.cells[:, 1] == 0
    assert c1.sum() == table.meaningful[:, 0].sum()
    assert np.allclose(found.meaningful[c1], 1, atol=1e-12)
    assert (found.regular.mean[c1] < 27).all()
    assert np.isfinite(found.regular.mean).all()


def test_without_hiding_every_blank_is_meaningful(table):
    rows = Incomplete(COLUMNS, table.values, ~np.isnan(table.values))
    found = BayesNetLaw().under(ConstantHiding(0.0)).posterior(rows)
    assert np.allclose(found.meaningful, 1.0, atol=1e-12)
    assert np.isfinite(found.levels).all()
    # a vanishing rate: the value beside the flag is the limit of small rates
    limit = BayesNetLaw().under(ConstantHiding(1e-9)).posterior(rows)
    assert np.allclose(found.levels, limit.levels, atol=1e-5)
    assert np.allclose(found.regular.mean, limit.regular.mean, atol=1e-5)


def test_a_known_blank_by_hand():
    """D3 beside D2 = 0 cannot be meaningful, beside D2 = 1 it must be; so must D2 with C1, C2 low, D1 on."""
    values = np.array([[25.0, 50, 1, NAN, 0], [25.0, 50, 1, NAN, NAN], [25.0, 57, 1, 0, NAN], [25.0, 57, 1, 1, NAN]])
    rows = Incomplete(COLUMNS, values, ~np.isnan(values))
    law = BayesNetLaw().under(ConstantHiding(0.2))
    with pytest.raises(ValueError, match="cannot come from bayesnet"):
        law.posterior(rows.take([0]))
    found = law.posterior(rows.take([1, 2, 3]))
    assert np.allclose(found.meaningful, [1, 1, 0, 1])
    assert np.allclose(found.levels[2], [0.8, 0.2, 0])


def test_hidden_c1_in_closed_form():
    """With D1 off, C1 given C2 is Gaussian; a blank is the tail above 27, or a hit of the mask below."""
    values = np.array([[NAN, 61.0, 0, 0, 0]])
    rows = Incomplete(COLUMNS, values, ~np.isnan(values))
    found = BayesNetLaw().under(ConstantHiding(0.2)).posterior(rows, alpha=0.1)
    variance = 1 / (1 / 4 + 0.1**2 / 25)
    mean, sd = variance * (25 / 4 + 0.1 * (61 - 50) / 25), np.sqrt(variance)
    above = norm.sf(27, mean, sd)
    assert np.isclose(found.meaningful[0], above / (above + 0.2 * (1 - above)), atol=1e-12)
    below = truncnorm(-np.inf, (27 - mean) / sd, mean, sd)
    assert np.allclose([found.regular.mean[0], found.regular.sd[0]], [below.mean(), below.std()], atol=1e-10)
    assert np.allclose([found.regular.lower[0], found.regular.upper[0]], below.ppf([0.05, 0.95]), atol=1e-5)


def test_wrong_tables_are_refused(table):
    problem = problem_of(table)
    with pytest.raises(ValueError, match="the law of bayesnet is about"):
        problem.law.posterior(Incomplete(COLUMNS[:2], table.values[:1, :2], ~np.isnan(table.values[:1, :2])))
    with pytest.raises(ValueError, match="need a random generator"):
        problem.law.posterior(problem.train, draws=3)
    assert BayesNetLaw().under(None) is None
