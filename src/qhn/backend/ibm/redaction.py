"""Answers of the service without account data: what is known to be harmless stays, everything else becomes a mark.

An answer can hold names of users, instances and accounts, and texts that say anything. So texts and numbers stay only
under the keys that qhn and Qiskit's client read, and texts only if they look like what is expected there. The form of
an answer stays as it is, with keys that nobody expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from qhn.errors import QhnError

TEXT, KEY, NUMBER = "[text]", "[key]", 0  # what stands for a text, a key and a number that do not stay
JOB = "id backend status state reason_code reasonCode code created ended finished running program tags session_id cost"
JOB += " private mode calibration_id estimated_running_time_seconds estimated_max_running_time_seconds"
METRICS = "timestamps usage qpu_charge_time_seconds circuits_execution_time_ns qiskit_version executions num_circuits"
METRICS += " num_qubits circuit_depths position_in_queue position_in_provider estimated_start_time"
METRICS += " estimated_completion_time usage_consumed_seconds usage_remaining_seconds usage_limit_seconds"
METRICS += " usage_allocation_seconds usage_limit_reached usage_period start_time end_time"
RESULTS = (
    "schema_version data results meas shape dtype metadata scheduler_timing stretch_values chunk_timing start stop"
)
RESULTS += " parts idx_item size permutation element_range passthrough_data post_processor version twirling meas_type"
RESULTS += " shots circuits_metadata options default_shots dynamical_decoupling enable sequence_type"
RESULTS += " extra_slack_distribution scheduling_method skip_reset_qubits execution init_qubits rep_delay enable_gates"
RESULTS += " enable_measure group num_randomizations shots_per_randomization strategy max_execution_time simulator"
RESULTS += " angle_decimals layer_noise_model seed_simulator warn_absent experimental environment log_level job_tags"
RESULTS += " semantic_role measurement_flips"
KNOWN = frozenset(f"{JOB} {METRICS} {RESULTS}".split())
LISTS_OF_TAGS = ("tags", "job_tags")
WORD = re.compile(r"[\w.:+-]{0,80}", re.ASCII)  # ids, names of devices and options, times, versions, tags
PACKED = re.compile(r"[A-Za-z0-9+/]*={0,2}")  # measured bits
TENSOR = frozenset({"data", "shape", "dtype"})
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}", re.ASCII)
ACCOUNT_DATA = re.compile(r"(?i:crn:|IBMid|iam-|@|\bBearer\b|\bapikey\b)|eyJ[A-Za-z0-9_-]{8}")


def redacted(answer: Any, secrets: Iterable[str] = ()) -> Any:
    """An answer of the service as JSON values without account data.

    Args:
        answer: the answer as JSON values.
        secrets: texts that must not stay, such as the account's token and the parts of its CRN.

    >>> redacted({"id": "d1", "user_id": "IBMid-5", "state": {"reason": "as Ann asked", "reason_code": 9}})
    {'id': 'd1', 'user_id': '[text]', 'state': {'reason': '[text]', 'reason_code': 9}}
    """
    return _of_value(answer, "", tuple(secret for secret in secrets if secret), is_known=True)


def _of_value(value: Any, key: str, secrets: tuple[str, ...], *, is_known: bool) -> Any:
    if isinstance(value, Mapping):
        found = {}
        for name, inner in value.items():
            shown = name if NAME.fullmatch(name) and not holds_secret(name, secrets) else KEY
            key = "packed" if name == "data" and value.keys() >= TENSOR else name
            found[shown] = _of_value(inner, key, secrets, is_known=is_known and name in KNOWN)
        return found
    if isinstance(value, (list, tuple)):
        return [_of_value(inner, key, secrets, is_known=is_known) for inner in value]
    if isinstance(value, str):
        return value if is_known and _is_harmless(value, key, secrets) else TEXT
    if isinstance(value, bool) or value is None or is_known:
        return value
    return NUMBER


def _is_harmless(text: str, key: str, secrets: tuple[str, ...]) -> bool:
    """Whether a text under a known key looks like what is expected there."""
    if key == "packed":  # any letters may follow each other in packed bits
        return PACKED.fullmatch(text) is not None and not any(secret in text for secret in secrets)
    if holds_secret(text, secrets):
        return False
    if key in LISTS_OF_TAGS:
        return text.startswith("qhn") and WORD.fullmatch(text) is not None
    return WORD.fullmatch(text) is not None


def holds_secret(text: str, secrets: Iterable[str]) -> bool:
    """Whether a text holds one of the secrets, or what looks like account data.

    >>> holds_secret("crn:v1:bluemix", ()), holds_secret("ibm_torino", ["tori"]), holds_secret("ibm_torino", [])
    (True, True, False)
    """
    return ACCOUNT_DATA.search(text) is not None or any(secret in text for secret in secrets)


def described(answer: Any, secrets: Iterable[str]) -> Any:
    """A device's description as JSON values, in which texts stay unless they look like account data.

    It is the same for everybody who can use the device.

    Args:
        answer: the service's description of a device: its configuration, properties or state.
        secrets: texts that must not stay.
    """
    if isinstance(answer, Mapping):
        return {
            KEY if holds_secret(name, secrets) else name: described(value, secrets) for name, value in answer.items()
        }
    if isinstance(answer, (list, tuple)):
        return [described(value, secrets) for value in answer]
    if isinstance(answer, (bool, int, float)) or answer is None:
        return answer
    text = str(answer)  # also of a complex number, which the client makes of a pair
    return TEXT if holds_secret(text, secrets) else text


def to_text(tree: Any, secrets: Iterable[str]) -> str:
    """JSON values as the text of a file.

    Raises:
        QhnError: if a secret is left in it all the same, so that the file must not be written.
    """
    text = json.dumps(tree, indent=1, ensure_ascii=False) + "\n"
    if any(secret in text for secret in secrets if secret):
        raise QhnError("an answer of the service holds account data where none is expected; it was not written")
    return text
