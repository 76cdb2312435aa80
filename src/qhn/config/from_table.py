"""A configuration for a table: what a look at it suggests, with the reasons, written down to be changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qhn.config import RunConfig
from qhn.config.commented import CommentedTable, Entry
from qhn.config.data import FileData
from qhn.config.designs import (
    DIRECTED_SHOTS,
    DIRECTED_STEPS,
    DIRECTIONS,
    HIDDEN,
    NUM_LAYERS,
    SHOTS,
    STEPS,
    Design,
)
from qhn.config.file import config_of
from qhn.errors import QhnError
from qhn.problem.datasets import Dataset
from qhn.table.csv_files import Dialect, sniffed
from qhn.table.files import is_text, read_table
from qhn.table.labels import Classes, classes_of
from qhn.table.look import MAX_CATEGORIES, Look, look_at
from qhn.text import counted, in_line

WAIT = 30.0  # seconds that a run may take of which a newcomer knows nothing
MAX_TOLD = 6  # names of columns in a line
"""


"""
