"""The table ``[ansatz]`` of a configuration: the circuit whose angles are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, Union

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model, model_validator

from qhn.circuit.ansatz import Ansatz
from qhn.circuit.circuit_file import ENDINGS, ansatz_of_qasm, ansatz_of_qasm_file, ansatz_of_qpy_file
from qhn.circuit.hypernetwork import Hypernetwork, Order
from qhn.circuit.library import KINDS, Kind
from qhn.circuit.openqasm import portable
from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
from qhn.config.section import Section
from qhn.config.user_file import WithFile
from qhn.errors import QhnError
from qhn.problem.cost import Problem
from qhn.problem.spectrum import polynomial_of
from qhn.text import did_you_mean, shown

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

DEFAULT = "hypernetwork"


class HypernetworkConfig(Section):
    """Table ``[ansatz]`` with ``name = "hypernetwork"``; see :func:`qhn.circuit.hypernetwork.hypernetwork`.

    Attributes:
        name: ``"hypernetwork"``.
        num_layers: number of layers of two blocks each; 0 is the product state.
        order: time order of the gates in a block, ``"eq5"`` or ``"authors"``.
    """

    name: Literal["hypernetwork"] = "hypernetwork"
    num_layers: int = Field(default=2, ge=0)
    order: Order = "eq5"

    def build(self, problem: Problem) -> Ansatz:
        """The circuit for the bitstrings of a problem."""
        return Hypernetwork(problem.num_qubits, self.num_layers, self.order)


class ProductConfig(Section):
    """Table ``[ansatz]`` with ``name = "product"``, which has no other keys: independent qubits, without entanglement.

    Attributes:
        name: ``"product"``.
    """

    name: Literal["product"]

    def build(self, problem: Problem) -> Ansatz:
        """The circuit for the bitstrings of a problem."""
        return Hypernetwork(problem.num_qubits, 0)


class LibraryConfig(Section):
    """Table ``[ansatz]`` of a kind in :data:`qhn.circuit.library.KINDS`, which adds its own keys.

    Attributes:
        name: name of the kind of ansatz.
    """

    name: str

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        for key, setting in KINDS[self.name].settings.items():
            setting.rule(f"ansatz.{key}", getattr(self, key))
        return self

    def build(self, problem: Problem) -> Ansatz:
        """The circuit for the bitstrings of a problem.

        Raises:
            QhnError: if it is made of the cost, and that is no polynomial of few terms.
        """
        kind, terms = KINDS[self.name], None
        if kind.of_cost:
            polynomial = polynomial_of(problem, f"ansatz {self.name}")
            terms = dict(zip(polynomial.terms, polynomial.coefficients.tolist(), strict=True))
        return kind.ansatz(self.name, problem.num_qubits, terms, **self.model_dump(exclude={"name"}))

    def __reduce__(self) -> tuple[Any, ...]:
        return _library, (self.model_dump(), self.model_fields_set)


def _library_section(name: str, kind: Kind) -> type[LibraryConfig]:
    """The table of one kind of ansatz."""
    fields: dict[str, Any] = {key: (setting.type, setting.default) for key, setting in kind.settings.items()}
    fields["name"] = (Literal[name], ...)
    return create_model(f"AnsatzConfig_{name}", __base__=LibraryConfig, **fields)


def _library(values: dict[str, Any], given: set[str]) -> LibraryConfig:
    """The table of a kind of ansatz with all its values, by which pickle finds its class in other processes."""
    return LIBRARY_SECTIONS[values["name"]].model_construct(given, **values)


LIBRARY_SECTIONS = {name: _library_section(name, kind) for name, kind in KINDS.items()}


class QasmFileConfig(WithFile):
    """Table ``[ansatz]`` with ``file = "….qasm"``, a circuit of the user's own in OpenQASM 3 with inputs as angles.

    Attributes:
        file: path of the file.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "circuit file"
    KNOWN_BY: ClassVar[str] = "file"

    def build(self, problem: Problem) -> Ansatz:
        """The circuit in the file.

        Raises:
            QhnError: if the file has changed or cannot be read, or its circuit does not fit the problem.
        """
        return _fitting(ansatz_of_qasm_file(self.unchanged()), problem)


