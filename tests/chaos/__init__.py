"""Runs on a stand-in of the IBM service that are killed, cut off, refused and failed at random, and what then holds.

    python -m tests.chaos --rounds 100 --seed 1

A round is one small run through the command line, in processes of its own, resumed until it is done. What goes wrong in
it is drawn from the seed and the round's number; when exactly it meets the run depends on the machine.
"""

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parents[1])
if _TESTS not in sys.path:  # pytest puts it there itself
    sys.path.append(_TESTS)
