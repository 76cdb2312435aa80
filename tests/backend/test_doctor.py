"""What is looked at before a run on a QPU, and what is asked: never a secret in it, never a text of the service."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError, InvalidAccountError

from qhn.backend import BackendError
from qhn.backend.doctor import examine
from qhn.backend.ibm import account
from qhn.backend.rehearsal import FakeDevice, stored_device
from qhn.budget.quote import quote
from qhn.config.file import with_settings
from qhn.run.record import load_run

SECRET = "crn:v1:SECRET"
SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
RUN = ("run", "figure-1", *SMALL, "--backend", "fake_manila", "--steps", "3")


class Device:
    def __init__(self, name: str, queue: int, delay: float | None, works: bool = True) -> None:
        self.name = name
        self._configuration = SimpleNamespace(n_qubits=133, **({} if delay is None else {"default_rep_delay": delay}))
        message = "active" if works else "internal"
        self._status = SimpleNamespace(pending_jobs=queue, operational=True, status_msg=message)

    def configuration(self) -> SimpleNamespace:
        return self._configuration

    def status(self) -> SimpleNamespace:
        return self._status


class Service:
    """What the client offers of an account, with as many secrets as it has."""

    left: ClassVar[dict[str, object] | Exception] = {
        "usage_consumed_seconds": 12,
        "usage_remaining_seconds": 588,
        "id": SECRET,
    }
    reached: tuple[Device, ...] | Exception = (
        Device("ibm_paused", 0, None, works=False),
        Device("ibm_torino", 70, 250e-6),
        Device("ibm_fez", 3, 4e-3),
    )

    def __init__(self, instance: str | None = None) -> None:
        logging.getLogger("qiskit_ibm_runtime.qiskit_runtime_service").warning("Loading %s", SECRET)
        warnings.warn(SECRET, stacklevel=2)

    def usage(self) -> dict[str, object]:
        if isinstance(self.left, Exception):
            raise self.left
        return self.left

    def active_instance(self) -> str:
        return SECRET

    def instances(self) -> list[dict[str, str]]:
        return [{"crn": "crn:v1:other", "plan": "premium"}, {"crn": SECRET, "plan": "open", "name": SECRET}]

    def backends(self) -> list[Device]:
        if isinstance(self.reached, Exception):
            raise self.reached
        return [*self.reached]


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take seconds, and are tested elsewhere."""
    monkeypatch.setattr("qhn.report.page.Report.figures", lambda self: [])


