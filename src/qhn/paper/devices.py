"""Trained circuits under the noise of three real devices, from their stored calibrations."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from qhn.backend.rehearsal import RehearsalSampler
from qhn.config.file import load_config
from qhn.paper.chances import best_sample
from qhn.paper.claims import Verdict, by_order, in_all
from qhn.paper.family import Decisions, Family
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.noise_pictures import trained_with_noise
from qhn.paper.noisyends import AFTERWARDS, METHODS, WITHOUT, Results, sampler_of, study
from qhn.paper.noisytraining import OURS, finds, lowers, over_machines, points, spread, table
from qhn.paper.optima import EPSILON, GAUSSIANS, MNIST
from qhn.paper.pictures import ORDERS
from qhn.paper.section import Writer

DEVICES = ("fake_torino", "fake_fez", "fake_boston")
WAYS = {MNIST: METHODS, GAUSSIANS: (WITHOUT, AFTERWARDS)}  # the methods of training for each task
NUM_QUBITS = {MNIST: 17, GAUSSIANS: 14}
REMARKS = {MNIST: "", GAUSSIANS: ", where most starts end at a network that is not optimal, with noise or without"}


def noise_of_devices(page: Writer, lab: Lab) -> None:
    """Add to a section what the noise of devices does to circuits trained without it, and what training gains."""
    page.text(
        f"**Real devices.** The same with the noise of {', '.join(DEVICES)}: gates with their reported errors, "
        "relaxation during gates, and readout errors, from the calibrations that IBM's client ships. The circuit is "
        "compiled to the best chain of qubits, without gates that never matter, but with the last CX brick; nothing is "
        "mitigated. In brackets stands the fidelity that the calibration predicts for the chain, readout included. "
        "Crosstalk, leakage, drift and idle qubits are not simulated. ⟨C⟩ and its gradients are exact; a device has "
        "shot noise besides, with which training is harder."
    )
    found, family = {}, Family("noise of devices")
    for task, methods in WAYS.items():
        fidelity = {(device, order): _fidelity(task, device, order) for device in DEVICES for order in ORDERS}
        results = found[task] = study(lab, DEVICES, f"noise of devices, {task}", task, methods)
        page.text(f"`{task}`, {NUM_QUBITS[task]} qubits{REMARKS[task]}:")
        table(page, "device", results, {key: f"{key[0]} ({fidelity[key]:.2f})" for key in fidelity})
        ranking(family, task, results, fidelity)
    page.picture(
        lambda: trained_with_noise(lab.folder / "noise-devices.png", points(found[MNIST]), "device"),
        f"`{MNIST}`: E − C* with the noise of devices, of circuits trained in different ways: means and standard "
        "errors over starts. SPSA is far above.",
    )
    stays_optimal(family, found[MNIST])
    finds(family, OURS, found[MNIST], DEVICES, "a device's noise")
    lowers(family, found[MNIST], DEVICES, "a device's noise")
    family.judge(page)


def _fidelity(task: str, device: str, order: str) -> float:
    """The fidelity that the calibration predicts for the best chain."""
    config = load_config(task, {"ansatz.order": order})
    ansatz = circuit_of(config, config.problem())
    sampler = sampler_of(device, ansatz)
    assert isinstance(sampler, RehearsalSampler)
    return sampler.placement.chains[0].fidelity


def stays_optimal(family: Family, results: Results) -> None:
    """Add the claims that shots with noise still include an optimum, for circuits trained to one without noise."""
    shares, counts = {}, []
    for order in ORDERS:
        ends = [results[device, order][WITHOUT] for device in DEVICES]
        kept = ends[0].ideal < EPSILON
        counts.append(f"{kept.sum()} of {len(kept)} ({order})")
        if kept.any():
            shares[order] = over_machines(ends, kept)
    remark = (
        f"On the worst device for each of the circuits with E − C* < {EPSILON:g} without noise: {', '.join(counts)}"
    )
    best_sample(family, OURS, f"of a trained circuit with the noise of {len(DEVICES)} devices", shares, remark)


def ranking(family: Family, task: str, results: Results, fidelity: Mapping[tuple[str, str], float]) -> None:
    """Add the claim that E of the same circuits rises less on the device with the better chain, in pairs by start."""
    rises = {key: results[key][WITHOUT].noisy - results[key][WITHOUT].ideal for key in fidelity}
    tests: dict[str, Hypothesis] = {}
    for order in ORDERS:
        worst_first = sorted((key for key in fidelity if key[1] == order), key=lambda key: fidelity[key])
        for worse, better in pairwise(worst_first):
            tests[f"{order}: {worse[0]} − {better[0]}"] = Difference.of_means(rises[worse] - rises[better]).above()

    def combine(holds: Decisions) -> Verdict:
        each = {order: [held for name, held in holds.items() if name.startswith(f"{order}:")] for order in ORDERS}
        return by_order({order: in_all(some) if some else None for order, some in each.items()})

    family.add(
        OURS,
        f"From device to device, E of trained circuits rises less where the predicted fidelity is higher (`{task}`)",
        tests,
        combine,
        "; ".join(f"{device} {order}, fidelity {fidelity[device, order]:.2f}: {spread(rise)}"
                  for (device, order), rise in rises.items()),
    )  # fmt: skip
