"""Files of the user's own that a configuration names: known by their content, and copied into the record of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

from pydantic import model_validator

from qhn.config.section import Section
from qhn.errors import NotFoundError, QhnError


class WithFile(Section):
    """Base of the tables that name a file of the user's own.

    Attributes:
        file: path of the file.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "file"  # what the file is, for messages

    file: Path
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _hash_the_file(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("file"), (str, Path)) and not value.get("sha256"):
            path = Path(value["file"]).absolute()
            if not path.is_file():
                state = "is not a file" if path.exists() else "does not exist"
                raise QhnError(f"{cls.KIND} {value['file']} {state}")
            return value | {"file": path, "sha256": file_digest(path)}
        return value

    def unchanged(self) -> Path:
        """The path of the file, after a check that its content is still that which was configured.

        Raises:
            QhnError: if the file has changed since.
            NotFoundError: if it is gone.
        """
        if not self.file.is_file():
            state = "is not a file" if self.file.exists() else "does not exist"
            raise NotFoundError(f"{self.KIND} {self.file} {state}")
        if self.sha256 and file_digest(self.file) != self.sha256:
            raise QhnError(f"{self.file} has changed since the run was configured; its bytes no longer match sha256")
        return self.file


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
