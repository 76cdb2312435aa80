"""The mean cost E(θ) at angles θ that are read from a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.backend.machines import named_by_user
from qhn.black_box.cost import begin_evaluations
from qhn.budget.forecast import Forecast
from qhn.config import RunConfig
from qhn.errors import NotFoundError, QhnError
from qhn.estimator.means import rows_of, stated, truncated, with_error
from qhn.estimator.noisy import without_shots
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.npz import load_npy, open_npz
from qhn.run.directories import results_directory
from qhn.seeds import Key, Purpose
from qhn.text import clipped, parse_json, read_text


def read_theta(path: Path) -> Floats:
    """Read angles in radians, ``[num_parameters]`` or ``[rows, num_parameters]``, from a file.

    Args:
        path: the file, whose suffix says its format: ``.npy``; ``.npz`` with one array; ``.json``, a list of numbers
            or of lists; ``.csv`` or ``.txt``, one row of angles or one angle per line.

    Raises:
        FileNotFoundError: if there is no such file.
        QhnError: if the file has another format, holds no one- or two-dimensional array, or a number is not finite.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "theta.json"
    ...     _ = path.write_text("[[0.0, 0.5], [1.0, 1.5]]")
    ...     read_theta(path)
    array([[0. , 0.5],
           [1. , 1.5]])
    """
    if not path.is_file():
        raise NotFoundError(f"file of angles {path} {'is not a file' if path.exists() else 'does not exist'}")
    try:
        theta = _read(path)
    except Exception as error:  # numpy and json raise ValueError, OSError, EOFError and BadZipFile here
        raise QhnError(f"{path} holds no angles that can be read: {clipped(str(error))}") from None
    if theta.ndim not in (1, 2) or theta.size == 0:
        raise QhnError(f"{path} must hold one row of finite angles, or several, got shape {list(theta.shape)}")
    if not np.isfinite(theta).all():
        place = np.argwhere(~np.isfinite(theta))[0].tolist()
        raise QhnError(f"{path} must hold finite angles, got {theta[tuple(place)]} at {place}")
    return theta


def _read(path: Path) -> Floats:
    kind = path.suffix.lower()
    if kind == ".json":
        return np.array(parse_json(read_text(path)), dtype=np.float64)
    if kind in (".npy", ".npz"):
        stored = load_npy(path) if kind == ".npy" else _only_array(path)
        if stored.dtype.kind not in "biuf":
            raise QhnError(f"expected real numbers, found {stored.dtype}")
        with np.errstate(over="ignore"):  # of a wider float: what becomes infinite is refused
            return np.asarray(stored, dtype=np.float64)
    if kind in (".csv", ".txt"):
        text = read_text(path)
        if not any(line.partition("#")[0].strip() for line in text.splitlines()):
            raise QhnError("the file is empty")
        theta = np.loadtxt(io.StringIO(text), delimiter="," if "," in text else None, ndmin=2)
        return theta[:, 0] if theta.shape[1] == 1 else theta
    raise QhnError(f"expected .npy, .npz, .json, .csv or .txt, got {kind or 'no suffix'}")


def _only_array(path: Path) -> NDArray[Any]:
    with open_npz(path) as stored:
        if len(stored.files) != 1:
            raise QhnError(f"expected one array, found {', '.join(stored.files) or 'none'}")
        return np.asarray(stored[stored.files[0]])


def evaluate_theta(
    config: RunConfig,
    theta: Floats,
    *,
    results: str | Path | None = None,
    named: bool = True,
    trust: bool = False,
) -> list[dict[str, Any]]:
    """Evaluate E = ⟨C⟩ and the objective at given angles, with shots or exactly as the configuration says.

    Args:
        config: the configuration of a run: its problem, circuit, backend, shots and objective.
        theta: angles in radians, ``[num_parameters]`` or ``[rows, num_parameters]``.
        results: directory of all runs, beside which costs of a function of the user's are kept; by default
            ``$QHN_RESULTS`` or ``results``.
        named: whether the user has named the configuration, so that a function of theirs in it may be run; not if it is
            that of a record.
        trust: whether every program that the configuration names may be run.

    Returns:
        One dictionary of JSON values per row, with ``row``, ``mean``, its plain ``std_error``, the ends of its 95 %
        ``interval`` (None if no range of the costs is known), ``shots``, and the values of mitigation, of truncation or
        another objective; then one with the lowest C met (``best_cost``, ``best_bits`` as text, qubit 0 first) and the
        number of ``distinct`` bitstrings. Under ``text`` each dictionary has a sentence for the terminal.

    Raises:
        QhnError: if a row has another number of angles than the circuit, or the shots of the machine are paid for.
        BackendError: if the machine fails.

    >>> from qhn.config.file import load_config
    >>> row, best = evaluate_theta(load_config("figure-1", {"train.shots": 50}), np.zeros(32))
    >>> row["shots"], best["best_bits"], best["distinct"]
    (50, '0000', 1)
    """
    if named or trust:
        named_by_user(config.train.backend)
    problem = config.problem(trust=named or trust)
    begin_evaluations(problem, results_directory(results))
    ansatz = config.circuit(problem, trust=trust)
    if theta.shape[-1] != ansatz.num_parameters:
        raise QhnError(f"θ has {theta.shape[-1]} angles, the circuit takes {ansatz.num_parameters}")
    backend = config.backend()
    if backend.paid:
        raise QhnError(f"evaluate keeps no record of its shots, and those of {backend.name} are paid for; use qhn run")
    objective, sampler = config.train.objective.build(), backend.compile(ansatz.unrolled)
    shots = Forecast(config, ansatz, sampler.placement).strategy.shots.most
    rows = np.atleast_2d(theta)
    best_name = "best sampled C"
    if not shots:
        exact = without_shots(ansatz, problem, sampler, objective=objective)
        best_name = "best C of likely bits" if isinstance(exact, PolynomialEstimator) else "optimum C*"
        found = exact(rows)
    else:
        mitigation = config.device.mitigation
        estimator = SamplingEstimator(ansatz, problem, backend, shots=shots, objective=objective, mitigation=mitigation)
        found = estimator(rows, Key(config.train.seed, Purpose.EVALUATION))
    lines: list[dict[str, Any]] = []
    intervals, raw_intervals = (rows_of(ends, len(rows)) for ends in (found.interval, found.raw_interval))
    for row, (mean, error) in enumerate(zip(found.mean.tolist(), found.std_error.tolist(), strict=True)):
        line = {"row": row, "mean": mean, "std_error": error if np.isfinite(error) else None, "shots": found.shots}
        line |= {"interval": intervals[row]}
        words = f"row {row}: E = {stated(mean, error, intervals[row])}"
        if found.discarded:
            line |= {"discarded_weight": found.discarded}
            words += f", {truncated(found.discarded)}"
        if found.raw is not None and found.raw_std_error is not None:
            raw, raw_error = float(found.raw[row]), float(found.raw_std_error[row])
            line |= {"raw_mean": raw, "raw_std_error": raw_error if np.isfinite(raw_error) else None}
            line |= {"raw_interval": raw_intervals[row]}
            words += f", without mitigation {stated(raw, raw_error, raw_intervals[row])}"
        if not objective.is_mean:
            value, value_error = float(found.objective[row]), float(found.objective_std_error[row])
            line |= {"objective": value, "objective_std_error": value_error if np.isfinite(value_error) else None}
            words += f", {objective.label} = {with_error(value, value_error)}"
        lines.append(line | {"text": f"{words} ({f'{found.shots:,} shots' if shots else 'without shots'})"})
    best = {"best_cost": found.best_cost, "best_bits": bitstrings.text(found.best_bits), "distinct": found.distinct}
    words = f"{best_name} = {found.best_cost:.6g}, bits {best['best_bits']}; {found.distinct:,} distinct"
    return [*lines, best | {"text": words}]
