"""A device's calibration as plain numbers: kept with every run, and the basis of layout, price and noise.

A device may leave out an error or a time, or report one that cannot be: a negative one, or none that is a number. Such
a value is the worst one that the device reports of its kind, because nothing says that an unknown gate is a good one;
where it reports no error of a kind at all, the gates or qubits are not used. Placement, price and every model of the
noise read the numbers of :class:`Chip`, and :attr:`Chip.assumed` lists what was assumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from qiskit.circuit import Gate
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2

from qhn.arrays import Floats
from qhn.fields import is_number

Qubits = tuple[int, ...]
Worst = Callable[[Floats], float]
DEFAULT_REP_DELAY = 250e-6  # seconds between shots of devices that do not report them
MAX_SHOTS = 100_000  # shots of a circuit on devices that do not report their limit
NUMBERS = ("measure_duration", "rep_delay", "max_shots")
VIRTUAL = ("rz", "u1", "p")  # gates that are a change of frame, in software: perfect, and of no duration
UNUSED = ("id",)  # gates that no circuit of this package has
DEAD = 1.0  # error of what does not work
SHOWN = 6  # places named of an assumption


@dataclass(frozen=True)
class Assumption:
    """A kind of value that a device does not report everywhere, and what is assumed in its place.

    Attributes:
        what: the kind of value, such as ``"readout error"`` or ``"duration of cx"``.
        places: the qubits, or the tuples of qubits of a gate, of which it is not reported.
        value: the number assumed, the worst of its kind that the device reports; None if it reports none.
        otherwise: what follows where the device reports none, in words.

    >>> Assumption("T1", ((3,), (5,)), 2e-05).words()
    'T1 of 3, 5 is not reported: taken as 2e-05, the worst on the device'
    """

    what: str
    places: tuple[Qubits, ...]
    value: float | None = None
    otherwise: str = ""

    @property
    def excludes(self) -> bool:
        """Whether gates or qubits are not used, because the device reports no error of their kind."""
        return self.value is None and "error" in self.what

    def words(self) -> str:
        """The assumption as a sentence; of many places the first are named."""
        names = ["-".join(map(str, place)) for place in self.places]
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        if self.value is None:
            return f"{self.what} is reported nowhere on the device: {self.otherwise}"
        where = f"{', '.join(names[:SHOWN])}{more}"
        return f"{self.what} of {where} is not reported: taken as {self.value:.3g}, the worst on the device"


@dataclass(frozen=True)
class GateFacts:
    """The calibration of a gate on given qubits.

    Attributes:
        error: probability of an error, as randomised benchmarking measures it: 1 − average fidelity; 1 if the gate does
            not work.
        duration: duration in seconds.
    """

    error: float
    duration: float


@dataclass(frozen=True)
class Chip:
    """The calibration of a device.

    Attributes:
        name: name of the device.
        num_qubits: number of qubits of the device.
        readout: readout error probabilities ``[num_qubits, 2]``: that a qubit prepared in 0 is read as 1, and one
            prepared in 1 as 0.
        t1, t2: relaxation and coherence times T1 and T2 in seconds ``[num_qubits]``; infinite where none is reported.
        gates: the device's gates by name and qubits, in the direction in which it has them, including gates without a
            reported error or duration.
        faulty: qubits that the device reports as out of order.
        measure_duration: duration of the longest measurement, in seconds.
        rep_delay: default delay between shots, in seconds; 250 µs is assumed of devices that report none.
        rep_delay_range: the shortest and the longest delay between shots that the device takes, in seconds.
        max_shots: the largest number of shots of a circuit.
        date: date of the calibration.
        assumed: values that the device does not report, and what stands in their place.
    """

    name: str
    num_qubits: int
    readout: Floats
    t1: Floats
    t2: Floats
    gates: dict[tuple[str, Qubits], GateFacts] = field(repr=False)
    faulty: frozenset[int] = frozenset()
    measure_duration: float = 0.0
    rep_delay: float = DEFAULT_REP_DELAY
    rep_delay_range: tuple[float, float] = (DEFAULT_REP_DELAY, DEFAULT_REP_DELAY)
    max_shots: int = MAX_SHOTS
    date: str = ""
    assumed: tuple[Assumption, ...] = ()

    @property
    def pairs(self) -> dict[tuple[int, int], float]:
        """The error of the best two-qubit gate of each pair ``(a, b)``, a < b; 1 if none works."""
        found: dict[tuple[int, int], float] = {}
        for (_, qubits), gate in self.gates.items():
            if len(qubits) == 2:
                pair = (min(qubits), max(qubits))
                found[pair] = min(gate.error, found.get(pair, 1.0))
        return found

    @property
    def readout_error(self) -> Floats:
        """The readout error probability of each qubit, averaged over both states: ``[num_qubits]``."""
        mean: Floats = self.readout.mean(axis=1)
        return mean

    @cached_property
    def one_qubit_error(self) -> Floats:
        """The error of the gate that turns each qubit: ``[num_qubits]``; 1 of a qubit that has none.

        It is SX where the device has it, and otherwise the worst of the qubit's gates, such as U3.
        """
        error: Floats = np.full(self.num_qubits, np.nan)
        has_sx = any(name == "sx" for name, _ in self.gates)
        for (name, qubits), gate in self.gates.items():
            if len(qubits) == 1 and (name == "sx" if has_sx else name not in (*VIRTUAL, *UNUSED)):
                error[qubits[0]] = np.fmax(error[qubits[0]], gate.error)
        return np.nan_to_num(error, nan=DEAD)

    @property
    def dead(self) -> str:
        """What is the matter with pairs that are not used, as an adjective with its reason."""
        unknown = any(gap.excludes for gap in self.assumed)
        return "without a working gate of known error" if unknown else "reported dead (error 1)"

    def reports(self, what: str) -> bool:
        """Whether the device reports a kind of value, such as ``"error of cx"``, anywhere."""
        return all(gap.what != what or gap.value is not None for gap in self.assumed)

    def to_json(self) -> dict[str, Any]:
        """The calibration as JSON values, for a record."""
        tree = {name: getattr(self, name) for name in ("name", "date", "num_qubits", *NUMBERS)}
        return tree | {
            "rep_delay_range": list(self.rep_delay_range),
            "faulty": sorted(self.faulty),
            "readout": self.readout.tolist(),
            "t1": [_finite(time) for time in self.t1],
            "t2": [_finite(time) for time in self.t2],
            "gates": [
                [name, list(qubits), gate.error, gate.duration] for (name, qubits), gate in sorted(self.gates.items())
            ],
            "assumed": [asdict(gap) for gap in self.assumed],
        }

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Chip:
        """Restore a calibration from the JSON values of :meth:`to_json`.

        Raises:
            KeyError: if a value is missing.
        """
        low, high = tree["rep_delay_range"]
        gaps = [
            Assumption(gap["what"], tuple(map(tuple, gap["places"])), gap["value"], gap["otherwise"])
            for gap in tree.get("assumed", [])  # none in records of earlier versions, which took all for reported
        ]
        times = [np.array([np.inf if time is None else time for time in tree[name]]) for name in ("t1", "t2")]
        gates = {(name, tuple(qubits)): (error, time) for name, qubits, error, time in tree["gates"]}
        return cls(
            **_without_gaps(np.array(tree["readout"]), np.array(times), gates, gaps),
            faulty=frozenset(tree["faulty"]),
            rep_delay_range=(low, high),
            **{name: tree[name] for name in ("name", "date", "num_qubits", *NUMBERS)},
        )


def chip_of(device: BackendV2) -> Chip:
    """The calibration of a device, as the device reports it now, with what is assumed where it reports nothing.

    Of a device that is made of a recorded calibration it is that one.
    """
    if isinstance(known := getattr(device, "chip", None), Chip):
        return known
    target, count = device.target, device.num_qubits
    gates: dict[tuple[str, Qubits], tuple[float, float]] = {}
    readout, measured = np.full((count, 2), np.nan), []
    for name in target.operation_names:
        for qubits, known in (target[name] or {}).items():
            if qubits is None:
                continue
            error, duration = (_number(getattr(known, what, None)) for what in ("error", "duration"))
            if name == "measure":
                readout[qubits[0]] = error
                measured.append(duration)
            elif isinstance(target.operation_from_name(name), Gate):
                gates[name, tuple(qubits)] = error, duration
    properties = _properties_of(device)
    faulty: set[int] = set()
    date = ""
    if properties is not None:
        updated = getattr(properties, "last_update_date", None)
        date = updated.isoformat() if updated is not None else ""
        faulty = set(properties.faulty_qubits())
        for gate in properties.faulty_gates():
            gates[gate.gate, tuple(gate.qubits)] = DEAD, 0.0
        for qubit in range(count):
            both = _errors(_readout_errors(properties, qubit))
            readout[qubit] = np.where(np.isnan(both), readout[qubit], both)
    relaxation = np.full((2, count), np.nan)
    for qubit, known in enumerate(target.qubit_properties or []):
        relaxation[:, qubit] = [_number(getattr(known, name, None)) for name in ("t1", "t2")]
    durations = _durations(np.array(measured))
    durations = durations[~np.isnan(durations)]
    unmeasured = Assumption("duration of measure", (), None, "taken as 0")
    rep_delay = _number(getattr(device, "default_rep_delay", None))
    rep_delay = rep_delay if rep_delay >= 0 else DEFAULT_REP_DELAY
    low, high = map(_number, getattr(device, "rep_delay_range", None) or (rep_delay, rep_delay))
    most = _number(getattr(device, "max_shots", None))
    return Chip(
        name=device.name,
        num_qubits=count,
        faulty=frozenset(faulty),
        measure_duration=float(durations.max(initial=0.0)),
        rep_delay=rep_delay,
        rep_delay_range=(low, high) if 0 <= low <= high else (rep_delay, rep_delay),
        max_shots=int(most) if most >= 1 else MAX_SHOTS,
        date=date,
        **_without_gaps(readout, relaxation, gates, [] if durations.size else [unmeasured]),
    )


def _properties_of(device: BackendV2) -> Any:
    """The properties that a device reports beside its target, if they have the form of IBM's; None otherwise."""
    found = device.properties() if callable(getattr(device, "properties", None)) else None
    methods = ("faulty_qubits", "faulty_gates", "qubit_property")
    return found if all(callable(getattr(found, name, None)) for name in methods) else None


