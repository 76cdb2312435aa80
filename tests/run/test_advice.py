"""Advice on a run: said where it helps, with figures that hold, and not where it does not."""

from __future__ import annotations

import re

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qhn.circuit.unrolled import circuit_ansatz
from qhn.config.file import load_config, parse_setting, with_settings
from qhn.run.advice import advice_on_rate, advice_on_rows

SAMPLED = {"train.backend": "aer", "train.shots": 50, "train.steps": 2}


def turning(num_gates: int, num_angles: int = 1) -> QuantumCircuit:
    """Angles that turn so many gates in all, one after the other."""
    circuit, angles = QuantumCircuit(1), [Parameter(f"a{k}") for k in range(num_angles)]
    for gate in range(num_gates):
        (circuit.rx if gate // num_angles % 2 == 0 else circuit.ry)(angles[gate % num_angles], 0)
    return circuit


@pytest.mark.parametrize(("decay_steps", "planned", "said"), [(None, 3, ""), (3, 3, ""), (3, 4, ""), (1200, 0, "1")])
def test_a_rate_that_has_not_fallen_is_told(decay_steps: int | None, planned: int, said: str) -> None:
    words = advice_on_rate(decay_steps, planned)
    assert bool(words) == bool(said)
    if words:
        assert "over 1,200 steps, and this run ends after 0, " in words
        assert "--set train.optimizer.decay_steps=1 comes to rest" in words


def test_spsa_is_proposed_where_it_takes_few_rows() -> None:
    config = load_config("figure-1", SAMPLED)
    problem = config.problem()
    assert advice_on_rows(config, config.circuit(problem)) == ""
    qaoa = load_config("figure-1", SAMPLED | {"ansatz": "qaoa"})
    words = advice_on_rows(qaoa, qaoa.circuit(problem))
    assert "77 rows, since 4 angles turn 38 gates; SPSA along 4 directions takes 9" in words
    chosen = with_settings(qaoa, dict(map(parse_setting, re.findall(r"--set (\S+)", words))))
    assert chosen.train.gradient.build(qaoa.circuit(problem)).num_rows == 9
    assert advice_on_rows(chosen, qaoa.circuit(problem)) == ""


@pytest.mark.parametrize(
    ("num_gates", "num_angles", "is_said"), [(2, 1, False), (3, 1, True), (4, 2, False), (5, 2, True)]
)
def test_it_is_worth_a_word_from_half_the_rows_on(num_gates: int, num_angles: int, is_said: bool) -> None:
    """A gradient takes 1 + 2 rows a gate, and SPSA 1 + 2 rows an angle."""
    config = load_config("figure-1", SAMPLED)
    ansatz = circuit_ansatz(turning(num_gates, num_angles))
    assert ansatz.active.all()
    assert (1 + 2 * num_gates >= 2 * (1 + 2 * num_angles)) == is_said
    words = advice_on_rows(config, ansatz)
    assert bool(words) == is_said
    if is_said:
        assert f"takes {1 + 2 * num_gates} rows" in words
        assert f"directions takes {1 + 2 * num_angles}:" in words


def test_nothing_is_said_of_a_run_without_shots() -> None:
    config = load_config("figure-1", {"train.backend": "exact"})
    assert config.train.shots is None
    assert advice_on_rows(config, circuit_ansatz(turning(9))) == ""
