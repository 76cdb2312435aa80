"""Whether tests notice a change of one place in the code: ``make mutants``.

    python -m tests.mutants --package optimize --limit 40 --seed 2

A mutant is the source with one operator, constant, call or statement changed. It is run against the test file of its
module and the module's own examples; a mutant that passes them all has survived, and either shows a check that is
missing or means the same as what was written.
"""
