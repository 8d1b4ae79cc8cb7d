"""Why a figure differs from print: sentences with numbers from records and from ``evidence``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from lacuna.config import described
from lacuna.metrics.display import Display
from lacuna.tables.cell_statistics import CONFIDENCE, Cell
from lacuna.tables.experiments import drawn
from lacuna.tables.grid import Grid, GridColumn, GridRow
from lacuna.tables.papers.evidence import Key, ScoreRange, Spread, ranges, spreads, tried
from lacuna.tables.papers.published import heading, printed_elsewhere, published
from lacuna.tables.published_number import PublishedNumber
from lacuna.tables.text import number, words

LAW_DRAWN = ("mar", "mnar")


def _key(cell: Cell) -> Key:
    if not cell.runs:
        return ()
    config = cell.runs[0].config
    names = config["names"]
    return names["dataset"], names["mask"], names["method"], str(config["ratio"]), cell.metric


def _true_range(cell: Cell) -> ScoreRange | None:
    dataset, *_, key = _key(cell)
    return ranges().get((dataset, "", "truth", "", key))


def discrepancies(grid: Grid) -> list[str]:
    """One sentence for each figure that is further from the printed one than its noise, and on what noise is known."""
    compared = [
        (row, column, cell)
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=True)
        if cell.verdict != "unknown"
    ]
    apart = [_of_cell(*found) for found in compared if found[2].verdict != "same"]
    settings = _of_settings([cell for _, _, cell in compared if cell.verdict != "same"])
    told = (*settings, *apart, *_wide_draws(grid), *_single_seeds(grid), *_narrow_print(grid), *_in_two_minds(grid))
    return [*_by_chance([cell for _, _, cell in compared]), *told]


def _by_chance(compared: Sequence[Cell]) -> Iterator[str]:
    if apart := [cell for cell in compared if cell.verdict != "same"]:
        expected = (1 - CONFIDENCE) * sum(cell.seeded for cell in compared)
        text = f"{len(apart)} of {len(compared)} compared figures lie outside the 95% interval of the difference"
        yield f"{text}; about {expected:.1f} would by chance alone."
        if small := sum(not cell.material for cell in apart):
            yield f"{small} of the {len(apart)} differ by less than half a point, or 0.01 sd: too little to matter."


def _of_settings(cells: Sequence[Cell]) -> Iterator[str]:
    """What the choice of the classifier does to downstream scores."""
    found = [(cell, tried) for cell in cells if (tried := ranges().get(_key(cell)))]
    if found:
        cell, tried = max(found, key=lambda pair: pair[1].highest - pair[1].lowest)
        truth, about = _true_range(cell), cell.display
        assert truth is not None
        true = f"{number(about, truth.lowest)} to {number(about, truth.highest)}"
        imputed = f"{number(about, tried.lowest)} to {number(about, tried.highest)}"
        yield (
            f"The paper prints neither the classifier's grid nor its choice. On one draw, {tried.settings} settings "
            f"that score {true} ({about.label}) when trained on the true table, where the choice is made, score "
            f"{imputed} when trained on the imputed one. {sum(_reached(*pair) for pair in found)} of {len(found)} "
            "printed figures lie in the range of the settings, widened by our sd over seeds."
        )


def _reached(cell: Cell, tried: ScoreRange) -> bool:
    assert cell.published is not None
    margin = 0.0 if math.isnan(cell.sd) else cell.sd
    return tried.lowest - margin <= cell.published.value <= tried.highest + margin


def _of_cell(row: GridRow, column: GridColumn, cell: Cell) -> str:
    assert cell.published is not None
    about = cell.display
    name = ", ".join(filter(None, (*row.headers, row.budget, *column.headers)))
    text = f"{name}: {number(about, cell.mean)} here, {number(about, cell.published.value)} printed."
    if known := spreads().get(_key(cell)):
        printed = (cell.published.value - known.mean) / known.sd
        ours = (cell.mean - known.mean) / (known.sd / math.sqrt(cell.n))
        return (
            f"{text} Over {known.draws} other draws of data and mask it is {number(about, known.mean)} ± "
            f"{number(about, known.sd)}: the printed figure lies {_away(printed, 'sd of one draw')}, ours "
            f"{_away(ours, f'standard errors of {cell.n} draws')}."
        )
    if tried := ranges().get(_key(cell)):
        return f"{text} {number(about, tried.lowest)} to {number(about, tried.highest)} by the classifier's setting."
    if twin := _printed_as_mean_mode(cell.published):
        return f"{text} {twin}"
    said = words(cell)
    text = f"{name}: {said.ours} here, {said.printed} printed. The difference is {_signed(about, cell.difference)} ± "
    text += f"{number(about, cell.margin)} (95%)"
    if cell.n > 1:
        low, high = min(cell.values.values()), max(cell.values.values())
        where = "within" if low <= cell.published.value <= high else "outside"
        text += f"; print lies {where} the range of our seeds, {number(about, low)} to {number(about, high)}"
    return f"{text}.{_other_settings(row, cell)}"


def _printed_as_mean_mode(printed: PublishedNumber) -> str:
    """Said of a printed accuracy that is Mean/Mode's to its last digit: that run moved no level off the mode."""
    if printed.method == "mean_mode" or not printed.metric.endswith("/acc"):
        return ""
    about = ("table", "dataset", "n", "p", "mask", "ratio", "target", "metric", "value")
    twins = (one for one in published() if one.method == "mean_mode")
    same = any(all(getattr(one, name) == getattr(printed, name) for name in about) for one in twins)
    return "The paper prints Mean/Mode's accuracy for it: its run moved no level off the mode." if same else ""