def _readout_errors(properties: Any, qubit: int) -> Floats:
    """The reported probabilities that 0 is read as 1, and 1 as 0; NaN where there is none."""
    try:
        known = properties.qubit_property(qubit)
    except QiskitError:  # of this qubit nothing is reported
        known = {}
    return np.array([_number(known.get(name, (None,))[0]) for name in ("prob_meas1_prep0", "prob_meas0_prep1")])


class _Gaps:
    """Values that a device does not report, each kind filled with its worst reported value.

    Args:
        known: assumptions that were made before.

    Attributes:
        found: all assumptions.
    """

    def __init__(self, known: Iterable[Assumption]) -> None:
        self.found = list(known)

    def fill(
        self, what: str, places: Sequence[Qubits], values: Floats, worst: Worst, otherwise: tuple[float, str]
    ) -> Floats:
        """The values with the worst of them in place of each that is not a number.

        Args:
            what: the kind of the values, for the assumption that is noted.
            places: the qubits of each value.
            values: reported values; NaN where there is none.
            worst: the worst of reported values; NaN if none of them serves.
            otherwise: what to take if none serves, as a number and in words.
        """
        missing = np.isnan(values)
        if not missing.any():
            return values
        value = worst(values[~missing])
        number, words = otherwise
        where = tuple(place for place, is_missing in zip(places, missing, strict=True) if is_missing)
        gap = Assumption(what, where, None, words) if math.isnan(value) else Assumption(what, where, value)
        self.found.append(gap)
        return np.where(missing, number if gap.value is None else value, values)


