"""``python -m qhn``, for where the console script is not on the path."""

from qhn.cli import main

main()
