"""IBM devices: the QPU behind a saved Qiskit account, and Aer with a stored calibration's noise for rehearsals.

Both compile the pruned circuit once at level 3 and check it against the device before anything is run. Credentials come
only from Qiskit's own account file or environment; error texts name the kind of failure, never what the service said,
because its answers can hold account data.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.transpiler import Target, generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

from qhn.ansatz import Ansatz
from qhn.backend.aer import AerSampler, check_memory, publish, read_bits
from qhn.backend.sampler import BackendError, Journal, check_request, measured
from qhn.samples import Samples
from qhn.seeds import Key
from qhn.spelling import did_you_mean
from qhn.threads import num_cores

Floats = NDArray[np.float64]
TRANSPILER_SEED = 1
NO_ACCOUNT = (
    "no IBM account found; save one once with QiskitRuntimeService.save_account(token=…, instance=…) or set "
    "QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE; the backend fake_torino rehearses a run without one"
)


def open_fake(name: str) -> FakeDevice:
    """The stored calibration of that name, e.g. ``fake_torino``.

    Raises:
        ValueError: if there is none of that name; the message names the nearest.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one stored device warns that its errors are not typical
        devices = {device.name: device for device in FakeProviderForBackendV2().backends()}
    if name not in devices:
        others = "for example fake_torino, fake_fez or fake_boston"
        raise ValueError(f"there is no stored device {name!r}; {did_you_mean(name, devices, otherwise=others)}")
    return FakeDevice(devices[name])


def open_device(name: str, journal: Journal | None = None) -> Device:
    """The QPU of that name, through the saved Qiskit account.

    Raises:
        ValueError: if there is no account, it is refused, or it does not reach that device.
        BackendError: if the service cannot be reached.
    """
    try:
        service = QiskitRuntimeService()
    except AccountNotFoundError:
        raise ValueError(NO_ACCOUNT) from None
    except Exception as error:  # the client raises from unrelated bases, requests and pydantic among them
        raise BackendError(
            f"the IBM service refused the account or could not be reached ({type(error).__name__}); check the network "
            "first, then the token and instance of the saved account"
        ) from None
    try:
        return Device(service.backend(name), journal)
    except QiskitBackendNotFoundError:
        raise ValueError(
            f"the account does not reach a device {name!r}; list yours with QiskitRuntimeService().backends()"
        ) from None
    except Exception as error:
        raise BackendError(f"the IBM service did not describe {name} ({type(error).__name__})") from None


class FakeDevice:
    """Aer with the noise of a stored calibration, restricted to the qubits that the compiled circuit uses."""

    paid = False

    def __init__(self, device: BackendV2) -> None:
        self.device = device
        self.name: str = device.name

    def compile(self, ansatz: Ansatz) -> AerSampler:
        """A sampler of the compiled ``ansatz.pruned``.

        Raises:
            ValueError: if the device has too few qubits or no usable ones, or memory does not hold the state.
        """
        check_memory(ansatz.num_qubits, "use fewer qubits")
        isa = compile_isa(ansatz.pruned, self.device)
        qubits = used_qubits(isa)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Aer comments on relaxation times above their physical limit
            patch = Patch(self.device, qubits)
            simulator = AerSimulator.from_backend(patch, max_parallel_experiments=num_cores())
        facts = {"name": self.name, "method": "aer", "noise": f"stored calibration of {self.name}", "circuit": "pruned"}
        return AerSampler(
            simulator, onto_patch(isa, qubits), ansatz, facts | layout_facts(isa, self.device), folded=False
        )


class Device:
    """A QPU. One job a call, in job mode; its tag, its id and its outcome go to the journal as they happen."""

    paid = True

    def __init__(self, device: BackendV2, journal: Journal | None = None) -> None:
        self.device = device
        self.journal = journal
        self.name: str = device.name

    def compile(self, ansatz: Ansatz) -> DeviceSampler:
        """A sampler of the compiled ``ansatz.pruned``.

        Raises:
            ValueError: if the device has too few qubits or no usable ones.
        """
        try:
            _ = self.device.target  # fetched from the service when first asked for
        except Exception as error:
            raise BackendError(f"the IBM service did not describe {self.name} ({type(error).__name__})") from None
        return DeviceSampler(self.device, compile_isa(ansatz.pruned, self.device), ansatz, self.journal)