def _without_gaps(
    readout: Floats,
    relaxation: Floats,
    gates: Mapping[tuple[str, Qubits], tuple[float, float]],
    known: Iterable[Assumption],
) -> dict[str, Any]:
    """The attributes ``readout``, ``t1``, ``t2``, ``gates`` and ``assumed`` of a chip, with nothing left unknown.

    Args:
        readout: readout errors ``[num_qubits, 2]``; what cannot be is taken as not reported, here and below.
        relaxation: T1 and T2 in seconds, ``[2, num_qubits]``; infinite without relaxation.
        gates: error and duration of each gate.
        known: assumptions that were made before.
    """
    gaps = _Gaps(known)
    each = [(qubit,) for qubit in range(len(readout))]
    rows = _errors(readout)
    is_half = np.isnan(rows).sum(axis=1) == 1  # the known half stays, however bad it is
    for state in (0, 1):
        if is_half.any() and not np.isnan(rows[:, state]).all():
            chosen = is_half | ~np.isnan(rows[:, state])
            where = [place for place, one in zip(each, chosen, strict=True) if one]
            what = f"error of reading {state}"
            rows[chosen, state] = gaps.fill(what, where, rows[chosen, state], _worst_error, (DEAD, "it is not used"))
    mean = gaps.fill("readout error", each, rows.mean(axis=1), _worst_error, (DEAD, "no qubit is used"))
    missing = np.isnan(rows).any(axis=1)
    rows[missing] = mean[missing, None]
    none = (np.inf, "gates have their reported errors, without relaxation")
    t1, t2 = (
        gaps.fill(name, each, np.where(times > 0, times, np.nan), _shortest, none)
        for name, times in zip(("T1", "T2"), relaxation, strict=True)
    )
    facts: dict[tuple[str, Qubits], GateFacts] = {}
    for name in sorted({name for name, _ in gates}):
        places = [qubits for kind, qubits in gates if kind == name]
        reported = np.array([gates[name, qubits] for qubits in places], dtype=np.float64)
        errors, durations = _errors(reported[:, 0]), _durations(reported[:, 1])
        if name in VIRTUAL + UNUSED:
            errors, durations = np.nan_to_num(errors), np.nan_to_num(durations)
        errors = gaps.fill(f"error of {name}", places, errors, _worst_error, (DEAD, "the gate is not used"))
        durations = gaps.fill(f"duration of {name}", places, durations, _longest, (0.0, "taken as 0"))
        both = zip(places, errors.tolist(), durations.tolist(), strict=True)
        facts |= {(name, qubits): GateFacts(error, duration) for qubits, error, duration in both}
    return {"readout": rows, "t1": t1, "t2": t2, "gates": facts, "assumed": tuple(gaps.found)}


def _number(value: Any) -> float:
    """A reported value as a number; NaN if there is none, or it is not finite, or no number."""
    return float(value) if is_number(value) and math.isfinite(value) else math.nan


def _errors(reported: Floats) -> Floats:
    """Reported error probabilities, at most 1; NaN where they are negative."""
    return np.where(reported >= 0, np.minimum(reported, DEAD), np.nan)


def _durations(reported: Floats) -> Floats:
    """Reported durations in seconds; NaN where they are negative."""
    return np.where((reported >= 0) & np.isfinite(reported), reported, np.nan)


def _worst_error(known: Floats) -> float:
    """The largest error of what works; NaN if nothing does."""
    return float(known[known < DEAD].max(initial=-np.inf)) if (known < DEAD).any() else math.nan


def _shortest(known: Floats) -> float:
    return float(known.min()) if known.size else math.nan


def _longest(known: Floats) -> float:
    return float(known.max()) if known.size else math.nan


def _finite(time: float) -> float | None:
    return float(time) if np.isfinite(time) else None
