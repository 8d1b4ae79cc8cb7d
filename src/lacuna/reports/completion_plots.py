"""The pictures of a completed file: where its blanks were, and what was put there. As wide as a phone."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.types import Column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 4.2  # inches
OBSERVED, FILLED, KEPT = "0.8", "#1d4ed8", "#c2410c"
TALLEST = 4.0  # of the bars of observed cells; what was filled in may pile up higher
MAX_COLUMNS, MAX_PATTERNS, MAX_BINS, MAX_LEVELS, MAX_LABEL = 20, 8, 25, 12, 18
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: the reader's fonts have letters that ours have not
    "svg.hashsalt": "lacuna",  # the same picture is the same file
    "text.parse_math": False,  # a $ is a $
}


@contextmanager
def styled() -> Iterator[None]:
    """Pictures are made and written within this."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def blank_patterns(names: Sequence[str], blank: np.ndarray) -> Figure:
    """Share of blanks by column, and beside it which columns are blank together, most frequent first.

    Args:
        names: of the d columns.
        blank: (n, d) bool, True somewhere.
    """
    share = blank.mean(0)
    shown = np.argsort(-share, kind="stable")[: min(MAX_COLUMNS, np.count_nonzero(share))]
    patterns, counts = np.unique(blank[:, shown], axis=0, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:MAX_PATTERNS]
    figure = _figure(1.1 + 0.25 * len(shown))
    bars, squares = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    bars.barh(np.arange(len(shown)), share[shown], color=FILLED)
    for y, value in enumerate(share[shown].tolist()):
        bars.annotate(percent(value), (value, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=9)
    bars.set_yticks(np.arange(len(shown)), [short(names[j]) for j in shown])
    bars.set(xlim=(0, 1.7 * share.max()), xticks=[], ylim=(len(shown) - 0.5, -0.5), title="share blank")
    edges = np.arange(len(frequent) + 1) - 0.5, np.arange(len(shown) + 1) - 0.5
    squares.pcolormesh(*edges, patterns[frequent].T, cmap="Blues", vmin=0, vmax=1.2, edgecolors="0.85", linewidth=0.6)
    labels = [percent(count / len(blank)) for count in counts[frequent].tolist()]
    squares.set_xticks(np.arange(len(frequent)), labels, rotation=90)
    squares.set(title="blank together", xlabel="share of the rows")
    for axis in (bars, squares):
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return figure


def before_and_after(
    column: Column, observed: np.ndarray, filled: np.ndarray, dates: bool = False, predicted: np.ndarray | None = None
) -> Figure:
    """The values that were there, and those that were put into blanks, each as shares of their own number.

    Args:
        column: numbers give a histogram, levels give bars.
        observed: (k,) cells.
        filled: (m,) cells; m may be 0.
        dates: whether they are days since 1970-01-01.
        predicted: (levels,) shares of the blanks by the probabilities of their levels.
    """
    if column.discrete:
        figure = _levels_before_and_after(column, observed, filled, predicted)
    else:
        figure = _numbers_before_and_after(column, observed, filled)
    axis = figure.axes[0]
    if dates:
        axis.xaxis_date()
        axis.tick_params(axis="x", rotation=25)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2)
    return figure


def _numbers_before_and_after(column: Column, observed: np.ndarray, filled: np.ndarray) -> Figure:
    figure = _figure(2.3)
    axis = figure.subplots()
    edges = histogram_edges(column, np.concatenate([observed, filled])).tolist()
    for cells, look in _both(observed, filled):
        if len(cells):
            inside = np.clip(cells, edges[0], edges[-1])  # the outermost bars take what lies beyond
            axis.hist(inside, edges, weights=np.full(len(cells), 1 / len(cells)), histtype="stepfilled", **look)
    axis.set(ylabel="share of cells")
    axis.locator_params(axis="y", nbins=3)
    axis.locator_params(axis="x", nbins=6, integer=column.kind == "integer")
    if len(observed) and len(filled):
        before, after = (np.histogram(cells, edges)[0] / len(cells) for cells in (observed, filled))
        _cut_peak(axis, before, after, edges)
    return figure


def _cut_peak(axis: Any, observed: np.ndarray, filled: np.ndarray, edges: Sequence[float]) -> None:
    """Best guesses that are all alike would squash what was there: their bar is cut, and its share written beside it.

    Args:
        observed: shares (b,) of the bins.
        filled: the same.
        edges: (b + 1,) of the bins.
    """
    highest, top = int(filled.argmax()), TALLEST * float(observed.max())
    if filled[highest] > top:
        axis.set_ylim(0, top)
        text = f"{percent(filled[highest].item())} of the filled in"
        right = highest > len(filled) // 2
        place, shift = (edges[highest], -4) if right else (edges[highest + 1], 4)
        side = "right" if right else "left"
        axis.annotate(text, (place, top), (shift, -3), textcoords="offset points", ha=side, va="top", fontsize=9)