class DeviceSampler:
    """A compiled circuit on a QPU."""

    def __init__(self, device: BackendV2, circuit: QuantumCircuit, ansatz: Ansatz, journal: Journal | None) -> None:
        self.device = device
        self.circuit = circuit
        self.ansatz = ansatz
        self.journal = journal

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Bits of each row, from one job; the number of shots is the one really taken.

        Raises:
            BackendError: if the job or the service fails. Its job id, if it got one, is in the journal.
        """
        check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        self._note(event="intent", tag=key.tag, rows=len(thetas), shots=shots)
        try:
            sampler = Sampler(mode=self.device, options={"environment": {"job_tags": [key.tag]}})
            job = sampler.run([publish(self.circuit, thetas)], shots=shots)
            self._note(event="submitted", tag=key.tag, job_id=job.job_id(), rows=len(thetas), shots=shots)
            bits = read_bits(job.result())
        except Exception as error:  # of unrelated bases, and with the service's text in them
            self._note(event="failed", tag=key.tag, error=type(error).__name__)
            raise BackendError(
                f"{self.device.name}: the job {key.tag} failed ({type(error).__name__}); its state is listed under "
                "that tag in your IBM account"
            ) from None
        samples = Samples(bits, (job.job_id(),), _billed_seconds(job))
        self._note(event="done", tag=key.tag, job_id=samples.job_ids[0], qpu_seconds=samples.qpu_seconds)
        return samples

    def describe(self) -> dict[str, Any]:
        facts = {"name": self.device.name, "method": "qpu", "noise": "the device", "circuit": "pruned"}
        return facts | layout_facts(self.circuit, self.device)

    def _note(self, **entry: Any) -> None:
        if self.journal is not None:
            self.journal.append(entry)


def _billed_seconds(job: Any) -> float | None:
    """QPU seconds of a finished job; None if the service does not say, which must not cost the bits."""
    try:
        return float(job.usage())
    except Exception:
        return None


def layout_facts(isa: QuantumCircuit, device: BackendV2) -> dict[str, Any]:
    """The device's qubits of the ansatz's qubits 0, 1, …, and their reported errors as they were at compilation."""
    qubits = [int(qubit) for qubit in isa.layout.final_index_layout()]
    used = {tuple(isa.find_bit(qubit).index for qubit in gate.qubits) for gate in isa.data if len(gate.qubits) == 2}
    target = device.target
    pairs = {}
    for name in target.operation_names:
        for pair in sorted(used):
            known = (target[name] or {}).get(pair)
            if known is not None and known.error is not None:
                pairs[f"{name} {pair[0]}-{pair[1]}"] = known.error
    readout = {str(qubit): getattr(target["measure"].get((qubit,)), "error", None) for qubit in qubits}
    return {"qubits": qubits, "readout_error": readout, "two_qubit_error": pairs}


def compile_isa(circuit: QuantumCircuit, device: BackendV2) -> QuantumCircuit:
    """The circuit in the device's own instructions, at level 3, with qubit j measured into bit j of ``meas``.

    Level 1 would take the first qubits of the chip, whatever their errors.

    Raises:
        ValueError: if the device has too few qubits, or the result uses a gate that the calibration calls dead.
    """
    if circuit.num_qubits > device.num_qubits:
        raise ValueError(f"{device.name} has {device.num_qubits} qubits, the circuit needs {circuit.num_qubits}")
    passes = generate_preset_pass_manager(optimization_level=3, backend=device, seed_transpiler=TRANSPILER_SEED)
    isa: QuantumCircuit = passes.run(measured(circuit))
    for instruction in isa.data:
        qubits = tuple(isa.find_bit(qubit).index for qubit in instruction.qubits)
        name = instruction.operation.name
        if name == "barrier":
            continue
        if not device.target.instruction_supported(name, qubits):
            raise ValueError(f"{device.name} does not support {name} on qubits {list(qubits)}")
        properties = device.target[name].get(qubits)
        if properties is not None and properties.error is not None and properties.error >= 1:
            raise ValueError(
                f"{device.name} reports {name} on qubits {list(qubits)} as dead (error 1); "
                f"no usable layout of {circuit.num_qubits} qubits was found"
            )
    return isa


def used_qubits(circuit: QuantumCircuit) -> list[int]:
    """The device's qubits that instructions act on, ascending."""
    touched = (i.qubits for i in circuit.data if i.operation.name != "barrier")
    return sorted({circuit.find_bit(qubit).index for qubits in touched for qubit in qubits})


def onto_patch(circuit: QuantumCircuit, qubits: list[int]) -> QuantumCircuit:
    """The compiled circuit on ``len(qubits)`` qubits, numbered as a :class:`Patch` numbers them."""
    position = {qubit: i for i, qubit in enumerate(qubits)}
    small = QuantumCircuit(len(qubits))
    for register in circuit.cregs:
        small.add_register(register)
    for instruction in circuit.data:
        indices = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.operation.name != "barrier":
            small.append(instruction.operation, [position[index] for index in indices], instruction.clbits)
    return small


class Patch(BackendV2):  # type: ignore[misc]  # qiskit has no types
    """Some qubits of a device as a device of their own: a noise model of all of them would take seconds a job."""

    def __init__(self, device: BackendV2, qubits: list[int]) -> None:
        super().__init__(name=f"{device.name}[{len(qubits)}]")
        position = {qubit: i for i, qubit in enumerate(qubits)}
        properties = device.target.qubit_properties
        self._target = Target(
            num_qubits=len(qubits),
            dt=device.target.dt,
            qubit_properties=None if properties is None else [properties[qubit] for qubit in qubits],
        )
        for name in device.target.operation_names:
            kept = {
                tuple(position[q] for q in qargs): known
                for qargs, known in (device.target[name] or {}).items()
                if qargs is not None and all(q in position for q in qargs)
            }
            if kept:
                self._target.add_instruction(device.target.operation_from_name(name), kept, name=name)

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        raise RuntimeError("a Patch describes qubits for a noise model; it runs nothing")
