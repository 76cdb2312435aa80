"""The record of a run on disk: its configuration, machines and steps, each written before the run goes on.

::

    results/<experiment>/<run_id>/
      config.json       what was asked
      data/             a copy of the user's data file, or the 4×4 pixels of their MNIST, if that is what is learnt
      manifest.json     versions, machine and backend of every session that advanced the run
      calibration/      of a device, what it reported when a session began
      steps.jsonl       one line a step
      evaluations.bin   every bitstring evaluated, in order: its bits packed into bytes, then C as a float64
      samples/          packed bits: of θ itself for every step, of all rows if the shots were paid for
      timing.jsonl      seconds, QPU seconds, their price, and job ids of the steps
      jobs.jsonl        on a QPU: each job's intent, id, price and outcome
      checkpoint.npz    θ and optimizer state after the last complete step
      circuit.*         the circuit that runs: .qpy, .qasm (OpenQASM 3), .txt (a drawing)
      best.json, network.npz, outcome.json, figures/
      ensemble.npz      all networks measured at a step with their weights, if asked for
      landscape.npy     C of all networks, where a report could enumerate them

A step is complete when the checkpoint that counts it is in place. Whatever a killed process left beyond that is cut off
before the run goes on, so a resumed run writes the same bytes as an uninterrupted one (except times, versions, and the
random names that Qiskit gives to parameters in ``circuit.qpy``).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend.journal import Journal
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.config import SCHEMA, RunConfig
from qhn.config.data import FileData, MnistData
from qhn.config.file import parse_config
from qhn.durable import append, replace, truncate
from qhn.errors import NotFoundError, QhnError
from qhn.problem.evaluations import Evaluations
from qhn.problem.mnist_files import idx_bytes, read_mnist
from qhn.problem.network import load_network
from qhn.run.manifest import is_session, is_timing
from qhn.run.session import Session
from qhn.run.step import Outcome, RecordError, Step
from qhn.text import did_you_mean, parse_json

Packed = NDArray[np.uint8]

JOURNAL = "jobs.jsonl"
CHECKED = ("steps.jsonl", "evaluations.bin")  # the checkpoint holds a CRC-32 of the complete part of each
BEFORE_CONFIG = {"samples", "data", "config.json.part"}  # what creating a run writes first
ANEW = "restore it from a copy, or begin anew with qhn run --restart, which sets this run aside"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after its last complete step.

    Attributes:
        num_steps: number of complete steps.
        num_evaluations: number of different bitstrings evaluated so far.
        num_qubits: number of qubits of the circuit; 0 before the first step.
        checksums: CRC-32 of the complete part of ``steps.jsonl`` and of ``evaluations.bin``, by name of the file.
        theta: angles of the next step in radians, ``[num_parameters]``; empty before the first step.
        optimizer: arrays of the optimizer's state, by name.
        readout_counts: readout errors counted so far; None if they are not counted.
    """

    num_steps: int
    num_evaluations: int
    num_qubits: int
    checksums: dict[str, int]
    theta: Floats
    optimizer: dict[str, NDArray[Any]]
    readout_counts: ReadoutCounts | None = None

    def state_for(self, theta: Floats, state: Any) -> tuple[Floats, Any]:
        """θ and the state of the optimizer, to go on with.

        Args:
            theta: the angles that the run began with, ``[num_parameters]``.
            state: the state of the same optimizer before its first step, a named tuple of arrays.

        Raises:
            RecordError: if the checkpoint holds other arrays than these, or arrays of another shape.
        """
        wanted = {"theta": theta} | state._asdict()
        stored = {"theta": self.theta} | self.optimizer
        for name in sorted(wanted.keys() | stored.keys()):
            shapes = [np.shape(tree[name]) if name in tree else None for tree in (stored, wanted)]
            if shapes[0] != shapes[1] or stored[name].dtype.kind not in "biuf":
                raise RecordError(f"checkpoint.npz holds no {name} of this circuit and optimizer; {ANEW}")
        return self.theta, type(state)(**self.optimizer)


def results_directory(explicit: str | Path | None = None) -> Path:
    """The directory of all runs: the argument, else ``$QHN_RESULTS``, else ``results`` in the working directory.

    Args:
        explicit: a directory that takes the place of the other two; None to use them.

    >>> results_directory("trials").name
    'trials'
    """
    return Path(explicit or os.environ.get("QHN_RESULTS") or "results")


