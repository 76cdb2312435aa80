"""Write the defaults of today into src/qhn/config/defaults-<naming>.json, after one has changed or a key was added.

The newest naming takes the defaults that the classes of a configuration have. Earlier ones keep theirs, and take a
value for every key that they do not know yet, which must be said, since it must mean what was done before:

    python scripts/freeze_defaults.py train.optimizer.adam.decay=null

The key of a table with several kinds has the kind before its last part. A kind that is new altogether is copied.
If runs have been named by the newest naming already, and a default changes, raise NAMING in src/qhn/config/defaults.py
first; the file of the one before then stays as it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from qhn.config import RunConfig, defaults
from qhn.config.defaults import FIRST, NAMING, Defaults, present_defaults

FOLDER = Path(defaults.__file__).parent


def completed(earlier: Defaults, present: Defaults, given: dict[str, Any]) -> tuple[Defaults, list[str]]:
    """Earlier defaults with the keys that were added since, and ``key=present value`` where no value was given."""
    missing = []
    result = {table: {kind: dict(keys) for kind, keys in kinds.items()} for table, kinds in earlier.items()}
    for table, kinds in present.items():
        for kind, keys in kinds.items():
            if kind not in result.setdefault(table, {}):
                result[table][kind] = keys
            for key in keys.keys() - result[table][kind].keys():
                name = ".".join(part for part in (table, kind, key) if part)
                if name in given:
                    result[table][kind][key] = given[name]
                else:
                    missing.append(f"{name}={json.dumps(keys[key])}")
    return result, sorted(missing)


def value_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def path_of(naming: int) -> Path:
    return FOLDER / f"defaults-{naming}.json"


def main(words: list[str]) -> None:
    given = {key: value_of(value) for key, _, value in (word.partition("=") for word in words)}
    present = present_defaults(RunConfig)
    written = {NAMING: present}
    for naming in range(FIRST, NAMING):
        written[naming], missing = completed(json.loads(path_of(naming).read_text("utf-8")), present, given)
        if missing:
            words = "\n".join(f"    '{setting}'" for setting in missing)
            sys.exit(
                f"naming {naming} does not know these keys. Give each the value that means what was done before there "
                f"was such a key, which may be another than that of today, as here:\n{words}"
            )
    for naming, tables in written.items():
        path_of(naming).write_text(json.dumps(tables, indent=2) + "\n", encoding="utf-8")
        print(path_of(naming))


if __name__ == "__main__":
    main(sys.argv[1:])
