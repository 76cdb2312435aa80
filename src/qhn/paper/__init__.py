"""The experiments of arXiv:2301.08292, run again and judged: ``qhn reproduce``.

Each module is one question of the paper, and returns a :class:`~qhn.paper.section.Section` of the report.
"""
