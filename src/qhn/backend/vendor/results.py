"""The measured bits in what a machine returns: refused if they are not those that were asked for.

Clients differ in what they leave out. Some return counts and no single shots; some ignore how many shots were asked
for, or fail without an exception. Whatever is not the bits of every circuit at every shot is an error here, because
bits that are filled in would train a network on nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from qhn.arrays import Bits
from qhn.backend.service.request import Pub, num_rows
from qhn.errors import QhnError
from qhn.fields import is_number
from qhn.text import in_line


class WrongAnswer(QhnError):
    """A machine returned other bits than those that it was asked to measure."""


class CircuitsFailed(RuntimeError):
    """A machine reports that circuits failed; the text is the vendor's, which can hold account data."""


def bound_circuits(pubs: Sequence[Pub]) -> list[QuantumCircuit]:
    """The circuits of PUBs with their angles in place, in order.

    >>> circuit = QuantumCircuit(1)
    >>> circuit.measure_all()
    >>> len(bound_circuits([(circuit,), (circuit, np.zeros((2, 0)))]))
    3
    """
    return [
        circuit
        for pub in pubs
        for circuit in ([pub[0].assign_parameters(row) for row in pub[1]] if len(pub) == 2 else [pub[0]])
    ]


def bits_of_results(results: Sequence[Any], pubs: Sequence[Pub], shots: int, rng: np.random.Generator) -> list[Bits]:
    """The bits of each PUB in results of ``BackendV2.run``.

    Args:
        results: results of one or several jobs, which together have one entry for each bound circuit.
        pubs: the circuits with their angles.
        shots: number of shots that were asked for; a machine may take more.
        rng: random numbers that order the shots of a machine which returns counts alone.

    Returns:
        For each PUB with angles ``uint8[num_rows, shots, num_clbits]``, without them ``[shots, num_clbits]``: column j
        is classical bit j.

    Raises:
        WrongAnswer: if circuits, shots or bits are missing.
        CircuitsFailed: if the machine says so.
    """
    for result in results:
        if not hasattr(result, "results"):
            raise WrongAnswer(f"the result is of type {type(result).__name__}, which is none of Qiskit's")
        if getattr(result, "success", True) is False:
            raise CircuitsFailed(in_line(getattr(result, "status", "no reason is given")))
        for number, one in enumerate(result.results):
            if getattr(one, "success", True) is False:
                raise CircuitsFailed(f"circuit {number:,}: {in_line(getattr(one, 'status', 'no reason is given'))}")
    entries = [(result, number) for result in results for number in range(len(result.results))]
    asked = sum(map(num_rows, pubs))
    if len(entries) != asked:
        raise WrongAnswer(f"asked for the bits of {asked:,} circuits, got those of {len(entries):,}")
    found: list[Bits] = []
    for pub in pubs:
        width = pub[0].num_clbits
        rows = [_bits_of(*entries.pop(0), width, shots, rng) for _ in range(num_rows(pub))]
        found.append(_stacked(rows, width) if len(pub) == 2 else rows[0])
    return found


def bits_of_primitive(result: Any, pubs: Sequence[Pub], shots: int) -> list[Bits]:
    """The bits of each PUB in the result of a V2 sampler, as :func:`bits_of_results` returns them.

    They are read from the register ``meas``, or from the only one if it has another name.
    """
    if len(result) != len(pubs):
        raise WrongAnswer(f"asked for the bits of {len(pubs):,} PUBs, got those of {len(result):,}")
    found: list[Bits] = []
    for number, pub in enumerate(pubs):
        data = result[number].data
        names = list(data.keys())
        if "meas" not in names and len(names) != 1:
            raise WrongAnswer(f"the bits have the registers {', '.join(names) or 'none'}, not meas")
        array = data["meas" if "meas" in names else names[0]]
        if not hasattr(array, "to_bool_array"):
            raise WrongAnswer(f"the bits are {type(array).__name__}, not a BitArray")
        bits: Bits = array.to_bool_array(order="little").view(np.uint8)
        rows, width = ((len(pub[1]),) if len(pub) == 2 else ()), pub[0].num_clbits
        taken = bits.shape[-2] if bits.ndim >= 2 else 0
        if bits.shape != (*rows, taken, width) or taken < shots:
            raise WrongAnswer(f"asked for bits {[*rows, shots, width]}, got {list(bits.shape)}")
        found.append(bits)
    return found


