"""The choice of qubits against brute force, and what of a chip must never be used."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime import fake_provider

from qhn.backend.device.chain_search import Grid, cheapest
from qhn.backend.device.chip import Chip, GateFacts, chip_of
from qhn.backend.device.layout import QubitChain, best_chain, chain_of, disjoint_chains
from qhn.backend.device.load import Load, load_of
from qhn.backend.device.region import report
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state


def stored(name: str) -> Chip:
    return chip_of(getattr(fake_provider, name)())


@pytest.fixture(scope="module")
def torino() -> Chip:
    return stored("FakeTorino")


def random_chip(rng: np.random.Generator, num_qubits: int, density: float) -> Chip:
    gates = {("sx", (q,)): GateFacts(float(rng.uniform(0, 0.05)), 1e-8) for q in range(num_qubits)}
    for a, b in itertools.combinations(range(num_qubits), 2):
        if rng.random() < density:
            gates["cz", (a, b)] = GateFacts(1.0 if rng.random() < 0.1 else float(rng.uniform(0, 0.2)), 1e-8)
    infinite = np.full(num_qubits, np.inf)
    return Chip("dice", num_qubits, rng.uniform(0, 0.2, (num_qubits, 2)), infinite, infinite, gates, frozenset({1}))


def brute_force(chip: Chip, load: Load, exclude: tuple[int, ...] = ()) -> float:
    """The highest fidelity of all simple paths; 0 if there is none."""
    pairs, best = chip.pairs, 0.0

    def grow(path: tuple[int, ...], fidelity: float) -> None:
        nonlocal best
        if len(path) == load.num_qubits:
            best = max(best, fidelity)
            return
        for after in range(chip.num_qubits):
            pair = (min(path[-1], after), max(path[-1], after))
            if after not in path and pairs.get(pair, 1.0) < 1 and after not in banned:
                bond = (1 - pairs[pair]) ** load.two_qubit[len(path) - 1]
                grow((*path, after), fidelity * bond * alone(after, len(path)))

    def alone(qubit: int, position: int) -> float:
        error = chip.gates["sx", (qubit,)].error
        return (1 - chip.readout[qubit].mean()) * (1 - error) ** load.one_qubit[position]

    banned = {*exclude, *chip.faulty}
    for start in set(range(chip.num_qubits)) - banned:
        grow((start,), alone(start, 0))
    return best


@pytest.mark.parametrize(
    ("ansatz", "one", "two"),
    [
        (product_state(3), (2, 2, 2), (0, 0)),
        (hypernetwork(4, 1), (2, 4, 4, 2), (1, 1, 1)),
        (hypernetwork(4, 1, "authors"), (4, 4, 4, 4), (1, 0, 1)),
        (hypernetwork(4, 2), (4, 8, 8, 4), (2, 2, 2)),
    ],
)
def test_load_counts_the_gates_of_every_place(ansatz: Hypernetwork, one: tuple[int, ...], two: tuple[int, ...]) -> None:
    load = load_of(ansatz)
    assert load == Load(one, two)
    assert sum(load.two_qubit) == ansatz.pruned.count_ops().get("cx", 0)
    assert sum(load_of(ansatz, fold=True).two_qubit) == ansatz.executed.count_ops().get("cx", 0)


@pytest.mark.parametrize("name", ["FakeCasablancaV2", "FakeManilaV2", "FakeYorktownV2", "FakeGuadalupeV2"])
def test_the_search_equals_brute_force_on_small_devices(name: str) -> None:
    chip = stored(name)
    for num_qubits, num_layers in ((1, 1), (2, 1), (4, 2), (5, 1), (9, 2)):
        load = load_of(hypernetwork(num_qubits, num_layers))
        expected = brute_force(chip, load) if num_qubits <= chip.num_qubits else 0.0
        if expected:
            chain = best_chain(chip, load)
            assert chain.exact
            assert chain.fidelity == pytest.approx(expected, rel=1e-10)
            assert chain == chain_of(chip, load, chain.qubits, exact=True)
        else:
            with pytest.raises(ValueError, match="has"):
                best_chain(chip, load)


def test_the_search_equals_brute_force_on_random_graphs_with_uneven_load(rng: np.random.Generator) -> None:
    found = 0
    for trial in range(40):
        num_qubits = int(rng.integers(2, 7))
        chip = random_chip(rng, 10, density=float(rng.uniform(0.15, 0.5)))
        load = Load(
            tuple(map(int, rng.integers(0, 9, num_qubits))), tuple(map(int, rng.integers(0, 5, num_qubits - 1)))
        )
        exclude = (int(rng.integers(2, 10)),) if trial % 2 else ()
        expected = brute_force(chip, load, exclude)
        if not expected:
            with pytest.raises(ValueError, match="has no chain of"):
                best_chain(chip, load, exclude=exclude)
            continue
        chain = best_chain(chip, load, exclude=exclude)
        assert chain.exact
        assert chain.fidelity == pytest.approx(expected, rel=1e-10)
        assert not {1, *exclude} & set(chain.qubits)
        found += 1
    assert found > 20


def test_dead_pairs_and_excluded_qubits_are_never_used(torino: Chip) -> None:
    load = load_of(hypernetwork(14, 2))
    dead = {pair for pair, error in torino.pairs.items() if error >= 1}
    assert len(dead) == 11
    chains = disjoint_chains(torino, load, "auto")
    used = {(min(hop), max(hop)) for chain in chains for hop in itertools.pairwise(chain.qubits)}
    assert not used & dead
    first = best_chain(torino, load)
    second = best_chain(torino, load, exclude=first.qubits)
    assert not set(first.qubits) & set(second.qubits)
    assert second.fidelity < first.fidelity
    assert best_chain(torino, load, exclude=first.qubits[:1]).fidelity <= first.fidelity


def test_what_has_no_chain_is_refused_with_the_reason(torino: Chip) -> None:
    load = load_of(hypernetwork(14, 2))
    text = r"fake_kyoto has no chain of 14 .* 144 of its 144 pairs are reported dead \(error 1\); use another device"
    with pytest.raises(ValueError, match=text):
        best_chain(stored("FakeKyoto"), load)
    with pytest.raises(ValueError, match="fake_manila has 5 qubits, the circuit needs 6"):
        best_chain(stored("FakeManilaV2"), load_of(hypernetwork(6, 1)))
    with pytest.raises(ValueError, match="119 are excluded, the largest connected part has 14 qubits"):
        best_chain(torino, load_of(hypernetwork(15, 1)), exclude=range(14, 133))
    with pytest.raises(ValueError, match="no qubit 133 to exclude; its qubits are 0 to 132"):
        best_chain(torino, load, exclude=[133])
    with pytest.raises(
        ValueError, match=r"50 tiles do not fit on fake_torino, which has room for . chains of 14 qubits"
    ):
        disjoint_chains(torino, load, 50)
    with pytest.raises(ValueError, match="tiles must be at least 1 or auto, got 0"):
        disjoint_chains(torino, load, 0)
    with pytest.raises(ValueError, match="qubits 0 and 2 of fake_torino are not neighbours"):
        chain_of(torino, load_of(hypernetwork(2, 1)), (0, 2))


@pytest.mark.parametrize(
    ("name", "known", "first"),
    [("FakeTorino", 0.67, 0.46), ("FakeFez", 0.82, 0.75), ("FakeBoston", 0.915, 0.80)],
)
def test_chains_are_as_good_as_an_independent_search_found(name: str, known: float, first: float) -> None:
    """Fidelities of another search with a slightly different load, for the best chain and for qubits 0 to 13."""
    chip, load = stored(name), load_of(hypernetwork(14, 2))
    assert best_chain(chip, load).fidelity == pytest.approx(known, abs=0.02)
    assert chain_of(chip, load, range(14)).fidelity == pytest.approx(first, abs=0.02)


@pytest.mark.parametrize("name", ["FakeTorino", "FakeFez", "FakeSherbrooke", "FakeMiami", "FakeHanoiV2"])
def test_no_chain_is_worse_than_the_transpilers(name: str) -> None:
    device, ansatz = getattr(fake_provider, name)(), hypernetwork(14, 2)
    passes = generate_preset_pass_manager(optimization_level=3, backend=device, seed_transpiler=1)
    theirs = passes.run(ansatz.pruned).layout.final_index_layout()
    chip, load = chip_of(device), load_of(ansatz)
    assert best_chain(chip, load).fidelity >= chain_of(chip, load, theirs).fidelity - 1e-12


def test_long_chains_are_exact_on_heavy_hex_and_bounded_elsewhere(torino: Chip) -> None:
    chain = best_chain(torino, load_of(hypernetwork(50, 2)))
    assert chain.exact
    assert len(set(chain.qubits)) == 50
    grid = Grid(np.zeros((12, 16)), dict.fromkeys(itertools.combinations(range(16), 2), 0.1), np.ones(11))
    path, certain = cheapest(Grid(grid.vertex + np.arange(16) / 100, grid.edges, grid.bonds), nodes=10)
    assert path is not None
    assert len(set(path)) == 12
    assert not certain


def test_equal_chains_are_chosen_by_number() -> None:
    ring = Grid(np.zeros((3, 6)), {(q, q + 1): 0.1 for q in range(5)} | {(0, 5): 0.1}, np.ones(2))
    assert cheapest(ring) == ((0, 1, 2), True)


def test_choices_repeat(torino: Chip) -> None:
    load = load_of(hypernetwork(8, 2))
    again = chip_of(fake_provider.FakeTorino())
    assert disjoint_chains(torino, load, 3) == disjoint_chains(again, load, 3)


@pytest.mark.parametrize(("name", "guard", "at_least"), [("FakeFez", False, 8), ("FakeTorino", True, 4)])
def test_tiles_are_disjoint_and_worth_it(name: str, guard: bool, at_least: int) -> None:
    chip, load = stored(name), load_of(hypernetwork(14, 2))
    chains = disjoint_chains(chip, load, "auto", guard=guard)
    assert len(chains) >= at_least
    qubits = [qubit for chain in chains for qubit in chain.qubits]
    assert len(set(qubits)) == 14 * len(chains)
    fidelities = [chain.fidelity for chain in chains]
    assert fidelities == sorted(fidelities, reverse=True)
    best = best_chain(chip, load).fidelity
    assert fidelities[0] >= 0.85 * best
    assert fidelities[-1] >= 0.6 * best
    owner = {qubit: tile for tile, chain in enumerate(chains) for qubit in chain.qubits}
    touching = [pair for pair in chip.pairs if owner.get(pair[0], -1) != owner.get(pair[1], -1) and {*pair} <= {*owner}]
    assert not guard or not touching


def test_a_number_of_tiles_is_kept(torino: Chip) -> None:
    load = load_of(hypernetwork(14, 2))
    assert disjoint_chains(torino, load, 1) == [best_chain(torino, load)]
    two = disjoint_chains(torino, load, 2)
    assert len(two) == 2
    greedy = best_chain(torino, load, exclude=best_chain(torino, load).qubits)
    alone = best_chain(torino, load).fidelity
    assert sum(chain.fidelity**2 for chain in two) >= alone**2 + greedy.fidelity**2 - 1e-12


def test_report_says_why(torino: Chip) -> None:
    load = load_of(hypernetwork(4, 1))
    chains = disjoint_chains(torino, load, 2, exclude=[5])
    text = report(torino, load, chains, exclude=[5])
    assert "tile  fidelity  readout  one-qubit  two-qubit" in text
    assert "pairs reported dead (error 1): 15-19, 19-20" in text
    assert "excluded qubits: 5" in text
    assert "125 of 133 qubits of fake_torino stay unused" in text
    assert "the first 4 qubits of the chip would have 0." in text
    for chain in chains:
        assert " ".join(map(str, chain.qubits)) in text
        assert f"{chain.fidelity:.3f}" in text
    assert QubitChain((1,), 0.5, 0.5, 0.4).fidelity == pytest.approx(0.1)