@pytest.fixture(autouse=True)
def token_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A saved account; nothing here finds the one of the person who runs the tests."""
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    path = tmp_path / "qiskit-ibm.json"
    path.write_text(f'{{"default": {{"token": "{SECRET}"}}}}')
    path.chmod(0o600)
    monkeypatch.setattr(account.management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(path))
    monkeypatch.setattr(account, "QiskitRuntimeService", Service)
    return path


def failing(error: Exception):
    def connect(**_: object) -> None:
        raise error

    return connect


def test_all_is_well(qhn, token_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = qhn("doctor")
    assert found.code == 0
    assert f"ok account    from {token_file}" in found.out
    assert "ok usage      plan open, 12 QPU seconds used, 588 left" in found.out
    assert "ok rehearsal  fake_manila runs" in found.out
    lines = [line.split() for line in found.out.splitlines()[-4:]]
    assert lines[1] == ["ibm_fez", "133", "3", "4,000", "µs"]
    assert lines[2] == ["ibm_torino", "133", "70", "250", "µs"]
    assert lines[3] == ["ibm_paused", "133", "paused", "unknown"]
    assert "SECRET" not in found.out + found.err + caplog.text
    assert not [line for line in found.out.splitlines() if line.startswith(("!", "✗"))]


def test_a_file_that_others_read_is_pointed_out(qhn, token_file: Path) -> None:
    token_file.chmod(0o644)
    found = qhn("doctor")
    assert found.code == 0
    assert f"holds a token and others may read it: chmod 600 {token_file}" in found.out


def test_a_file_without_an_account_is_none(qhn, monkeypatch: pytest.MonkeyPatch, token_file: Path) -> None:
    """The client leaves ``{}`` behind when it has looked for accounts."""
    from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError

    def absent(**_: object) -> None:
        raise AccountNotFoundError("none")

    token_file.write_text("{}")
    token_file.chmod(0o644)
    monkeypatch.setattr("qhn.backend.ibm.account.QiskitRuntimeService", absent)
    found = qhn("doctor")
    assert found.code == 2
    assert "no IBM account found" in found.out
    assert str(token_file) not in found.out


def test_the_environment_goes_first(qhn, monkeypatch: pytest.MonkeyPatch, token_file: Path) -> None:
    token_file.unlink()
    monkeypatch.setenv("QISKIT_IBM_TOKEN", SECRET)
    found = qhn("doctor")
    assert "ok account    from the environment" in found.out
    assert "SECRET" not in found.out + found.err


def test_without_an_account_a_rehearsal_still_works(qhn, monkeypatch: pytest.MonkeyPatch, token_file: Path) -> None:
    token_file.unlink()
    monkeypatch.setattr(account, "QiskitRuntimeService", failing(AccountNotFoundError(SECRET)))
    found = qhn("doctor")
    assert found.code == 2
    assert "ok rehearsal" in found.out
    assert "✗  account    no IBM account found; save one once with" in found.out
    assert "devices" not in found.out


@pytest.mark.parametrize("error", [InvalidAccountError(SECRET), ConnectionError(SECRET), TypeError(SECRET)])
def test_a_service_out_of_reach(qhn, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(account, "QiskitRuntimeService", failing(error))
    found = qhn("doctor")
    assert found.code == 4
    assert f"could not be reached, or is out of order ({type(error).__name__}); try again later" in found.out
    assert "SECRET" not in found.out + found.err


@pytest.mark.parametrize("what", ["left", "reached"])
def test_what_the_service_does_not_say_is_a_line(qhn, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(Service, what, OSError(SECRET))
    found = qhn("doctor")
    assert found.code == 4
    assert "(OSError); try again later" in found.out
    assert ("ibm_fez" in found.out) == (what == "left")
    assert "SECRET" not in found.out + found.err


@pytest.mark.parametrize(
    ("name", "value", "code", "text"),
    [
        ("left", {"usage_consumed_seconds": 600, "usage_remaining_seconds": 0}, 2, "none left: wait until the period"),
        ("left", {"usage_consumed_seconds": 7}, 0, "plan open, 7 QPU seconds used, no limit known"),
        ("left", {}, 0, "plan open, no limit known"),
        ("reached", (), 2, "the account reaches no device that works now"),
        ("reached", (Device("ibm_fez", 0, None, works=False),), 2, "the account reaches no device that works now"),
    ],
)
def test_what_is_left_and_reached(
    qhn, monkeypatch: pytest.MonkeyPatch, name: str, value: object, code: int, text: str
) -> None:
    monkeypatch.setattr(Service, name, value)
    found = qhn("doctor")
    assert found.code == code
    assert text in found.out


def test_an_old_client_is_named(qhn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.49.1")
    found = qhn("doctor")
    assert found.code == 2
    assert "returns bits in a wrong order: pip install -U qiskit-ibm-runtime" in found.out


def test_bits_in_a_wrong_order_are_noticed(qhn, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FakeDevice.compile

    def reversing(self: FakeDevice, ansatz):
        sampler = real(self, ansatz)
        sample = sampler.sample
        sampler.sample = lambda *words: SimpleNamespace(bits=sample(*words).bits[..., ::-1])
        return sampler

    monkeypatch.setattr(FakeDevice, "compile", reversing)
    found = qhn("doctor")
    assert found.code == 2
    assert "where [1, 0] was prepared" in found.out


# ---------------------------------------------------------------- a budget that is agreed to


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch, small_config) -> float:
    """Rehearsals that pass for paid runs; the price of three steps."""
    monkeypatch.setattr(FakeDevice, "paid", True)
    config = with_settings(small_config, {"train.backend": "fake_manila", "train.steps": 3})
    return quote(config, stored_device("fake_manila"), 600).run_seconds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def budget_of(run: str) -> float | None:
    return load_run(run.strip()).config.train.max_qpu_seconds


def test_a_script_gets_an_error_unless_it_agreed(qhn, paid: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    found = qhn(*RUN, "--quiet")
    assert found.code == 2
    assert "needs a budget, such as --set train.max_qpu_seconds=" in found.err
    found = qhn(*RUN, "--quiet", "--yes")
    assert found.code == 0
    assert budget_of(found.out) == np.ceil(1.25 * paid)
    assert f"fake_manila: 3 steps and a self-test should take {paid:.1f} QPU seconds; the account" in found.err
    assert "the account has 588 left" in found.err
    assert "SECRET" not in found.out + found.err


def test_at_a_terminal_it_is_asked(qhn, paid: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    found = qhn(*RUN, "--quiet")
    assert found.code == 2
    assert found.err.endswith("nothing was submitted\n")
    assert not list(Path("results").glob("*/*"))
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    found = qhn(*RUN, "--quiet")
    assert found.code == 0
    directory = found.out.splitlines()[-1]
    assert budget_of(directory) == np.ceil(1.25 * paid)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert qhn(*RUN, "--quiet").code == 0  # it has its budget: nothing is asked


def test_no_more_than_is_left_is_spent(qhn, paid: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "left", {"usage_remaining_seconds": 0.5})
    found = qhn(*RUN, "--quiet", "--yes")
    assert found.code == 2
    assert "the account has 0.5 QPU seconds left, the first step takes up to" in found.err
    monkeypatch.setattr(Service, "left", {"usage_remaining_seconds": 0.7 * paid})
    found = qhn(*RUN, "--quiet", "--yes")
    assert found.code == 3
    assert budget_of(found.out) == 0.7 * paid
    assert "the run will stop early, with a complete record" in found.err
    assert len(load_run(found.out.strip()).steps()) == 2


def test_an_account_without_a_limit_spends_the_price(qhn, paid: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "left", {})
    found = qhn(*RUN, "--quiet", "--yes")
    assert budget_of(found.out) == np.ceil(1.25 * paid)
    assert "left" not in found.err
    with pytest.raises(BackendError, match=r"did not say what remains \(TypeError\)"):
        account.usage(SimpleNamespace(usage=failing(TypeError(SECRET))))


@pytest.mark.parametrize("version", ["0.51.0rc1", "0.52.dev3+g12", "1.0b2", "1", "0.60.1.post1"])
def test_a_version_before_or_after_a_release_is_one(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    (finding,) = [found for found in examine() if found.what == "versions"]
    assert finding.verdict == "ok"
    assert version in finding.text