def _bits_of(result: Any, number: int, width: int, shots: int, rng: np.random.Generator) -> Bits:
    """The bits ``[shots, width]`` of one circuit."""
    slots = _slots(result, number)
    if slots not in (None, width):
        raise WrongAnswer(f"asked for {width} bits of circuit {number:,}, got {slots}")
    _check_memory(result.results[number], number, width)
    try:
        texts = list(result.get_memory(number))
    except (QiskitError, KeyError, AttributeError):  # counts alone: their order is lost
        texts = _in_some_order(_counts(result, number), rng)
    if len(texts) < shots:
        raise WrongAnswer(f"asked for {shots:,} shots of circuit {number:,}, got {len(texts):,}")
    return np.array([_digits(text, width) for text in texts], dtype=np.uint8)[:, ::-1]


def _check_memory(entry: Any, number: int, width: int) -> None:
    """Refuse single shots of more bits than asked for, of which Qiskit would drop some without a word."""
    shots = getattr(getattr(entry, "data", None), "memory", None)
    for shot in set(shots) if isinstance(shots, Sequence) and not isinstance(shots, str) else ():
        if isinstance(shot, str) and shot.startswith("0x") and int(shot, 16) >> width:
            raise WrongAnswer(f"asked for {width} bits of circuit {number:,}, got {int(shot, 16).bit_length()}")


def _slots(result: Any, number: int) -> int | None:
    """The number of classical bits of a circuit as the result states it; None if it does not."""
    header = getattr(result.results[number], "header", None)
    slots = header.get("memory_slots") if isinstance(header, Mapping) else getattr(header, "memory_slots", None)
    return slots if isinstance(slots, int) else None


def _counts(result: Any, number: int) -> Mapping[str, int]:
    try:
        counts = result.get_counts(number)
    except (QiskitError, KeyError, AttributeError) as error:
        raise WrongAnswer(f"circuit {number:,} has neither single shots nor counts ({type(error).__name__})") from None
    are_whole = all(is_number(count) and count == int(count) and count >= 0 for count in counts.values())
    are_shares = any(isinstance(count, float) for count in counts.values()) and sum(counts.values()) == 1
    if not are_whole or are_shares:
        raise WrongAnswer(f"the counts of circuit {number:,} are no whole numbers, but probabilities or negative")
    return {text: int(count) for text, count in counts.items()}


def _in_some_order(counts: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """The bitstrings of counts, each as often as it was counted, in random order."""
    texts = [text for text in sorted(counts) for _ in range(counts[text])]
    return [texts[place] for place in rng.permutation(len(texts))]


def _digits(text: str, width: int) -> list[int]:
    """The bits of a bitstring, the last classical bit first; a hexadecimal number is one without a header."""
    digits = f"{int(text, 16):b}" if text.startswith("0x") else text.replace(" ", "")
    if len(digits) > width or set(digits) - {"0", "1"}:
        raise WrongAnswer(f"asked for bitstrings of {width} bits, got {text[:80]!r}")
    return [int(digit) for digit in digits.zfill(width)]


def _stacked(rows: Sequence[Bits], width: int) -> Bits:
    """The bits of all rows as one array.

    Raises:
        ValueError: if the machine took different numbers of shots of them.
    """
    numbers = sorted({len(row) for row in rows})
    if len(numbers) > 1:
        raise WrongAnswer(
            f"the circuits of one call have {numbers[0]:,} to {numbers[-1]:,} shots; all must have as many"
        )
    return np.stack(rows) if rows else np.zeros((0, 0, width), dtype=np.uint8)
