"""What the installed client's exceptions mean, as it raises them over the answers of the stand-in of the service."""

from __future__ import annotations

from email.utils import formatdate
from types import SimpleNamespace

import pytest
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.executor_sampler import Sampler

from qhn.backend import BackendError
from qhn.backend.ibm.account import RefusedAccount, connect, usage
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.ibm.failure import kind_of
from qhn.backend.sampler import QuotaError
from qhn.backend.service import failure
from qhn.backend.service.failure import Kind, codes_of, retry_after, status_of
from service import Service


def refusal_of_a_job(**fault: object) -> Exception:
    """The client's exception over a job that the service refuses so."""
    client = QiskitRuntimeService()
    device = client.backend("ibm_manila")
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    SERVICES[-1].fault("answer", on="POST jobs", **fault)
    with pytest.raises(Exception) as caught:
        Sampler(mode=device).run([circuit], shots=5)
    return caught.value


SERVICES: list[Service] = []


@pytest.fixture(autouse=True)
def _known_service(service: Service) -> None:
    SERVICES.append(service)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, 4317, Kind.QUOTA),
        (400, 4317, Kind.QUOTA),
        (401, 4317, Kind.QUOTA),
        (402, 4317, Kind.QUOTA),
        (429, 4317, Kind.QUOTA),
        (400, 3458, Kind.BUSY),
        (403, 3458, Kind.BUSY),
        (429, 0, Kind.RATE_LIMITED),
        (400, 1202, Kind.RATE_LIMITED),
        (401, 0, Kind.AUTHENTICATION),
        (403, 0, Kind.AUTHENTICATION),
        (403, 1201, Kind.AUTHENTICATION),
        (400, 0, Kind.FATAL),
        (404, 0, Kind.FATAL),
        (409, 0, Kind.TRANSIENT),
    ],
)
def test_the_service_s_code_says_more_than_the_status(status: int, code: int, kind: Kind) -> None:
    error = refusal_of_a_job(status=status, code=code)
    assert IbmConnection(None).kind_at_submission(error) is kind
    assert status_of(error) == status
    assert (code in codes_of(error)) == bool(code)


def test_an_outage_is_none_of_them() -> None:
    error = refusal_of_a_job(status=503, times=6)
    assert IbmConnection(None).kind_at_submission(error) is Kind.TRANSIENT


@pytest.mark.parametrize(
    "text",
    [
        "403 Client Error: Forbidden for url: http://h/jobs. {'errors': [{'code': 4317, 'message': 'no'}]}",
        'Failed: \'403 … {\\"errors\\":[{\\"code\\":4317}]}\'',
        "You have exceeded your monthly quota., Error code: 4317.",
        "Error code 4317; no time is left",
    ],
)
def test_a_code_is_found_in_every_form_in_which_the_client_writes_it(text: str) -> None:
    assert kind_of(RuntimeError(text)) is Kind.QUOTA


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:4317/jobs", "trace 1f2e-4317-9a", "4317 rows", "code 43170", '"code": 14317']
)
def test_other_numbers_are_no_code(text: str) -> None:
    assert 4317 not in codes_of(RuntimeError(text))


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("0", 0), ("soon", None), ("", None), ("-3", None)])
def test_the_service_says_how_long_to_wait(header: str, seconds: float | None) -> None:
    assert retry_after(refusal_of_a_job(status=429, retry_after=header)) == seconds


@pytest.mark.parametrize(("later", "seconds"), [(100, 99.75), (-100, 0.0)])
def test_the_service_says_until_when_to_wait(later: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = refusal_of_a_job(status=429, retry_after=formatdate(1_700_000_000 + later, usegmt=True))
    monkeypatch.setattr(failure, "time", SimpleNamespace(time=lambda: 1_700_000_000.25))
    assert retry_after(refusal) == seconds


@pytest.mark.parametrize("on", ["POST v3/*", "POST identity/*", "GET instances/*"])
@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, 4317, QuotaError), (403, 0, (RefusedAccount, BackendError)), (503, 0, BackendError)],
)
def test_a_spent_quota_is_no_bad_account_wherever_it_is_told(
    on: str, status: int, code: int, error: type[Exception] | tuple[type[Exception], ...], service: Service
) -> None:
    service.fault("answer", on=on, status=status, code=code, times=60)
    with pytest.raises(error) as caught:
        usage(connect())
    assert ("4317" in str(caught.value)) == isinstance(caught.value, QuotaError) == (code == 4317)
