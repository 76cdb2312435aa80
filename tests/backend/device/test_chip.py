"""What a device does not report, or reports impossibly, is never taken for perfect."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, QubitProperties
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties
from qiskit_aer import AerSimulator

from qhn.backend.device.chip import DEFAULT_REP_DELAY, MAX_SHOTS, Chip, chip_of
from qhn.backend.device.isa import check_isa
from qhn.backend.device.layout import best_chain
from qhn.backend.device.load import load_of
from qhn.backend.device.placement import place
from qhn.backend.noise.channels import ChipNoise
from qhn.backend.rehearsal import FakeDevice
from qhn.backend.settings import RehearsalSettings
from qhn.circuit.hypernetwork import hypernetwork
from qhn.seeds import Key

IMPOSSIBLE = [None, -0.2, math.nan, math.inf, -math.inf]
ERROR, TIME, T1, T2, READOUT = 0.003, 4e-7, 1e-4, 8e-5, 0.02
BAD = 4  # the qubit of which nothing good is reported


def line(num_qubits: int = 6, worst: int = 1) -> BackendV2:
    """A device of good qubits in a line; qubit ``worst`` and its gates have twice the errors, half the times."""
    pairs = [[q, q + 1] for q in range(num_qubits - 1)]
    device = GenericBackendV2(num_qubits, coupling_map=pairs, basis_gates=["id", "rz", "sx", "x", "cx"], seed=1)
    device.target.qubit_properties = [
        QubitProperties(t1=T1 / (1 + (q == worst)), t2=T2 / (1 + (q == worst))) for q in range(num_qubits)
    ]
    for name in ("sx", "x", "cx", "measure"):
        for qubits in device.target[name]:
            error = (READOUT if name == "measure" else ERROR) * (1 + (worst in qubits))
            device.target.update_instruction_properties(name, qubits, InstructionProperties(TIME, error))
    return device


def with_error(name: str) -> Callable[[BackendV2, float | None], None]:
    def spoil(device: BackendV2, value: float | None) -> None:
        for qubits in device.target[name]:
            if BAD in qubits:
                device.target.update_instruction_properties(name, qubits, InstructionProperties(TIME, value))

    return spoil


def with_duration(device: BackendV2, value: float | None) -> None:
    for qubits in device.target["cx"]:
        device.target.update_instruction_properties(
            "cx", qubits, InstructionProperties(value if BAD in qubits else TIME, ERROR)
        )


def with_times(device: BackendV2, value: float | None) -> None:
    properties = list(device.target.qubit_properties)
    properties[BAD] = QubitProperties(t1=value, t2=value)
    device.target.qubit_properties = properties


SPOILED = {
    "readout error": (with_error("measure"), lambda chip: chip.readout_error[BAD], 2 * READOUT),
    "error of cx": (with_error("cx"), lambda chip: chip.gates["cx", (BAD, BAD + 1)].error, 2 * ERROR),
    "error of sx": (with_error("sx"), lambda chip: chip.one_qubit_error[BAD], 2 * ERROR),
    "duration of cx": (with_duration, lambda chip: chip.gates["cx", (BAD, BAD + 1)].duration, TIME),
    "T1": (with_times, lambda chip: chip.t1[BAD], T1 / 2),
    "T2": (with_times, lambda chip: chip.t2[BAD], T2 / 2),
}


@pytest.mark.parametrize("value", IMPOSSIBLE)
@pytest.mark.parametrize("what", SPOILED)
def test_what_is_not_reported_is_the_worst_of_its_kind_and_said(what: str, value: Any) -> None:
    spoil, read, worst = SPOILED[what]
    device = line()
    spoil(device, value)
    chip = chip_of(device)
    assert read(chip) == pytest.approx(worst)
    (gap,) = (gap for gap in chip.assumed if gap.what == what)
    assert (BAD,) in gap.places or (BAD, BAD + 1) in gap.places
    assert gap.value == pytest.approx(worst)
    sampler = FakeDevice(device, RehearsalSettings(qubits=((3, 4, 5),))).compile(hypernetwork(3, 1))
    for qubits in ((3, 4), (4, 5)):
        assert np.abs(sampler.noise.after("cx", qubits)).max() <= 1
    chances = sampler.probabilities(np.ones((1, 12)))
    np.testing.assert_allclose(chances.sum(), 1)
    assert chances.min() >= 0


def test_placement_does_not_prefer_a_qubit_of_which_nothing_is_reported() -> None:
    device = line()
    for name in ("measure", "cx", "sx"):
        with_error(name)(device, None)
    chain = best_chain(chip_of(device), load_of(hypernetwork(2, 1)))
    assert set(chain.qubits) == {2, 3}  # 0 to 2 are beside the worst reported qubit, 4 is taken to be as bad


@pytest.mark.parametrize("name", ["measure", "cx", "sx"])
def test_a_kind_of_error_that_is_reported_nowhere_is_not_priced(name: str) -> None:
    device = line()
    for qubits in device.target[name]:
        device.target.update_instruction_properties(name, qubits, InstructionProperties(TIME, None))
    what = "readout error" if name == "measure" else f"error of {name}"
    with pytest.raises(ValueError, match=f"{what} is reported nowhere on the device"):
        place(hypernetwork(3, 1), device, RehearsalSettings())
    circuit = QuantumCircuit(6, 1)
    circuit.append(device.target.operation_from_name(name), next(iter(device.target[name])), [0] * (name == "measure"))
    with pytest.raises(ValueError, match=f"generic.* reports no {what}, so that {name} on .* has no price"):
        check_isa(circuit, chip_of(device))


@pytest.mark.parametrize("value", [1.0, 1.5])
@pytest.mark.parametrize("name", ["measure", "cx", "sx"])
def test_an_error_of_one_or_more_is_dead(name: str, value: float) -> None:
    device = line(num_qubits=7)
    with_error(name)(device, value)
    chip = chip_of(device)
    assert not chip.assumed
    assert BAD not in best_chain(chip, load_of(hypernetwork(2, 1))).qubits
    assert BAD not in best_chain(chip, load_of(hypernetwork(4, 1))).qubits
    with pytest.raises(ValueError, match=r"dead \(error 1\)"):
        place(hypernetwork(3, 1), device, RehearsalSettings(qubits=((3, 4, 5),)))


def test_a_device_without_relaxation_times_has_its_reported_errors() -> None:
    device = line()
    device.target.qubit_properties = None
    chip = chip_of(device)
    assert np.isinf(chip.t1).all()
    assert [gap.what for gap in chip.assumed] == ["T1", "T2"]
    assert "reported nowhere" in chip.assumed[0].words()
    fidelity = (np.trace(ChipNoise(chip).after("cx", (3, 4))) / 4 + 1) / 5
    assert 1 - fidelity == pytest.approx(ERROR)


@pytest.mark.parametrize("what", SPOILED)
def test_the_twin_and_aer_assume_the_same(what: str) -> None:
    device, ansatz, shots = line(), hypernetwork(3, 2), 40_000
    SPOILED[what][0](device, None)
    theta = np.random.default_rng(4).uniform(0, 6, (1, ansatz.num_parameters))
    found = [
        FakeDevice(device, RehearsalSettings(simulator=simulator, qubits=((3, 4, 5),)))
        .compile(ansatz)
        .sample(theta, shots, Key(3))
        .bits.mean(axis=(0, 1))
        for simulator in ("twin", "aer")
    ]
    np.testing.assert_allclose(*found, atol=5 * np.sqrt(0.5 / shots))


def test_a_recorded_calibration_says_what_was_assumed() -> None:
    device = line()
    with_error("cx")(device, None)
    with_times(device, -1.0)
    chip = chip_of(device)
    tree = json.loads(json.dumps(chip.to_json(), allow_nan=False))
    again = Chip.from_json(tree)
    assert again.assumed == chip.assumed
    assert again.gates == chip.gates
    np.testing.assert_array_equal(again.t1, chip.t1)
    del tree["assumed"]  # as earlier versions wrote it, with what the device reported
    tree["t1"][2] = -1.6e-3
    earlier = Chip.from_json(tree)
    assert earlier.t1[2] == chip.t1.min()
    assert [gap.what for gap in earlier.assumed] == ["T1"]


class Properties:
    """Calibration of the readout as IBM reports it: for each qubit, both errors or one of them."""

    last_update_date = datetime(2026, 1, 1)

    def __init__(self, errors: list[dict[str, float]]) -> None:
        self.errors = errors

    def faulty_qubits(self) -> list[int]:
        return []

    def faulty_gates(self) -> list[object]:
        return []

    def qubit_property(self, qubit: int) -> dict[str, tuple[float, None]]:
        return {name: (value, None) for name, value in self.errors[qubit].items()}


def test_half_a_readout_error_stays_and_the_other_half_is_the_worst() -> None:
    device = line(num_qubits=5)
    for qubits in device.target["measure"]:
        device.target.update_instruction_properties("measure", qubits, InstructionProperties(TIME, None))
    read_0, read_1 = "prob_meas1_prep0", "prob_meas0_prep1"
    known = [{read_0: 0.02, read_1: 0.03}, {read_0: 0.4}, {read_0: -0.1, read_1: 0.3}, {}, {read_0: 0.01, read_1: 0.01}]
    device.properties = lambda: Properties(known)
    chip = chip_of(device)
    np.testing.assert_allclose(
        chip.readout, [[0.02, 0.03], [0.4, 0.3], [0.4, 0.3], [0.35, 0.35], [0.01, 0.01]], atol=1e-12
    )
    assert {gap.what: gap.places for gap in chip.assumed} == {
        "error of reading 0": ((2,),),
        "error of reading 1": ((1,),),
        "readout error": ((3,),),
    }
    for errors in known:
        errors.pop(read_1, None)
    with pytest.raises(ValueError, match="readout error is reported nowhere on the device"):
        place(hypernetwork(3, 1), device, RehearsalSettings())


@pytest.mark.parametrize("value", [*IMPOSSIBLE, "0.01", True, (None, None), (0.5, 0.1)])
def test_limits_that_are_none_are_the_usual_ones(value: Any) -> None:
    device = line()
    device.default_rep_delay = device.max_shots = None if isinstance(value, tuple) else value
    device.rep_delay_range = value if isinstance(value, tuple) else (value, value)
    chip = chip_of(device)
    assert (chip.rep_delay, chip.max_shots) == (DEFAULT_REP_DELAY, MAX_SHOTS)
    assert chip.rep_delay_range == (DEFAULT_REP_DELAY, DEFAULT_REP_DELAY)


class Told:
    """Properties of a vendor that have another form than those of IBM's client."""


@pytest.mark.parametrize("properties", [None, Told()])
def test_properties_of_another_form_are_not_read(properties: Any) -> None:
    device = line()
    device.properties = lambda: properties
    assert chip_of(device).to_json() == chip_of(line()).to_json()


def test_a_simulator_that_was_made_of_a_device_has_its_calibration_without_a_date() -> None:
    device = line()
    found, made = chip_of(device), chip_of(AerSimulator.from_backend(device))
    assert made.date == ""
    assert np.array_equal(made.readout_error, found.readout_error)
    assert made.pairs == found.pairs