class Record:
    """The record of one run: a directory of files.

    Reading is always possible; writing needs :meth:`open_for_writing`, which one process at a time can hold.

    Args:
        directory: the directory of the run.
        config: the configuration of the run.

    Attributes:
        directory: the directory of the run.
        config: the configuration of the run.
    """

    def __init__(self, directory: Path, config: RunConfig) -> None:
        self.directory = directory
        self.config = config
        self._checksums = dict.fromkeys(CHECKED, 0)

    # ------------------------------------------------------------ opening

    @classmethod
    def create(cls, config: RunConfig, directory: Path) -> Record:
        """The record of a configuration in a directory, which is made if it does not exist.

        A data file of the user is copied into the record, so that the run can go on without the original.

        Args:
            config: the configuration of the run.
            directory: the directory of the run.

        Raises:
            RecordError: if the directory holds another configuration or is damaged.
            OSError: if it cannot be written.
        """
        if (directory / "config.json").exists():
            return cls.load(directory)
        directory.mkdir(parents=True, exist_ok=True)
        foreign = [path.name for path in directory.iterdir() if path.name not in BEFORE_CONFIG]
        if foreign:
            raise RecordError(f"{directory} has no config.json but holds {foreign[0]}; move it away")
        (directory / "samples").mkdir(exist_ok=True)
        record = cls(directory, config)
        if isinstance(config.data, FileData):
            source = config.data.file
            copy = directory / "data" / source.name
            copy.parent.mkdir(exist_ok=True)
            _write(copy, source.read_bytes())
            record.config = config.model_copy(update={"data": config.data.model_copy(update={"file": copy})})
        elif isinstance(config.data, MnistData) and config.data.directory:
            copy = directory / "data"
            copy.mkdir(exist_ok=True)
            for name, array in read_mnist(config.data.directory).items():
                _write(copy / name, idx_bytes(array))
            record.config = config.model_copy(update={"data": config.data.model_copy(update={"directory": copy})})
        record._write_config()
        return record

    @classmethod
    def load(cls, directory: str | Path) -> Record:
        """The record in a directory.

        Args:
            directory: the directory of a run.

        Raises:
            FileNotFoundError: if the directory has no ``config.json``.
            RecordError: if ``config.json`` is damaged, was edited, or has another schema.
        """
        directory = Path(directory)
        if directory.name in ("", ".."):  # such as "." inside a run
            directory = directory.resolve()
        path = directory / "config.json"
        if not path.is_file():
            raise NotFoundError(f"{directory} is not a run: it has no config.json")
        try:
            tree = parse_json(path.read_text(encoding="utf-8"))
            schema = tree.pop("schema")
            for place in ("file", "directory"):
                if isinstance(tree.get("data"), dict) and tree["data"].get(place):
                    tree["data"][place] = str(directory / tree["data"][place])
            config = parse_config(tree) if schema == SCHEMA else None
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise RecordError(f"{path} is damaged ({error}); {ANEW}") from None
        if config is None:
            raise RecordError(f"{path} has schema {schema}, this version of qhn reads {SCHEMA}")
        if config.run_id != directory.name.partition("~")[0]:
            raise RecordError(
                f"{path} describes run {config.run_id}, and its directory is called {directory.name}: a run's "
                "directory must keep its name, and config.json must not be edited"
            )
        return cls(directory, config)

    @property
    def exists(self) -> bool:
        """Whether there is a run in the directory."""
        return (self.directory / "config.json").exists()

    def update_stop_rules(self, config: RunConfig) -> None:
        """Take over stop rules; the run must be held for writing.

        Args:
            config: a configuration that differs from that of the run in its stop rules at most.
        """
        if self.config.train != config.train:
            self.forget_outcome()
            self.config = self.config.model_copy(update={"train": config.train})
            self._write_config()

    def set_aside(self) -> Path:
        """Rename the directory to the first free ``<run_id>~<k>``, so that the run can start anew.

        Returns:
            The new path of the directory.

        Raises:
            RecordError: if another process is writing the run.
        """
        with self._locked():
            k = 1
            while (target := self.directory.with_name(f"{self.directory.name}~{k}")).exists():
                k += 1
            self.directory.rename(target)
        return target

    @contextmanager
    def open_for_writing(self) -> Iterator[None]:
        """Hold the run against other processes, and cut off what a killed one left of an incomplete step.

        Raises:
            RecordError: if another process is writing, or the files are damaged.
        """
        with self._locked():
            self._cut_to_checkpoint()
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.directory / ".lock"
        lock = path.open("w", encoding="utf-8")
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RecordError(f"{self.directory} is being written by another process") from None
            if not path.exists() or os.fstat(lock.fileno()).st_ino != path.stat().st_ino:
                raise RecordError(f"{self.directory} was set aside by another process")
            yield
        finally:
            lock.close()

    # ------------------------------------------------------------ reading

    @cached_property
    def journal(self) -> Journal:
        """The journal of the run's jobs on a QPU, ``jobs.jsonl``."""
        return Journal(self.directory / JOURNAL)

    def steps(self) -> list[Step]:
        """All complete steps, in order.

        Raises:
            RecordError: if a line is damaged or missing.
        """
        path, checkpoint = self.directory / "steps.jsonl", self.checkpoint()
        count = checkpoint.num_steps
        content = path.read_bytes().splitlines(keepends=True)[:count] if path.exists() else []
        lines = [line.decode(errors="replace") for line in content]
        steps = []
        for number, line in enumerate(lines):
            try:
                step = Step.from_json(line)
            except RecordError as error:
                raise RecordError(f"{path} line {number + 1} is damaged: {error}; {ANEW}") from None
            if step.step != number:
                raise RecordError(f"{path} line {number + 1} holds step {step.step}, expected {number}")
            steps.append(step)
        if len(steps) < count:
            raise RecordError(f"{path} has {len(steps)} steps, the checkpoint counts {count}; {ANEW}")
        if zlib.crc32(b"".join(content)) != checkpoint.checksums[path.name]:
            raise RecordError(f"{path} was changed after it was written; {ANEW}")
        return steps

    def checkpoint(self) -> Checkpoint:
        """The state of the training after its last complete step; one of zero steps if there is none.

        Raises:
            RecordError: if ``checkpoint.npz`` is damaged, or missing although steps were taken.
        """
        path = self.directory / "checkpoint.npz"
        if not path.exists():
            steps = self.directory / "steps.jsonl"
            if steps.exists() and len(steps.read_bytes().splitlines()) > 1:
                raise RecordError(f"{path} is missing although steps were taken; {ANEW}")
            return Checkpoint(0, 0, 0, dict.fromkeys(CHECKED, 0), np.empty(0), {})
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return Checkpoint(
                    int(stored["num_steps"]),
                    int(stored["num_evaluations"]),
                    int(stored["num_qubits"]),
                    {name: int(stored[f"checksum_{name}"]) for name in CHECKED},
                    stored["theta"],
                    {name[10:]: stored[name] for name in stored.files if name.startswith("optimizer_")},
                    ReadoutCounts.from_arrays(stored),
                )
        except Exception as error:  # numpy raises BadZipFile, KeyError, ValueError, OSError or zlib.error here
            raise RecordError(f"{path} is damaged ({type(error).__name__}); {ANEW}") from None

    def evaluations(self) -> tuple[Packed, Floats]:
        """All different bitstrings evaluated up to the checkpoint, in order of evaluation.

        Returns:
            The bitstrings packed into bytes, ``[n, bytes]``, and their costs C, ``[n]``.

        Raises:
            RecordError: if ``evaluations.bin`` cannot be read, or is not what the checkpoint says.
        """
        path, checkpoint = self.directory / "evaluations.bin", self.checkpoint()
        count, dtype = checkpoint.num_evaluations, _evaluation_type(checkpoint.num_qubits)
        if count == 0:
            return np.empty((0, 0), dtype=np.uint8), np.empty(0)
        try:
            rows = np.fromfile(path, dtype=dtype, count=count)
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror}") from None
        if len(rows) < count:
            raise RecordError(f"{path} has {len(rows)} evaluations, the checkpoint counts {count}; {ANEW}")
        if zlib.crc32(rows.tobytes()) != checkpoint.checksums[path.name]:
            raise RecordError(f"{path} was changed after it was written; {ANEW}")
        return np.ascontiguousarray(rows["bits"]), np.ascontiguousarray(rows["cost"])

    def samples(self, step: int) -> Bits:
        """The bits measured at the θ of a step, without those at shifted angles: ``[shots, num_qubits]``.

        Args:
            step: number of the step, from 0.

        Raises:
            RecordError: if the file of the bits is missing or damaged.
        """
        path = self._samples_path(step)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return bitstrings.unpack(stored["bits"][0], int(stored["num_qubits"]))
        except Exception as error:  # numpy raises the same errors as for the checkpoint
            raise RecordError(f"{path} cannot be read ({type(error).__name__}); {ANEW}") from None

    def kept_samples(self, step: int, evaluation: int = 0) -> tuple[Samples, str]:
        """The stored bits of an evaluation, and the digest of its angles and shots.

        If the shots were not paid for, the bits are those at θ alone, and the digest is empty.

        Args:
            step: number of the step, from 0.
            evaluation: number of the evaluation in the step, from 0.

        Raises:
            RecordError: if the file of the bits is missing or damaged.
        """
        path = self._samples_path(step, evaluation)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return Samples.from_arrays(stored), str(stored["digest"])
        except Exception as error:  # numpy raises the same errors as for the checkpoint
            raise RecordError(f"{path} cannot be read ({type(error).__name__}); {ANEW}") from None

    def holds_best_of(self, step: Step) -> bool:
        """Whether ``best.json`` describes the best bitstring of a step, and ``network.npz`` is there for a network.

        Args:
            step: the step in which the bitstring was found.
        """
        try:
            best = parse_json((self.directory / "best.json").read_text(encoding="utf-8"))
            if "network" in best:
                load_network(self.directory / "network.npz")
            return bool(best["step"] == step.step and best["bits"] == step.best_bits)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def outcome(self) -> Outcome | None:
        """The outcome of the run's last session: why it stopped; None if it was killed or never ran.

        Raises:
            RecordError: if ``outcome.json`` is damaged.
        """
        path = self.directory / "outcome.json"
        try:
            outcome = Outcome(**parse_json(path.read_text(encoding="utf-8"))) if path.exists() else None
            if outcome is not None and not (isinstance(outcome.name, str) and isinstance(outcome.message, str)):
                raise TypeError("name and message must be text")
            return outcome
        except (ValueError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({error}); delete it, the run writes another") from None

    def timing(self) -> list[dict[str, Any]]:
        """The entries of ``timing.jsonl`` for the complete steps: time, seconds, QPU seconds, their price, job ids.

        Lines that cannot be read are left out. :meth:`qhn.run.machine.RunMachine.timing` describes an entry.
        """
        path = self.directory / "timing.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        found = []
        for line in lines[: self.checkpoint().num_steps]:
            try:
                entry = parse_json(line)
            except ValueError:
                continue
            if is_timing(entry):
                found.append(entry)
        return found

    def manifest(self) -> list[dict[str, Any]]:
        """The entries of ``manifest.json``: versions, machine and backend of every session that advanced the run.

        Raises:
            RecordError: if the manifest is damaged.
        """
        path = self.directory / "manifest.json"
        try:
            sessions: list[dict[str, Any]] = parse_json(path.read_bytes())["sessions"] if path.exists() else []
            if not (isinstance(sessions, list) and all(map(is_session, sessions))):
                raise TypeError("a session lacks a fact, or has one of another kind")
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({error}); delete it, the run writes another") from None
        return sessions

    def sessions(self) -> list[Session]:
        """The sessions of the run: the processes that advanced it, with their backends' descriptions.

        Raises:
            RecordError: if the manifest is damaged.
        """
        try:
            return [Session.from_json(tree) for tree in self.manifest()]
        except (KeyError, TypeError, AttributeError) as error:
            path = self.directory / "manifest.json"
            raise RecordError(f"{path} is damaged ({error}); delete it, the run writes another") from None

    def calibration(self) -> dict[str, Any] | None:
        """The calibration that the device of the last session reported, as JSON values; None without a device.

        Raises:
            RecordError: if the file of the calibration is missing or damaged.
        """
        sessions = self.sessions()
        name = sessions[-1].backend.calibration if sessions else None
        if name is None:
            return None
        try:
            content = (self.directory / name).read_bytes()
            if _digest(content) not in name:
                raise ValueError("it was changed after it was written")
            found: dict[str, Any] = parse_json(content)
        except (OSError, ValueError) as error:
            raise RecordError(f"{self.directory / name} cannot be read ({type(error).__name__}); {ANEW}") from None
        return found

    # ------------------------------------------------------------ writing

    def write_file(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
        """Write or replace a file of the record atomically.

        Args:
            name: name of the file in the directory of the run.
            write: a function that is given the file, open in binary mode, and writes its content.
        """
        replace(self.directory / name, write)

    def forget_outcome(self) -> None:
        """Remove the outcome of the last session, since the run goes on."""
        (self.directory / "outcome.json").unlink(missing_ok=True)

    def append(
        self,
        step: Step,
        theta: Floats,
        optimizer: dict[str, Any],
        evaluations: Evaluations,
        readout_counts: ReadoutCounts | None = None,
    ) -> None:
        """Write a complete step: its new evaluations, its line, and last the checkpoint that counts it.

        Args:
            step: the step.
            theta: angles of the next step in radians, ``[num_parameters]``.
            optimizer: arrays of the optimizer's state after the step, by name.
            evaluations: all evaluations so far; those not written yet are taken from it.
            readout_counts: readout errors counted so far; None if they are not counted.
        """
        packed, costs = evaluations.take_fresh()
        rows = np.empty(len(costs), dtype=_evaluation_type(evaluations.num_qubits))
        rows["bits"], rows["cost"] = packed, costs
        checksums = self._checksums.copy()
        for name, content in (("evaluations.bin", rows.tobytes()), ("steps.jsonl", (step.to_json() + "\n").encode())):
            append(self.directory / name, content)
            checksums[name] = zlib.crc32(content, checksums[name])
        arrays: dict[str, Any] = {f"optimizer_{name}": np.asarray(value) for name, value in optimizer.items()}
        counts = {
            "num_steps": step.step + 1,
            "num_evaluations": evaluations.distinct,
            "num_qubits": evaluations.num_qubits,
        }
        arrays |= {name: np.array(count) for name, count in counts.items()} | {"theta": theta}
        arrays |= {f"checksum_{name}": np.array(checksum) for name, checksum in checksums.items()}
        if readout_counts is not None:
            arrays |= readout_counts.arrays()
        replace(self.directory / "checkpoint.npz", lambda file: np.savez(file, **arrays))
        self._checksums = checksums

    def append_timing(self, entry: dict[str, Any]) -> None:
        """Write a step's entry of ``timing.jsonl``, which is not reproducible; call it before :meth:`append`."""
        append(self.directory / "timing.jsonl", (json.dumps(entry) + "\n").encode())

    def write_samples(self, step: int, samples: Samples, evaluation: int = 0, digest: str = "") -> None:
        """Store the bits of an evaluation.

        Args:
            step: number of the step, from 0.
            samples: the measured bits; row 0 was measured at θ, the others at shifted angles.
            evaluation: number of the evaluation in the step, from 0.
            digest: digest of the angles and shots (:func:`qhn.run.paid_shots.digest_of`); empty if the shots were not
                paid for.
        """
        path = self._samples_path(step, evaluation)
        path.parent.mkdir(exist_ok=True)
        replace(path, lambda file: np.savez(file, digest=digest, **samples.arrays()))

    def paid_samples(self, step: int, evaluation: int, digest: str) -> Samples | None:
        """The bits stored earlier for an evaluation, so that nobody pays for them twice; None if there are none.

        Args:
            step: number of the step, from 0.
            evaluation: number of the evaluation in the step, from 0.
            digest: digest of the angles and shots; bits with another digest are not returned.

        Raises:
            RecordError: if the file of the bits is damaged.
        """
        try:
            with self._samples_path(step, evaluation).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["digest"]) != digest:
                    return None
                return Samples.from_arrays(stored)
        except FileNotFoundError:
            return None
        except Exception as error:  # numpy raises the same errors as for the checkpoint
            path = self._samples_path(step, evaluation)
            raise RecordError(
                f"{path} holds paid shots and is damaged ({type(error).__name__}); move it away"
            ) from None

    def write_json(self, name: str, tree: Any) -> None:
        """Write or replace a JSON file of the record atomically.

        Args:
            name: name of the file in the directory of the run.
            tree: the JSON values to write.
        """
        text = json.dumps(tree, indent=2) + "\n"
        replace(self.directory / name, lambda file: file.write(text.encode()))

    def append_session(self, session: Session) -> None:
        """Append a session that begins to advance the run to the manifest.

        A device's calibration is written to a separate file, ``calibration/<digest>.json``, which the manifest names.

        Raises:
            RecordError: if the manifest is damaged.
        """
        facts = session.to_json()
        backend = facts["backend"]
        if "calibration" in backend:
            text = json.dumps(backend["calibration"]) + "\n"
            name = f"calibration/{_digest(text.encode())}.json"
            (self.directory / "calibration").mkdir(exist_ok=True)
            if not (self.directory / name).exists():
                self.write_file(name, lambda file: file.write(text.encode()))
            facts = facts | {"backend": backend | {"calibration": name}}
        self.write_json("manifest.json", {"schema": SCHEMA, "sessions": [*self.manifest(), facts]})

    def write_outcome(self, outcome: Outcome) -> None:
        """Write why the run stopped to ``outcome.json``."""
        self.write_json("outcome.json", asdict(outcome))

    # ------------------------------------------------------------ the rest

    def _write_config(self) -> None:
        unused = {"instance"} if self.config.instance is None else {"data"}
        tree: dict[str, Any] = {"schema": SCHEMA} | self.config.model_dump(mode="json", exclude=unused)
        if isinstance(self.config.data, FileData):
            tree["data"]["file"] = f"data/{self.config.data.file.name}"
        elif isinstance(self.config.data, MnistData) and self.config.data.directory:
            tree["data"]["directory"] = "data"
        self.write_json("config.json", tree)

    def _samples_path(self, step: int, evaluation: int = 0) -> Path:
        suffix = f"-{evaluation}" if evaluation else ""
        return self.directory / "samples" / f"step-{step:06d}{suffix}.npz"

    def _cut_to_checkpoint(self) -> None:
        checkpoint = self.checkpoint()
        self._checksums = checkpoint.checksums.copy()
        for name in ("steps.jsonl", "timing.jsonl"):
            path = self.directory / name
            if path.exists():
                lines = path.read_bytes().splitlines(keepends=True)
                truncate(path, sum(len(line) for line in lines[: checkpoint.num_steps]))
        path = self.directory / "evaluations.bin"
        if path.exists():
            truncate(path, checkpoint.num_evaluations * _evaluation_type(checkpoint.num_qubits).itemsize)


def load_run(directory: str | Path) -> Record:
    """The record of a run, to read its configuration, steps, samples and outcome.

    Args:
        directory: the directory of the run, ``results/<experiment>/<run_id>``.

    Raises:
        FileNotFoundError: if there is no run in that directory.
        RecordError: if the record is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> import qhn
    >>> config = qhn.load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> with TemporaryDirectory() as results:
    ...     steps = list(qhn.train(config, results=results))
    ...     run = load_run(f"{results}/{config.experiment}/{config.run_id}")
    ...     len(run.steps()), run.samples(0).shape, str(run.outcome().name)
    (2, (50, 4), 'done')
    """
    return Record.load(directory)


def run_directories(results: Path) -> list[Path]:
    """The directories of all runs below a directory of results, sorted by experiment and then by age.

    Args:
        results: the directory of all runs.
    """
    found = [path.parent for path in results.glob("*/*/config.json")]
    return sorted(found, key=lambda path: (path.parent.name, (path / "config.json").stat().st_ctime))


def find_run(results: Path, name: str | None) -> Path:
    """The directory of a run given by its path or the beginning of its id.

    Args:
        results: the directory of all runs.
        name: the path of the run's directory, or the beginning of its id; None for the run that was written last.

    Raises:
        FileNotFoundError: if there is no such run.
        QhnError: if the ids of several runs begin with ``name``.
    """
    if name is not None and (Path(name) / "config.json").is_file():
        return Path(name)
    runs = run_directories(results)
    if name is None:
        if not runs:
            raise NotFoundError(f"there are no runs in {results}; qhn run makes one")
        return max(runs, key=lambda path: path.stat().st_mtime)
    matching = [path for path in runs if path.name.startswith(name)]
    matching = [path for path in matching if "~" not in path.name or "~" in name] or matching  # not those set aside
    if not matching and Path(name).exists():
        raise NotFoundError(f"{name} is not the directory of a run: it has no config.json")
    if not matching:
        hint = did_you_mean(name, [path.name for path in runs], otherwise="qhn list shows all")
        raise NotFoundError(f"there is no run {name!r} in {results}; {hint}")
    if len(matching) > 1 and name not in [path.name for path in matching]:
        raise QhnError(f"several runs begin with {name!r}: {', '.join(path.name for path in matching)}")
    return next((path for path in matching if path.name == name), matching[0])


def _digest(content: bytes) -> str:
    """Ten hexadecimal digits that name a file by its content."""
    return hashlib.sha256(content).hexdigest()[:10]


def _write(path: Path, content: bytes) -> None:
    replace(path, lambda file: file.write(content))


def _evaluation_type(num_qubits: int) -> np.dtype[Any]:
    return np.dtype([("bits", np.uint8, ((num_qubits + 7) // 8,)), ("cost", "<f8")])
