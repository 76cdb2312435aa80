"""The entry point of ``python -m qhn``, for machines whose path lacks the console script."""

from qhn.cli import main

main()
