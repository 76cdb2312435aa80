"""The record of a run on disk: its configuration, machines and steps, each written before the run goes on.

::

    results/<experiment>/<run_id>/
      config.json       what was asked
      data/             a copy of the user's data file, or the 4×4 pixels of their MNIST, if that is what is learnt; of
                        the source file of their function, to be read and never run
      manifest.json     versions, machine and backend of every session that advanced the run
      calibration/      of a device, what it reported when a session began
      steps.jsonl       one line a step, with its number and a checksum of the file so far
      evaluations.bin   every bitstring evaluated, in order: its bits packed into bytes, then C as a float64
      samples/          packed bits: of θ itself for every step, of all rows if the shots were paid for
      timing.jsonl      seconds, QPU seconds, their price, and job ids of the steps
      jobs.jsonl        on a QPU: each job's intent, id, price and outcome; jobs.end.json notes where it ends
      checkpoint.npz    θ and optimizer state after the last complete step; checkpoint-before.npz: after the one before
      circuit.*         the circuit that runs: .qpy, .qasm (OpenQASM 3), .txt (a drawing)
      best.json, network.npz, outcome.json, figures/
      ensemble.npz      all networks measured at a step with their weights, if asked for
      landscape.npy     C of all bitstrings, where a report could enumerate them, or a table was given from Python
      problem.npz       the problem, if it was given from Python and is data, such as a QUBO

A step is complete when the checkpoint that counts it is in place. Whatever a killed process left beyond that is cut off
before the run goes on, so a resumed run writes the same bytes as an uninterrupted one (except times, versions, and the
random names that Qiskit gives to parameters in ``circuit.qpy``).

Every file is checked when it is read (:mod:`qhn.checksums`). If the end of the last step is torn off, or the checkpoint
is damaged, the run is shown as it was one step earlier, and goes on from there: bits that were paid for are kept, so
that the step is made again without another shot. Runs of older versions (schema 1) have fewer checksums; they can be
read and go on.

The *schema* of a record is the version of its files. Which defaults a configuration has, and so the id of its run, is
another thing: its *naming* (:mod:`qhn.config.defaults`), which ``config.json`` says since schema 3; before, there was
one. All values of a configuration are in ``config.json``, so that it can be read without any defaults.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from dataclasses import replace as changed
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qhn import checksums
from qhn.arrays import Bits, Floats
from qhn.backend.journal import Journal
from qhn.backend.machines import recorded
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.checksums import End, Line
from qhn.config import RunConfig
from qhn.config.data import MnistData
from qhn.config.defaults import FIRST, NAMING
from qhn.config.file import parse_config
from qhn.config.python_problem import PythonConfig
from qhn.config.section import Section
from qhn.config.user_file import WithFile
from qhn.durable import append, clear_abandoned, commit, replace, subfolder, truncate
from qhn.errors import BusyError, NotFoundError, QhnError, RecordError, RecordWarning
from qhn.fields import is_number
from qhn.lock import HELD, LOCK, Lock
from qhn.npz import read_npz
from qhn.problem.evaluations import Evaluations
from qhn.problem.mnist_files import idx_bytes, read_mnist
from qhn.problem.network import load_network
from qhn.run.checkpoint import ANEW, EVALUATIONS, JOURNAL, STEPS, Checkpoint
from qhn.run.manifest import is_session, is_timing
from qhn.run.session import Session
from qhn.run.step import Outcome, Step
from qhn.text import in_line, parse_json

Packed = NDArray[np.uint8]

SCHEMA = 3  # version of the files in a run's directory
SCHEMAS = (1, 2, 3)  # that can be read
OLD_SCHEMA = 1  # without checksums in most of them
TIMING, CHECKPOINT, BEFORE = "timing.jsonl", "checkpoint.npz", "checkpoint-before.npz"
CONFIG, MANIFEST, OUTCOME = "config.json", "manifest.json", "outcome.json"
BEFORE_CONFIG = {"samples", "data", LOCK, HELD}  # what creating a run writes first
PLACE = "place"  # name of the array that says to which run, and of measured bits to which step, a file belongs
AGAIN = "delete it, the run writes another"


class Record:
    """The record of one run: a directory of files.

    Reading is always possible; writing needs :meth:`open_for_writing`, which one process at a time can hold.

    Args:
        directory: the directory of the run.
        config: the configuration of the run.
        schema: version of the files in the directory.
        lock: the lock of the directory, if it is held already; by default it is taken when it is needed.

    Attributes:
        directory: the directory of the run.
        config: the configuration of the run.
        schema: version of the files in the directory.
    """

    def __init__(self, directory: Path, config: RunConfig, schema: int = SCHEMA, lock: Lock | None = None) -> None:
        self.directory = directory
        self.config = config
        self.schema = schema
        self._lock = lock or lock_of(directory)
        self._written = Checkpoint.initial()  # of which the next one is a continuation
        self._timing_end = End()
        self._has_warned = False

    # ------------------------------------------------------------ opening

    @classmethod
    def create(cls, config: RunConfig, directory: Path, lock: Lock | None = None) -> Record:
        """The record of a configuration in a directory, which is made if it does not exist.

        A data file of the user is copied into the record, so that the run can go on without the original.

        Args:
            config: the configuration of the run.
            directory: the directory of the run.
            lock: the lock of the directory, if it is held already.

        Raises:
            RecordError: if the directory holds another configuration, is damaged, or is written by another process.
            OSError: if it cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        with lock or lock_of(directory) as held:
            if (directory / CONFIG).exists():
                return cls.load(directory, held)
            foreign = [path.name for path in directory.iterdir() if not _precedes_config(path.name)]
            if foreign:
                raise RecordError(f"{directory} has no config.json but holds {foreign[0]}; move it away")
            record = cls(directory, config, lock=held)
            subfolder(directory / "samples")
            record._copy_data()
            record._write_config()
            return record

    def _copy_data(self) -> None:
        """Copy the user's file of data, or the images of their MNIST files, into the record."""
        data, folder = self.config.data, self.directory / "data"
        copied: dict[str, Section] = {}
        for name, section in self._files_of_the_user().items():
            copy = subfolder(folder) / section.file.name
            with section.file.open("rb") as source:
                replace(copy, partial(shutil.copyfileobj, source))
            copied[name] = section.model_copy(update={"file": copy})
        if isinstance(self.config.cost, PythonConfig) and self.config.cost.source:  # to be read, and never run
            content = self.config.cost.source.read_bytes()
            _write(subfolder(folder) / self.config.cost.source.name, content)
        if isinstance(data, MnistData) and data.directory:
            subfolder(folder)
            for name, array in read_mnist(data.directory).items():
                _write(folder / name, idx_bytes(array))
            copied["data"] = data.model_copy(update={"directory": folder})
        if copied:
            self.config = self.config.model_copy(update=copied)

    def _files_of_the_user(self) -> dict[str, WithFile]:
        """The tables of the configuration that name a file of the user's own, by their attributes."""
        tables = {name: getattr(self.config, name) for name in ("data", "cost", "ansatz")}
        return {name: table for name, table in tables.items() if isinstance(table, WithFile)}

    @classmethod
    def load(cls, directory: str | Path, lock: Lock | None = None) -> Record:
        """The record in a directory.

        Args:
            directory: the directory of a run.
            lock: the lock of the directory, if it is held already.

        Raises:
            FileNotFoundError: if the directory has no ``config.json``.
            RecordError: if ``config.json`` is damaged, was edited, or was written by a newer version of qhn.
        """
        directory = Path(directory)
        if directory.name in ("", ".."):  # such as "." inside a run
            directory = directory.resolve()
        path = directory / CONFIG
        if not path.is_file():
            if any((directory / name).exists() for name in (STEPS, JOURNAL, CHECKPOINT)):
                raise RecordError(f"{path} is missing; {ANEW}")
            raise NotFoundError(f"{directory} is not a run: it has no config.json")
        _refuse_devices(directory)
        try:
            content = path.read_bytes()
            tree = checksums.parse_document(content, is_checked=False)
            schema, naming = tree.pop("schema"), tree.setdefault("naming", FIRST)
            for table in map(tree.get, ("data", "problem", "ansatz")):
                if isinstance(table, dict):
                    _place(table, directory)
            if isinstance(train := tree.get("train"), dict) and isinstance(train.get("backend"), str):
                chip, bills = ((directory / name).exists() for name in ("calibration", JOURNAL))
                recorded(train["backend"], has_chip=chip, bills=bills)
            is_known = schema in SCHEMAS and not (is_number(naming) and naming > NAMING)
            config = parse_config(tree) if is_known else None
            if is_known and schema != OLD_SCHEMA:
                checksums.parse_document(content)  # refuses one without
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise RecordError(f"{path} is damaged ({error}); {ANEW}") from None
        if config is None:
            raise RecordError(
                f"{path} has schema {schema} and naming {naming}, this version of qhn reads up to schema {SCHEMA} and "
                f"naming {NAMING}; take a newer one"
            )
        if config.run_id != directory.name.partition("~")[0]:
            raise RecordError(
                f"{path} describes run {config.run_id}, and its directory is called {directory.name}: a run's "
                "directory must keep its name, and config.json must not be edited"
            )
        return cls(directory, config, schema, lock)

    @property
    def exists(self) -> bool:
        """Whether there is a run in the directory."""
        return (self.directory / CONFIG).exists()

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
        with self._lock:
            return renamed(self.directory)

    @contextmanager
    def open_for_writing(self) -> Iterator[None]:
        """Hold the run against other processes, and cut off what a killed one left of an incomplete step.

        Raises:
            RecordError: if another process is writing, or the files are damaged.
        """
        with self._lock:
            clear_abandoned(self.directory)
            self._cut_to_checkpoint()
            yield

    # ------------------------------------------------------------ reading

    @property
    def is_old(self) -> bool:
        """Whether an older version wrote the run, so that its files have fewer checksums."""
        return self.schema == OLD_SCHEMA

    @cached_property
    def journal(self) -> Journal:
        """The journal of the run's jobs on a QPU, ``jobs.jsonl``.

        Raises:
            RecordError: if the files that say how long it must be are damaged.
        """
        ends = self._noted_ends() if self.config.train.machine.bills and self.exists else []
        return Journal(self.directory / JOURNAL, ends, plain=self.is_old)

    def _noted_ends(self) -> list[End]:
        """The ends of the journal that the other files of the run have noted."""
        notes = [session["journal"] for session in self.manifest() if "journal" in session]
        outcome = self._read_json(OUTCOME) or {}
        notes += [outcome["journal"]] if "journal" in outcome else []
        try:
            return [self.checkpoint().journal, *map(End.from_json, notes)]
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"a note of the end of {self.directory / JOURNAL} is damaged ({error}); {ANEW}") from None

    def steps(self) -> list[Step]:
        """All complete steps, in order.

        Raises:
            RecordError: if a line is damaged or missing.
        """
        path, end = self.directory / STEPS, self.checkpoint().steps
        if not end.lines:
            return []
        try:
            content = path.read_bytes()
            content = content[: end.size] if end.size else b"".join(content.splitlines(keepends=True)[: end.lines])
            lines = list(checksums.lines_of(content, plain=self.is_old))
            steps = [self._step(line) for line in lines]
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} is damaged: {shown_error(error)}; {ANEW}") from None
        if len(steps) < end.lines:
            raise RecordError(f"{path} has {len(steps)} steps, the checkpoint counts {end.lines}; {ANEW}")
        if lines[-1].end.checksum != end.checksum:
            raise RecordError(f"{path} was changed after it was written; {ANEW}")
        return steps

    def last_step(self) -> Step | None:
        """The last complete step, of which alone the file is read and checked; None before the first.

        Raises:
            RecordError: if it is damaged or missing.
        """
        path, end = self.directory / STEPS, self.checkpoint().steps
        if not end.lines:
            return None
        try:
            line = checksums.last_line(path, end)
            return self.steps()[-1] if line is None else self._step(line)
        except RecordError:
            raise
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} is damaged: {shown_error(error)}; {ANEW}") from None

    @staticmethod
    def _step(line: Line) -> Step:
        """The step of a line.

        Raises:
            QhnError: if the line is no step, or another.
        """
        try:
            step = Step.from_json(line.text.decode())
        except ValueError as error:
            raise QhnError(f"line {line.number} is damaged ({error})") from None
        if step.step != line.number - 1:
            raise QhnError(f"line {line.number} holds step {step.step}, expected {line.number - 1}")
        return step

    def checkpoint(self) -> Checkpoint:
        """The state of the training after its last complete step; one of zero steps if there is none.

        If the end of the last step's files is missing, or the checkpoint after it is damaged, it is the state after the
        step before; a warning says so.

        Raises:
            RecordError: if more than that is damaged or missing.
        """
        found, damage = self._complete()
        if damage is not None and not self._has_warned:
            self._has_warned = True
            what = str(damage).removesuffix(f"; {ANEW}")
            words = f"{what}: the run is shown with {found.num_steps} steps, one fewer; qhn resume makes it again"
            warnings.warn(RecordWarning(words), stacklevel=2)
        return found

    def _complete(self) -> tuple[Checkpoint, RecordError | None]:
        """The last checkpoint for which all files are long enough, and the damage to the one after it; None without.

        Raises:
            RecordError: if the last two are damaged, or what they count is.
        """
        try:
            newest = self._stored(CHECKPOINT)
            if newest is None and not self._has_begun():
                return Checkpoint.initial(), None
            if newest is None:
                raise RecordError(f"{self.directory / CHECKPOINT} is missing; {ANEW}")
            self._check_sizes(newest)
        except RecordError as damage:
            try:
                earlier = self._stored(BEFORE)
                if earlier is None:
                    raise damage
                self._check_sizes(earlier)
            except RecordError:
                raise damage from None
            return earlier, damage
        return newest, None

    def _has_begun(self) -> bool:
        """Whether a checkpoint was written, by the files beside it."""
        steps = self.directory / STEPS
        counted = [line for line in (steps.read_bytes() if steps.exists() else b"").split(b"\n") if line]
        return len(counted) > self.is_old or (self.directory / BEFORE).exists()

    def _stored(self, name: str) -> Checkpoint | None:
        """The checkpoint in a file; None if there is no such file.

        Raises:
            RecordError: if the file is damaged.
        """
        path = self.directory / name
        try:
            stored = read_npz(path, own=True, is_checked=not self.is_old)
            run = str(stored.pop(PLACE, self.config.run_id))  # older versions did not note it
            if run != self.config.run_id:
                raise QhnError(f"it is that of run {in_line(run)}")
            return Checkpoint.from_arrays(stored)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({shown_error(error)}); {ANEW}") from None

    def _check_sizes(self, checkpoint: Checkpoint) -> None:
        """Refuse files that are shorter than the part that a checkpoint counts.

        Raises:
            RecordError: if one is.
        """
        size = checkpoint.num_evaluations * _evaluation_type(checkpoint.num_qubits).itemsize
        for name, counted in ((STEPS, checkpoint.steps.size), (EVALUATIONS, size)):
            path = self.directory / name
            found = path.stat().st_size if path.exists() else 0
            if found < counted - (name == STEPS):  # a line is complete without its line end
                raise RecordError(f"{path} has {found:,} bytes, the checkpoint counts {counted:,}; {ANEW}")

    def evaluations(self) -> tuple[Packed, Floats]:
        """All different bitstrings evaluated up to the checkpoint, in order of evaluation.

        Returns:
            The bitstrings packed into bytes, ``[n, bytes]``, and their costs C, ``[n]``.

        Raises:
            RecordError: if ``evaluations.bin`` cannot be read, or is not what the checkpoint says.
        """
        path, checkpoint = self.directory / EVALUATIONS, self.checkpoint()
        count, dtype = checkpoint.num_evaluations, _evaluation_type(checkpoint.num_qubits)
        if count == 0:
            return np.empty((0, 0), dtype=np.uint8), np.empty(0)
        try:
            rows = np.fromfile(path, dtype=dtype, count=min(count, path.stat().st_size // dtype.itemsize))
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror}") from None
        if len(rows) < count:
            raise RecordError(f"{path} has {len(rows)} evaluations, the checkpoint counts {count}; {ANEW}")
        if zlib.crc32(rows.tobytes()) != checkpoint.evaluations:
            raise RecordError(f"{path} was changed after it was written; {ANEW}")
        return np.ascontiguousarray(rows["bits"]), np.ascontiguousarray(rows["cost"])

    def samples(self, step: int) -> Bits:
        """The bits measured at the θ of a step, without those at shifted angles: ``[shots, num_qubits]``.

        Args:
            step: number of the step, from 0.

        Raises:
            RecordError: if the file of the bits is missing or damaged.
        """
        samples, _ = self.kept_samples(step)
        at_theta: Bits = samples.bits[0]
        return at_theta

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
            return self._samples_in(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} cannot be read ({shown_error(error)}); {ANEW}") from None

    def _samples_in(self, path: Path) -> tuple[Samples, str]:
        """The bits in a file, and the digest of their angles and shots.

        Raises:
            QhnError: if the file is damaged, or that of another run or step.
            OSError: if it cannot be read.
            KeyError, TypeError, ValueError: if an array is missing, or is another than it should be.
        """
        stored = read_npz(path, own=True, is_checked=not self.is_old)
        place = str(stored.get(PLACE, self._place_of(path)))  # versions before this one did not note it
        if place != self._place_of(path):
            raise QhnError(f"it holds the bits of {in_line(place)}")
        return Samples.from_arrays(stored), str(stored["digest"])

    def best(self) -> dict[str, Any]:
        """The contents of ``best.json``, about the best bitstring so far; nothing if it is missing or damaged.

        Every fact in it follows from the steps and the problem, and the next session writes it again.
        """
        try:
            return self._read_json("best.json") or {}
        except RecordError:
            return {}

    def holds_best_of(self, step: Step) -> bool:
        """Whether ``best.json`` describes the best bitstring of a step, and ``network.npz`` is there for a network.

        Args:
            step: the step in which the bitstring was found.
        """
        best = self.best()
        if (best.get("step"), best.get("bits")) != (step.step, step.best_bits):
            return False
        try:
            return "network" not in best or load_network(self.directory / "network.npz") is not None
        except (OSError, ValueError):
            return False

    def outcome(self) -> Outcome | None:
        """The outcome of the run's last session: why it stopped; None if it was killed or never ran.

        Raises:
            RecordError: if ``outcome.json`` is damaged, or is missing although it was written.
        """
        tree, path = self._read_json(OUTCOME), self.directory / OUTCOME
        if tree is None:
            sessions = self.manifest()
            if sessions and sessions[-1].get("ended"):
                raise RecordError(f"{path} is missing, although the run ended; qhn resume writes another")
            return None
        try:
            outcome = Outcome(**{name: value for name, value in tree.items() if name != "journal"})
            if not (isinstance(outcome.name, str) and isinstance(outcome.message, str)):
                raise TypeError("name and message must be text")
        except (ValueError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({error}); {AGAIN}") from None
        return outcome

    def timing(self) -> list[dict[str, Any]]:
        """The entries of ``timing.jsonl`` for the complete steps: time, seconds, QPU seconds, their price, job ids.

        A line that is torn or lost is left out, and a warning tells of it.
        :meth:`qhn.run.machine.RunMachine.timing` describes an entry.

        Raises:
            RecordError: if a line was changed after it was written.
        """
        count = self.checkpoint().num_steps
        found = [line.tree for line in self._timing_lines(count)]
        if len({entry["step"] for entry in found}) < count:
            words = f"{self.directory / TIMING} has the times of {len(found)} of {count} steps; the others are lost"
            warnings.warn(RecordWarning(words), stacklevel=2)
        return found

    def _timing_lines(self, count: int) -> list[Line]:
        """The lines of ``timing.jsonl`` about the first steps, ``count`` in number."""
        path = self.directory / TIMING
        try:
            content = path.read_bytes() if path.exists() else b""
            lines = []
            for line in checksums.lines_of(content, plain=self.is_old):
                with suppress(ValueError):  # a torn line of an older version
                    if is_timing(line.tree) and line.tree["step"] < count:
                        lines.append(line)
        except ValueError as error:
            advice = "move it away: the times of the steps are lost, and nothing else"
            raise RecordError(f"{path} is damaged: {error}; {advice}") from None
        return lines

    def manifest(self) -> list[dict[str, Any]]:
        """The entries of ``manifest.json``: versions, machine and backend of every session that advanced the run.

        Raises:
            RecordError: if the manifest is damaged, or is missing although there were sessions.
        """
        path, tree = self.directory / MANIFEST, self._read_json(MANIFEST)
        if tree is None:
            if (self.directory / CHECKPOINT).exists() and not self.is_old:
                raise RecordError(f"{path} is missing, although the run began; {ANEW}")
            return []
        sessions: list[dict[str, Any]] = tree.get("sessions", [])
        if tree.keys() != {"schema", "sessions"} or not (isinstance(sessions, list) and all(map(is_session, sessions))):
            raise RecordError(f"{path} is damaged (a session lacks a fact, or has one of another kind); {ANEW}")
        return sessions

    def sessions(self) -> list[Session]:
        """The sessions of the run: the processes that advanced it, with their backends' descriptions.

        Raises:
            RecordError: if the manifest is damaged.
        """
        try:
            return [Session.from_json(tree) for tree in self.manifest()]
        except (KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{self.directory / MANIFEST} is damaged ({error}); {ANEW}") from None

    def _read_json(self, name: str) -> dict[str, Any] | None:
        """The JSON values of a file of the record; None if there is no such file.

        Raises:
            RecordError: if the file is damaged.
        """
        path = self.directory / name
        try:
            return checksums.parse_document(path.read_bytes(), is_checked=not self.is_old)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            advice = ANEW if name == MANIFEST else AGAIN
            raise RecordError(f"{path} is damaged: {shown_error(error)}; {advice}") from None

    def calibration(self, session: int = -1) -> dict[str, Any] | None:
        """The calibration that the device of a session reported, as JSON values; None without a device.

        Args:
            session: number of the session, from 0; by default the last one.

        Raises:
            RecordError: if the file of the calibration is missing or damaged.
        """
        sessions = self.sessions()
        name = sessions[session].backend.calibration if sessions else None
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
        self._note_end(None)
        (self.directory / OUTCOME).unlink(missing_ok=True)

    def _note_end(self, ended: str | None) -> None:
        """Note in the manifest how the last session ended, so that a missing outcome is noticed."""
        sessions = self.manifest()
        if sessions and not self.is_old and sessions[-1].get("ended") != ended:
            last = {name: value for name, value in sessions[-1].items() if name != "ended"}
            sessions[-1] = last | ({} if ended is None else {"ended": ended})
            self._write_manifest(sessions)

    def _write_manifest(self, sessions: list[dict[str, Any]]) -> None:
        self.write_json(MANIFEST, {"schema": self.schema, "sessions": sessions})

    def append(
        self,
        step: Step,
        theta: Floats,
        optimizer: dict[str, Any],
        evaluations: Evaluations,
        timing: dict[str, Any],
        readout_counts: ReadoutCounts | None = None,
    ) -> None:
        """Write a complete step: its timing, new evaluations and line, and last the checkpoint that counts it.

        Args:
            step: the step.
            theta: angles of the next step in radians, ``[num_parameters]``.
            optimizer: arrays of the optimizer's state after the step, by name.
            evaluations: all evaluations so far; those not written yet are taken from it.
            timing: the step's entry of ``timing.jsonl``, which is not reproducible.
            readout_counts: readout errors counted so far; None if they are not counted.
        """
        packed, costs = evaluations.take_fresh()
        rows = np.empty(len(costs), dtype=_evaluation_type(evaluations.num_qubits))
        rows["bits"], rows["cost"] = packed, costs
        line = checksums.line(step.to_json(), self._written.steps)
        timing_line = checksums.line(json.dumps(timing), self._timing_end)
        appended = {TIMING: timing_line, EVALUATIONS: rows.tobytes(), STEPS: line}
        written = Checkpoint(
            evaluations.distinct,
            evaluations.num_qubits,
            self._written.steps.after(line),
            zlib.crc32(rows.tobytes(), self._written.evaluations),
            self._journal_end(),
            theta,
            {name: np.asarray(value) for name, value in optimizer.items()},
            readout_counts,
        )
        self._write_checkpoint(written, appended)
        self._timing_end = self._timing_end.after(timing_line)

    def _write_checkpoint(self, checkpoint: Checkpoint, appended: dict[str, bytes]) -> None:
        """Append to files, and write the checkpoint that counts it; the one that it replaces stays beside it."""
        content = checksums.arrays(**checkpoint.arrays(), **{PLACE: self.config.run_id})
        place = self.directory
        commit({place / name: added for name, added in appended.items()}, place / CHECKPOINT, content, place / BEFORE)
        self._written = checkpoint

    def _journal_end(self) -> End:
        """The end of the journal, for other files to note; nothing on a machine that does not bill."""
        return self.journal.end if self.config.train.machine.bills else End()

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
        subfolder(path.parent)
        _write(path, checksums.arrays(digest=digest, **{PLACE: self._place_of(path)}, **samples.arrays()))

    def paid_samples(self, step: int, evaluation: int, digest: str) -> Samples | None:
        """The bits stored earlier for an evaluation, so that nobody pays for them twice; None if there are none.

        Args:
            step: number of the step, from 0.
            evaluation: number of the evaluation in the step, from 0.
            digest: digest of the angles and shots; bits with another digest are not returned.

        Raises:
            RecordError: if the file of the bits is damaged.
        """
        path = self._samples_path(step, evaluation)
        try:
            samples, known = self._samples_in(path)
            return samples if known == digest else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} holds paid shots and is damaged ({shown_error(error)}); move it away") from None

    def write_json(self, name: str, tree: dict[str, Any]) -> None:
        """Write or replace a JSON file of the record atomically, with a checksum unless an older version began the run.

        Args:
            name: name of the file in the directory of the run.
            tree: the JSON values to write, by key.
        """
        text = (json.dumps(tree, indent=2) + "\n").encode()
        _write(self.directory / name, text if self.is_old else checksums.document(tree))

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
            subfolder(self.directory / "calibration")
            if not (self.directory / name).exists():
                self.write_file(name, lambda file: file.write(text.encode()))
            facts = facts | {"backend": backend | {"calibration": name}}
        if self.config.train.machine.bills:
            facts = facts | {"journal": self.journal.end.to_json()}
        self._write_manifest([*self.manifest(), facts])
        if not (self.directory / CHECKPOINT).exists():
            self._write_checkpoint(Checkpoint.initial(), {})

    def write_outcome(self, outcome: Outcome) -> None:
        """Write why the run stopped to ``outcome.json``."""
        facts = {"journal": self.journal.end.to_json()} if self.config.train.machine.bills else {}
        self.write_json(OUTCOME, asdict(outcome) | facts)
        self._note_end(outcome.name)

    # ------------------------------------------------------------ the rest

    def _write_config(self) -> None:
        given = {"data", "cost", "instance"}
        unused = {name for name in given if getattr(self.config, name) is None}
        unused |= set() if self.config.cost is None else {"network"}  # whose place it takes
        tree: dict[str, Any] = {"schema": self.schema} | self.config.model_dump(mode="json", exclude=unused)
        for name, section in self._files_of_the_user().items():
            tree[type(self.config).model_fields[name].alias or name]["file"] = f"data/{section.file.name}"
        if isinstance(self.config.data, MnistData) and self.config.data.directory:
            tree["data"]["directory"] = "data"
        self.write_json(CONFIG, tree)

    def _samples_path(self, step: int, evaluation: int = 0) -> Path:
        suffix = f"-{evaluation}" if evaluation else ""
        return self.directory / "samples" / f"step-{step:06d}{suffix}.npz"

    def _place_of(self, path: Path) -> str:
        """The run and the step to which a file of bits belongs, by which a file of others is noticed in its place."""
        return f"{self.config.run_id}/{path.stem}"

    def _cut_to_checkpoint(self) -> None:
        """Cut off what a killed process left of an incomplete step."""
        checkpoint, damage = self._complete()
        steps, timing, evaluations = (self.directory / name for name in (STEPS, TIMING, EVALUATIONS))
        content = steps.read_bytes() if steps.exists() else b""
        end = checkpoint.steps
        if self.is_old:  # the size may not have been noted
            end = End().after(b"".join(content.splitlines(keepends=True)[: checkpoint.num_steps]))
        if zlib.crc32(content[: end.size].removesuffix(b"\n") + b"\n" * (end.size > 0)) != checkpoint.steps.checksum:
            self.steps()  # says which line is damaged, before anything is cut
        lines = self._timing_lines(checkpoint.num_steps)
        if damage is not None:
            self.evaluations()
            _write(self.directory / CHECKPOINT, (self.directory / BEFORE).read_bytes())
        self._written, self._timing_end = changed(checkpoint, steps=end), lines[-1].end if lines else End()
        for path, size in ((steps, end.size), (timing, self._timing_end.size)):
            if path.exists():
                truncate(path, size)
                end_line(path, size)
        if evaluations.exists():
            truncate(evaluations, checkpoint.num_evaluations * _evaluation_type(checkpoint.num_qubits).itemsize)


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


def renamed(directory: Path) -> Path:
    """Rename a directory to the first free ``<its name>~<k>``, and return its new path."""
    k = 1
    while (target := directory.with_name(f"{directory.name}~{k}")).exists():
        k += 1
    return directory.rename(target)


def lock_of(directory: Path) -> Lock:
    """The lock of a run's directory, which is not taken yet."""
    words = "; qhn show, report and replay do not write a run"
    return Lock(directory, BusyError, f"qhn show {directory} says how far it is", words)


def _place(table: dict[str, Any], directory: Path) -> None:
    """Complete the paths of a table of ``config.json``, which are relative to the directory of the run.

    A record may come from a stranger: it names no other files, and nothing is looked for to complete it.

    Raises:
        QhnError: if a path leads out of the directory, or it is not said which source file a function has.
    """
    for place in ("file", "directory"):
        if table.get(place):
            table[place] = str(path := directory / table[place])
            if not path.resolve().is_relative_to(directory.resolve()):
                raise QhnError(f"its {place} {in_line(path)} is not in the directory of the run")
    if "python" in table and not table.get("sha256"):
        raise QhnError("it does not say which source file the function has")


def _precedes_config(name: str) -> bool:
    """Whether a file of this name may stand in a directory before ``config.json`` does."""
    return name in BEFORE_CONFIG or name.endswith(".part")


def _refuse_devices(directory: Path) -> None:
    """Refuse a directory that holds what could be read without end, such as a pipe.

    Raises:
        RecordError: if there is something else than files and folders.
    """
    for path in [*directory.iterdir(), *(directory / "calibration").glob("*")]:
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise RecordError(f"{path} is a pipe, a socket or a device, and no file of a run; move it away")


def _digest(content: bytes) -> str:
    """Ten hexadecimal digits that name a file by its content."""
    return hashlib.sha256(content).hexdigest()[:10]


def shown_error(error: Exception) -> str:
    """An error that was found in a file, in words; a missing key or a wrong type is told as what it is."""
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return str(error) if isinstance(error, QhnError) else f"{type(error).__name__}: {error}"


def end_line(path: Path, size: int) -> None:
    """Write the line end that a file lacks, whose complete lines have ``size`` bytes."""
    if path.stat().st_size == size - 1:
        append(path, b"\n")


def _write(path: Path, content: bytes) -> None:
    replace(path, lambda file: file.write(content))


def _evaluation_type(num_qubits: int) -> np.dtype[Any]:
    return np.dtype([("bits", np.uint8, ((num_qubits + 7) // 8,)), ("cost", "<f8")])
