"""Help with misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, options: Iterable[str], otherwise: str = "") -> str:
    """``"did you mean 'x'?"`` for the option nearest to ``name``, or ``otherwise`` if none is near.

    >>> did_you_mean("shotz", ["shots", "seed"])
    "did you mean 'shots'?"
    """
    nearest = difflib.get_close_matches(name, list(options), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else otherwise
