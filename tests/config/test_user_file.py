"""Files of the user's own: known by their bytes from the moment they are configured."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from qhn.config.user_file import WithFile, file_digest
from qhn.errors import NotFoundError, QhnError


class Recipe(WithFile):
    """A table with a file and another key."""

    KIND: ClassVar[str] = "recipe"

    spoons: int = 1


@pytest.fixture
def file() -> Path:
    path = Path("mine.txt")  # in the working directory of a test
    path.write_bytes(b"salt\r\n\x00" * 100_000)
    return path


def test_the_hash_is_that_of_sha256sum(file: Path) -> None:
    known = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert file_digest(file) == known
    table = Recipe.model_validate({"file": str(file), "spoons": 2})
    assert (table.sha256, table.spoons) == (known, 2)
    file.write_bytes(b"")
    assert file_digest(file) == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("kind", [str, Path])
def test_the_path_is_absolute_and_holds_in_another_directory(kind: type, file: Path, tmp_path: Path) -> None:
    table = Recipe(file=kind(file))
    assert table.file == file.absolute()
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    assert table.unchanged() == table.file


def test_a_file_that_is_missing_or_none_is_told_when_it_is_configured(file: Path) -> None:
    with pytest.raises(ValidationError, match=r"Value error, recipe none.txt does not exist "):
        Recipe(file=Path("none.txt"))
    Path("folder").mkdir()
    with pytest.raises(ValidationError, match=r"Value error, recipe folder is not a file "):
        Recipe(file=Path("folder"))


def test_content_counts_and_neither_name_nor_time(file: Path) -> None:
    table = Recipe(file=file)
    content = file.read_bytes()
    os.utime(file, (0, 0))
    file.write_bytes(content)
    assert table.unchanged() == table.file
    file.write_bytes(content[:-1] + b"\x01")
    with pytest.raises(QhnError, match=r"mine.txt has changed since the run was configured; its bytes no longer match"):
        table.unchanged()
    file.write_bytes(content)
    assert table.unchanged() == table.file


def test_a_file_that_is_gone_since_is_told_as_such(file: Path) -> None:
    table = Recipe(file=file)
    file.unlink()
    with pytest.raises(NotFoundError, match=r"recipe .*mine.txt does not exist"):
        table.unchanged()
    file.mkdir()
    with pytest.raises(NotFoundError, match=r"recipe .*mine.txt is not a file"):
        table.unchanged()


def test_a_table_with_a_hash_is_one_of_a_record_whose_file_is_asked_for_when_it_is_read(file: Path) -> None:
    written = Recipe(file=file).model_dump(mode="json")
    file.unlink()
    again = Recipe.model_validate(written)
    assert again.sha256 == written["sha256"]
    with pytest.raises(NotFoundError, match="does not exist"):
        again.unchanged()
    file.write_bytes(b"pepper")
    with pytest.raises(QhnError, match="has changed since"):
        again.unchanged()
