"""Amazon Braket's simulators and devices as machines: a plug-in of one file, for ``qiskit-braket-provider>=0.27``.

The simulators run here, cost nothing and take no seed: in the folder of this file,

    qhn run figure-1 --backend braket_machine:state_vector      # or density_matrix, or noisy

Devices of AWS are named ``aws_SV1``, ``aws_Garnet`` or ``aws_arn:aws:braket:...``, by an entry point in a package:

    [project.entry-points."qhn.backends"]
    aws_ = "braket_machine:DEVICES"

AWS bills each circuit: limit ``train.max_shots``. Jobs are noted in the run's journal and found again by their ids.
THE DEVICES WERE NEVER TRIED ON AWS, only with a stand-in of one.
"""

from functools import partial

from braket.circuits import Gate
from braket.circuits.noise_model import GateCriteria, NoiseModel
from braket.circuits.noises import TwoQubitDepolarizing
from braket.devices import LocalSimulator
from qiskit_braket_provider import BraketAwsBackend, BraketLocalBackend, BraketProvider

from qhn.backend import LayoutSettings, Machine

NOISE = NoiseModel().add_noise(TwoQubitDepolarizing(0.02), GateCriteria(Gate.CNot))  # one of 15 Paulis after 2 % of CX
state_vector = BraketLocalBackend("braket_sv")  # up to 26 qubits
density_matrix = BraketLocalBackend("braket_dm")  # up to 13
noisy = BraketLocalBackend("braket_dm", device=LocalSimulator("braket_dm", NOISE), target=density_matrix.target)


def open_device(name, settings, journal):
    """A device of AWS by its name or ARN; ``native`` keeps circuits on the qubits that were chosen for them."""
    which = name.removeprefix("aws_")
    found = BraketAwsBackend(arn=which) if which.startswith("arn:") else BraketProvider().get_backend(which)
    found.run = partial(found.run, native=True)
    return found


DEVICES = Machine("aws_", "braket_machine:open_device", LayoutSettings, chip=None, bills=True)
