"""Where qubits are drawn, and what the picture of a chip keeps beside it."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from qiskit_ibm_runtime import fake_provider

from pictures import is_drawn
from qhn.backend.device.chip import chip_of
from qhn.backend.device.layout import disjoint_chains
from qhn.backend.device.load import Load, load_of
from qhn.backend.device.routing import route_of
from qhn.circuit.hypernetwork import hypernetwork
from qhn.report.chip_map import chip_map, places


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize(
    "name", ["FakeTorino", "FakeFez", "FakeSherbrooke", "FakeMiami", "FakeHanoiV2", "FakeManilaV2"]
)
def test_lattices_are_drawn_as_lattices(name: str) -> None:
    chip = chip_of(getattr(fake_provider, name)())
    place = places(chip.num_qubits, list(chip.pairs))
    assert len(set(map(tuple, place.tolist()))) == chip.num_qubits
    for a, b in chip.pairs:
        assert np.abs(place[a] - place[b]).sum() == 1


@pytest.mark.parametrize("name", ["FakeMelbourneV2", "FakeYorktownV2", "FakePrague"])
def test_what_is_no_lattice_by_number_keeps_neighbours_close(name: str) -> None:
    chip = chip_of(getattr(fake_provider, name)())
    place = places(chip.num_qubits, list(chip.pairs))
    apart = np.hypot(*(place[:, None] - place).transpose(2, 0, 1))
    far = np.mean([apart[a, b] for a in range(chip.num_qubits) for b in range(a)])
    assert np.mean([apart[pair] for pair in chip.pairs]) < 0.75 * far
    assert min(apart[pair] for pair in chip.pairs) > 0.99


@pytest.mark.pictures
def test_the_picture_keeps_its_numbers(tmp_path: Path) -> None:
    chip = dataclasses.replace(chip_of(fake_provider.FakeTorino()), faulty=frozenset({3}))
    chains = disjoint_chains(chip, load_of(hypernetwork(5, 1)), 2)
    path = chip_map(tmp_path / "map.png", chip, chains)
    assert is_drawn(path)
    qubits = read(path.with_suffix(".csv"))
    assert len(qubits) == 133
    assert float(qubits[7]["readout_error"]) == chip.readout_error[7]
    for tile, chain in enumerate(chains):
        places_in_chain = {int(row["position"]): int(row["qubit"]) for row in qubits if row["tile"] == str(tile)}
        assert [places_in_chain[j] for j in range(5)] == list(chain.qubits)
    pairs = read(tmp_path / "map-pairs.csv")
    assert sum(row["in_a_chain"] == "1" for row in pairs) == 2 * 4
    assert sum(float(row["error"]) == 1 for row in pairs) == 11


@pytest.mark.pictures
def test_a_route_is_drawn_with_the_qubits_that_only_help(tmp_path: Path) -> None:
    chip = chip_of(fake_provider.FakeTorino())
    pairs = [(0, 1), (1, 2), (0, 15)]
    load = Load((1, 1, 1, 1), (2, 2, 2))
    route = route_of(chip, load, qubits=(2, 0, 15), start=(1, 0, 15), used=(0, 1, 2, 15), pairs=pairs)
    path = chip_map(tmp_path / "map.png", chip, [route])
    assert is_drawn(path)
    qubits = read(path.with_suffix(".csv"))
    in_use = {int(row["qubit"]): int(row["position"]) for row in qubits if row["tile"] == "0"}
    assert in_use == {2: 0, 0: 1, 15: 2, 1: -1}
    kept = [row for row in read(tmp_path / "map-pairs.csv") if row["in_a_chain"] == "1"]
    assert [(int(row["first"]), int(row["second"])) for row in kept] == sorted(pairs)


@pytest.mark.pictures
def test_a_chip_without_pairs_is_drawn(tmp_path: Path) -> None:
    assert is_drawn(chip_map(tmp_path / "one.png", chip_of(fake_provider.FakeArmonkV2())))