class QpyFileConfig(WithFile):
    """Table ``[ansatz]`` with ``file = "….qpy"``, a circuit of the user's own in QPY, whose reading can run code.

    Attributes:
        file: path of the file.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "circuit file"
    KNOWN_BY: ClassVar[str] = "file"

    @property
    def code(self) -> str:
        """The program that runs when the table is loaded."""
        return f"QPY file {self.file}"

    def build(self, problem: Problem) -> Ansatz:
        """The circuit in the file.

        Raises:
            QhnError: if the file has changed or cannot be read, or its circuit does not fit the problem.
        """
        return _fitting(ansatz_of_qpy_file(self.unchanged()), problem)


class QasmTextConfig(Section):
    """Table ``[ansatz]`` with ``qasm = "…"``, a circuit as the text of an OpenQASM 3 program with inputs as angles.

    Attributes:
        qasm: the program.
    """

    KNOWN_BY: ClassVar[str] = "qasm"

    qasm: str

    def build(self, problem: Problem) -> Ansatz:
        """The circuit of the program.

        Raises:
            QhnError: if it cannot be read, or does not fit the problem.
        """
        return _fitting(ansatz_of_qasm(self.qasm), problem)


def table_of(ansatz: QuantumCircuit | Ansatz) -> Section:
    """The table ``[ansatz]`` that describes a circuit given as a Python object.

    Raises:
        QhnError: if it is no circuit, or one that cannot be trained.
    """
    from qiskit import QuantumCircuit

    if isinstance(ansatz, Hypernetwork):
        return HypernetworkConfig(num_layers=ansatz.num_layers, order=ansatz.order)
    if isinstance(ansatz, QuantumCircuit):
        ansatz = circuit_ansatz(ansatz)
    if not isinstance(ansatz, CircuitAnsatz):
        raise QhnError(f"an ansatz must be a QuantumCircuit or made by qhn, got {shown(ansatz)}")
    return QasmTextConfig(qasm=portable(ansatz))


def _fitting(ansatz: Ansatz, problem: Problem) -> Ansatz:
    """The ansatz, after a check that it has a qubit for each bit of a problem."""
    if ansatz.num_qubits != problem.num_qubits:
        raise QhnError(f"the circuit has {ansatz.num_qubits} qubits, the problem {problem.num_qubits} bits")
    return ansatz


def _kind_of(value: Any) -> str:
    """The tag of the section that a table belongs to: the name, or where the circuit is from."""
    values = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    if "file" in values:
        return "qpy" if str(values["file"]).endswith(".qpy") else "qasm"
    return "text" if "qasm" in values else str(values.get("name"))


def _named(value: Any) -> Any:
    """A name for the table that has only that, and the default name for a table without name or circuit."""
    if isinstance(value, str):
        return {"name": value}
    is_nameless = isinstance(value, dict) and not {"name", "file", "qasm"} & value.keys()
    return {"name": DEFAULT} | value if is_nameless else value


def _known(value: Any) -> Any:
    """Refuse a kind that there is not, and a file whose name does not say what is in it."""
    name, file = (value.get("name"), value.get("file")) if isinstance(value, dict) else (None, None)
    if isinstance(name, str) and name not in NAMES:
        hint = did_you_mean(name, NAMES, otherwise=f"choose {', '.join(NAMES)}")
        raise QhnError(f"there is no ansatz {shown(name)}; {hint}, or give file = 'mine.qasm'")
    if isinstance(file, str) and not file.endswith(ENDINGS):
        raise QhnError(f"ansatz.file must end in {' or '.join(ENDINGS)}, got {shown(file)}")
    return value


BY_NAME: dict[str, type[Section]] = {DEFAULT: HypernetworkConfig, "product": ProductConfig, **LIBRARY_SECTIONS}
NAMES = tuple(BY_NAME)
BY_TAG: dict[str, type[Section]] = {
    **BY_NAME,
    "qasm": QasmFileConfig,
    "qpy": QpyFileConfig,
    "text": QasmTextConfig,
}
ANSATZ_SECTIONS = tuple(BY_TAG.values())
if TYPE_CHECKING:
    AnsatzConfig = HypernetworkConfig | ProductConfig | LibraryConfig | QasmFileConfig | QpyFileConfig | QasmTextConfig
else:
    AnsatzConfig = Annotated[
        Annotated[Union[*(Annotated[section, Tag(tag)] for tag, section in BY_TAG.items())], Discriminator(_kind_of)],
        BeforeValidator(_known),
        BeforeValidator(_named),
    ]
