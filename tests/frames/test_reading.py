"""Remedies that notes name work as they are typed."""

from __future__ import annotations

import shlex

import pytest

from lacuna.config.compose import compose, plain
from lacuna.datasets.csv import read_schema
from lacuna.errors import UserError
from lacuna.frames.reading import Reading, asked_of

NAMES = ["cabin", "pay ($)", "größe", "a, b", "x:y", "{z}", "# no", "true", "1", "a/b.c", "$x"]


@pytest.mark.parametrize("name", NAMES)
def test_an_override_means_what_it_says(name: str) -> None:
    reading = Reading(schema_key="dataset.schema")
    for typed, want in (
        (reading.typed(name, "categorical"), "categorical"),
        (reading.typed(name, "date", "%b %d, %Y"), {"kind": "date", "format": "%b %d, %Y"}),
    ):
        (override,) = shlex.split(typed)  # as a shell takes it
        config = plain(compose(["dataset=csv", "dataset.path=x", "method=mean_mode", override]))
        assert read_schema(config["dataset"]["schema"]) == {name: want}


def test_other_places_of_a_schema() -> None:
    assert eval(f"dict({Reading().typed('pay ($)', 'ignore')})") == {"schema": {"pay ($)": "ignore"}}
    file = Reading(schema_key="dataset.schema", schema_file="kinds.yaml")
    assert file.typed("pay ($)", "ignore") == 'the line "pay ($)": "ignore" in kinds.yaml'
    odd = Reading(schema_key="dataset.schema").typed("it's ${x}", "ignore")
    assert odd == 'the line "it\'s ${x}": "ignore" in a YAML file given as dataset.schema'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("numeric", "cannot be 'numeric'; it can be continuous"),
        ({"kind": "date", "fromat": "%d"}, "has 'fromat'; it can have kind, format, decimal, min, max, whole"),
        ({"kind": "integer", "format": "%d"}, "a format such as '%d/%m/%y' goes with kind date"),
        (3, "column 'x' cannot be 3; it can be continuous"),
    ],
)
def test_what_a_schema_cannot_say(value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        asked_of("x", value)  # type: ignore[arg-type]
