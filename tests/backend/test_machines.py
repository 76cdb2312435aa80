"""The table of machines: a name finds its row, a row opens its backend, and settings find their type."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from qhn.backend import MACHINES, DeviceSettings, NoiseSettings, RehearsalSettings, machine_of, open_backend
from qhn.backend.machines import Machine, spelled
from qhn.circuit.hypernetwork import product_state
from qhn.config.device import DeviceConfig
from qhn.seeds import Key

OPEN = {machine.name: machine.name if not machine.has_chip else "fake_manila" for machine in MACHINES}
OPEN["twin_"] = "twin_fake_manila"
OPEN.pop("ibm_")  # through an account


def test_every_machine_of_the_table_measures_what_it_should() -> None:
    theta = np.array([[np.pi, 0.0, 0.0, 0.0], [0.0, np.pi, 0.0, 0.0]])  # RY of qubit 0, and of qubit 1, by π
    for kind, name in OPEN.items():
        backend = open_backend(name)
        assert machine_of(backend.name).name == kind
        sampler = backend.compile(product_state(2))
        mostly = sampler.sample(theta, 400, Key(seed=2)).bits.mean(axis=1) > 0.5
        assert mostly.tolist() == [[True, False], [False, True]], name
        assert (sampler.placement is not None) == machine_of(name).has_chip
        assert backend.paid == machine_of(name).bills


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("aerr", "unknown backend 'aerr'; did you mean 'aer'"),
        (
            "laptop",
            "fake_<device>, twin_<device>, ibm_<device>, a plug-in that is installed",
        ),
        ("least-busy", "is chosen at the command line"),
    ],
)
def test_other_names_are_refused_with_help(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        machine_of(name)


def test_settings_of_another_kind_are_refused_and_those_of_a_device_serve_its_rehearsal() -> None:
    with pytest.raises(ValueError, match="backend depolarising takes NoiseSettings, got DeviceSettings"):
        open_backend("depolarising", DeviceSettings())
    with pytest.raises(ValueError, match="backend fake_<device> takes RehearsalSettings, got NoiseSettings"):
        open_backend("fake_manila", NoiseSettings())
    rehearsal = open_backend("fake_manila", DeviceSettings(twirling=True))
    assert rehearsal.settings == RehearsalSettings(twirling=True)


def test_every_setting_of_a_machine_can_be_configured() -> None:
    """The table [device] has all of them, and nothing that no machine and no estimate reads."""
    settings = {field.name for machine in MACHINES for field in fields(machine.settings)}
    assert settings - set(DeviceConfig.model_fields) == {"calibrate"}  # by mitigation
    assert set(DeviceConfig.model_fields) - settings == {"mitigation", "drift_every"}


def test_a_new_machine_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Machine("mine_", "qhn.backend.exact:open_exact", knows_distribution=True)
    monkeypatch.setattr("qhn.backend.machines.MACHINES", (*MACHINES, row))
    assert machine_of("mine_1") is row
    assert open_backend("mine_1").compile(product_state(1)).probabilities(np.zeros((1, 2))).tolist() == [[1.0, 0.0]]
    assert spelled([row]) == "backend mine_<device>"
