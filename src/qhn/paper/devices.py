"""Trained circuits under the noise of three real devices, from their stored calibrations."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from qhn.backend.rehearsal import RehearsalSampler
from qhn.config.file import load_config
from qhn.paper.claims import by_order, verdict_of
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.noise_pictures import trained_with_noise
from qhn.paper.noisytraining import (
    AFTERWARDS,
    METHODS,
    OURS,
    SHOTS,
    WITHOUT,
    Results,
    finds,
    lowers,
    points,
    sampler_of,
    spread,
    study,
    table,
)
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
    found = {}
    for task, methods in WAYS.items():
        fidelity = {(device, order): _fidelity(task, device, order) for device in DEVICES for order in ORDERS}
        results = found[task] = study(lab, DEVICES, f"noise of devices, {task}", task, methods)
        page.text(f"`{task}`, {NUM_QUBITS[task]} qubits{REMARKS[task]}:")
        table(page, "device", results, {key: f"{key[0]} ({fidelity[key]:.2f})" for key in fidelity})
        _ranking(page, task, results, fidelity)
    page.picture(
        lambda: trained_with_noise(lab.folder / "noise-devices.png", points(found[MNIST]), "device"),
        f"`{MNIST}`: E − C* with the noise of devices, of circuits trained in different ways: means and standard "
        "errors over starts. SPSA is far above.",
    )
    _best_sample(page, found[MNIST])
    finds(page, OURS, found[MNIST], "a device's noise")
    lowers(page, found[MNIST], DEVICES, "a device's noise")


def _fidelity(task: str, device: str, order: str) -> float:
    """The fidelity that the calibration predicts for the best chain."""
    config = load_config(task, {"ansatz.order": order})
    ansatz = circuit_of(config, config.problem())
    sampler = sampler_of(device, ansatz)
    assert isinstance(sampler, RehearsalSampler)
    return sampler.placement.chains[0].fidelity


def _best_sample(page: Writer, results: Results) -> None:
    """Add the claim that shots with noise still include an optimum, for circuits trained to one without noise."""
    parts, holds = [], True
    for device in DEVICES:
        ends = [results[device, order][WITHOUT] for order in ORDERS]
        ideal, seen = (np.concatenate([getattr(end, name) for end in ends]) for name in ("ideal", "found"))
        trained = ideal < EPSILON
        holds = holds and bool(seen[trained].all())
        parts.append(f"{device} {seen[trained].sum()} of {trained.sum()}")
    page.claim(
        OURS,
        f"The best of {SHOTS:,} shots of a trained circuit stays optimal with the noise of three devices",
        verdict_of(holds),
        f"circuits with E − C* < {EPSILON:g} without noise: {', '.join(parts)}",
    )


def _ranking(page: Writer, task: str, results: Results, fidelity: Mapping[tuple[str, str], float]) -> None:
    """Add the claim that E rises less on the device with the better chain."""
    rises = {key: spread(results[key][WITHOUT].noisy - results[key][WITHOUT].ideal) for key in fidelity}
    falls = {}
    for order in ORDERS:
        worst_first = sorted((key for key in fidelity if key[1] == order), key=lambda key: fidelity[key])
        means = [(results[key][WITHOUT].noisy - results[key][WITHOUT].ideal).mean() for key in worst_first]
        falls[order] = all(first > second for first, second in pairwise(means))
    page.claim(
        OURS,
        f"From device to device, E of trained circuits rises less where the predicted fidelity is higher (`{task}`)",
        by_order(falls),
        "; ".join(f"{device} {order}, fidelity {fidelity[device, order]:.2f}: {rise}"
                  for (device, order), rise in rises.items())
    )  # fmt: skip
