"""What ``manifest.json`` must hold of a session for the rest of qhn to read it: names of facts and their types."""

from __future__ import annotations

from typing import Any

NUMBER = (int, float)
SESSION = {"time": str, "machine": str, "versions": dict, "backend": dict}
TILE = {"qubits": [int], "estimated_fidelity": NUMBER}
LOAD = {"one_qubit": [int], "two_qubit": [int]}
DEVICE = {"name": str, "circuit": str, "tiles": [TILE], "load": LOAD}
CIRCUIT = {"name": str, "crc32": str}
PRICE = dict.fromkeys(("circuits", "shots", "steps", "qpu_seconds_of_a_step", "qpu_seconds_of_the_run"), NUMBER)
TIMING = {"step": int, "seconds": NUMBER, "job_ids": [str]}
OPTIONAL = ("qpu_seconds", "price_seconds", "price_jobs")  # numbers of a timing, or null


def is_session(session: Any) -> bool:
    """Whether a session of ``manifest.json`` has the facts that are read of it, in their types.

    >>> is_session({"time": "", "machine": "", "versions": {}, "backend": {"name": "aer"}}), is_session({"time": 5})
    (True, False)
    """
    if not fits(session, SESSION):
        return False
    backend = session["backend"]
    device = backend if "tiles" in backend else None
    known = [(CIRCUIT, session.get("circuit")), (DEVICE, device), (PRICE, backend.get("price"))]
    return all(value is None or fits(value, form) for form, value in known) and isinstance(
        backend.get("calibration", ""), str
    )


def is_timing(entry: Any) -> bool:
    """Whether a line of ``timing.jsonl`` has the facts that are read of it, in their types."""
    return (
        fits(entry, TIMING) and "qpu_seconds" in entry and all(fits(entry.get(name) or 0, NUMBER) for name in OPTIONAL)
    )


def fits(value: Any, form: Any) -> bool:
    """Whether a value of JSON has a form: a type, ``[form of each item]``, or ``{key: form}``, other keys allowed.

    >>> fits({"step": 3, "job_ids": ["a"], "more": None}, {"step": int, "job_ids": [str]}), fits([1, "x"], [int])
    (True, False)
    """
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], inner) for name, inner in form.items()
        )
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(item, form[0]) for item in value)
    return isinstance(value, form)