def histogram_edges(column: Column, cells: np.ndarray) -> np.ndarray:
    """Edges of equal bins for cells (k,); the outermost 1% of the cells lie beyond where they stand far out.

    Bins of an integer column hold equally many integers each.

    >>> histogram_edges(Column("n", "integer"), np.array([1.0, 2.0, 2.0, 4.0]))
    array([0.5, 1.5, 2.5, 3.5, 4.5])
    """
    low, high = cells.min(), cells.max()
    inner_low, inner_high = np.quantile(cells, [0.005, 0.995])
    if high - low > 2 * (inner_high - inner_low) > 0:
        low, high = inner_low, inner_high
    if column.kind == "integer":
        step = np.ceil((high - low + 1) / MAX_BINS)
        return np.arange(np.floor(low), np.ceil(high) + step + 1, step) - 0.5
    margin = 0.0 if high > low else max(0.5, 1e-6 * abs(low))
    return np.linspace(low - margin, high + margin, MAX_BINS + 1)


def _levels_before_and_after(
    column: Column, observed: np.ndarray, filled: np.ndarray, predicted: np.ndarray | None
) -> Figure:
    counts = [np.bincount(cells.astype(np.intp), minlength=column.n_levels) for cells in (observed, filled)]
    order = np.argsort(-counts[0], kind="stable")
    shown, rest = order[:MAX_LEVELS], order[MAX_LEVELS:]
    labels = [short(str(column.levels[code])) for code in shown]
    if len(rest):
        labels.append(f"{len(rest)} others")
    figure = _figure(0.9 + 0.33 * len(labels))
    axis = figure.subplots()
    positions = np.arange(len(labels))
    for (cells, look), by_level, offset in zip(_both(observed, filled), counts, (-0.2, 0.2), strict=True):
        sizes = [*by_level[shown], by_level[rest].sum()][: len(labels)]
        axis.barh(positions + offset, np.array(sizes) / max(len(cells), 1), height=0.38, **look)
    if predicted is not None:
        sizes = [*predicted[shown], predicted[rest].sum()][: len(labels)]
        axis.plot(sizes, positions + 0.2, "D", color=KEPT, markersize=5, label="predicted")
    axis.set_yticks(positions, labels)
    axis.set(xlabel="share of cells", ylim=(len(labels) - 0.4, -0.6))
    axis.tick_params(axis="y", length=0)
    return figure


def _both(observed: np.ndarray, filled: np.ndarray) -> list[tuple[np.ndarray, dict[str, Any]]]:
    before = {"color": OBSERVED, "label": f"observed ({len(observed):,})"}
    after = {"edgecolor": FILLED, "facecolor": "none", "hatch": "////", "linewidth": 1.4}
    return [(observed, before), (filled, after | {"label": f"filled in ({len(filled):,})"})]


def chain_traces(mean: Sequence[Sequence[float]], sd: Sequence[Sequence[float]]) -> Figure:
    """Mean and sd of the imputed values of a column, (chains, sweeps) each, by sweep; a line for each chain."""
    figure = _figure(2.0)
    for axis, trace, title in zip(figure.subplots(1, 2), (mean, sd), ("mean", "sd"), strict=True):
        values = np.array(trace, float).T
        axis.plot(np.arange(1, len(values) + 1), values, linewidth=0.9)
        axis.set(title=title, xlabel="sweep")
        axis.locator_params(axis="x", nbins=5, integer=True)
        axis.locator_params(axis="y", nbins=4)
    return figure


def meaningful_probability(probability: np.ndarray, kept: np.ndarray) -> Figure:
    """How probable it is of the blanks (k,) of a column that they are meaningful, and which were kept."""
    figure = _figure(2.3)
    axis = figure.subplots()
    looks: Any = {
        "color": [OBSERVED, KEPT],
        "edgecolor": "0.3",
        "linewidth": 0.6,
        "label": [f"filled in ({np.count_nonzero(~kept):,})", f"kept blank ({np.count_nonzero(kept):,})"],
    }
    axis.hist([probability[~kept], probability[kept]], np.linspace(0, 1, 21).tolist(), stacked=True, **looks)
    axis.set(xlabel="P(meaningful)", ylabel="blanks", xlim=(0, 1))
    axis.locator_params(axis="y", nbins=4, integer=True)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def short(label: str) -> str:
    """Without its middle where it is long: names that begin alike often end differently.

    >>> short("measurement of something long 17")
    'measureme…long 17'
    """
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL // 2]}…{label[1 - MAX_LABEL // 2 :].strip()}"


def percent(share: float) -> str:
    """A share in as many digits as tell it from none and all.

    >>> percent(0.5), percent(0.0123), percent(0.00001), percent(0.9999)
    ('50%', '1.2%', '<0.1%', '>99.9%')
    """
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{share:.1%}" if share < 0.095 or 0.995 < share < 1 else f"{share:.0%}"