def _signed(about: Display, difference: float) -> str:
    return f"{'+' if difference > 0 else '−'}{number(about, abs(difference))}"


def _other_settings(row: GridRow, cell: Cell) -> str:
    """What was tried on the same draw, the nearest to print first."""
    assert cell.published is not None
    about, printed = cell.display, cell.published
    place = printed.dataset, str(printed.n or ""), str(printed.ratio), printed.method
    found = [one for one in tried().get(place, ()) if one.setting]
    if not found or row.budget == "quick":
        return ""
    found.sort(key=lambda one: abs(one.mean - printed.value))
    parts = (
        f"{one.setting} {number(about, one.mean)}{'' if math.isnan(one.sd) else f' ± {number(about, one.sd)}'} "
        f"({one.seeds})"
        for one in found
    )
    return f" Tried on the same draw: {'; '.join(parts)}."


def _away(distance: float, unit: str) -> str:
    """
    >>> _away(-1.04, "sd")
    '1.0 sd below that mean'
    """
    return f"{abs(distance):.1f} {unit} {'above' if distance > 0 else 'below'} that mean"


def _wide_draws(grid: Grid) -> Iterator[str]:
    """Of masks whose law is drawn with the seed: how far that alone moves a share that needs no model."""
    widest: dict[str, tuple[Spread, Cell]] = {}
    for cell in (cell for row in grid.rows for cell in row.cells if cell.display.percent):
        known = spreads().get(_key(cell))
        mask = cell.runs[0].config["names"]["mask"] if cell.runs else ""
        if known and mask in LAW_DRAWN and (mask not in widest or known.sd > widest[mask][0].sd):
            widest[mask] = known, cell
    for known, cell in widest.values():
        about, config = cell.display, cell.runs[0].config
        mask, method = described.label(config, "mask"), described.label(config, "method")
        yield (
            f"{mask}: each seed draws which columns drive the mask, and their weights. That alone "
            f"moves the {about.label} of {method} by up to {number(about, known.sd)} points (sd over {known.draws} "
            f"draws), so {cell.n} seeds tell its mean to {number(about, known.sd / math.sqrt(cell.n))}."
        )


def _single_seeds(grid: Grid) -> Iterator[str]:
    """Of rows in which some cells have one seed and others tell how far seeds go."""
    for row in grid.rows:
        spread = [cell.sd for cell in row.cells if cell.n > 1 and cell.sd > 0]
        alone = [cell for cell in row.cells if cell.n == 1 and cell.verdict == "unknown" and cell.published]
        if spread and alone and all(cell.comparable for cell in alone):
            about = alone[0].display
            furthest = max(abs(cell.difference) for cell in alone)
            yield (
                f"{', '.join(filter(None, (*row.headers, row.budget)))}: cells of one seed differ from print by up to "
                f"{number(about, furthest)}, {furthest / max(spread):.1f} times the sd over seeds of the others."
            )


def _narrow_print(grid: Grid) -> Iterator[str]:
    """Of tables on one published draw: printed sds beside ours, which come from the method's seed alone."""
    ratios: dict[str, list[float]] = {}
    for row in grid.rows:
        for cell in row.cells:
            known = cell.published and cell.published.std and cell.comparable and cell.sd > 0 and cell.n > 2
            if known and not any(drawn(run.config) for run in cell.runs):
                assert cell.published is not None
                ratios.setdefault(_published_method(cell), []).append((cell.published.std or 0.0) / cell.sd)
    if ratios:
        listed = (f"{name} {np.median(found):.1f}" for name, found in ratios.items())
        yield (
            "Printed sds over ours, which come from the method's seed alone on one draw (median over cells of three "
            f"seeds and more): {', '.join(listed)}. A printed sd that is many times ours holds more than the method's "
            "seed, or not the same."
        )


def _published_method(cell: Cell) -> str:
    """The label of the method, where the paper prints it as what it is and not as a variant."""
    assert cell.published is not None
    config, name = cell.runs[0].config, cell.published.method
    return described.label(config, "method") if config["names"]["method"] == name else name


def _in_two_minds(grid: Grid) -> Iterator[str]:
    """What the paper prints twice, and not alike."""
    for row in grid.rows:
        for column, cell in zip(grid.columns, row.cells, strict=True):
            others = printed_elsewhere(cell.published) if cell.published and cell.comparable and cell.values else []
            if cell.published and others:
                about, name = cell.display, ", ".join(filter(None, (*row.headers, *column.headers)))
                elsewhere = " and ".join(f"{number(about, other.value)} in its {heading(other)}" for other in others)
                yield (
                    f"{name}: for one and the same setting the paper prints {number(about, cell.published.value)} here "
                    f"and {elsewhere}; ours is {words(cell).ours}."
                )
