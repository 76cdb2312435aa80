"""The experiments of arXiv:2301.08292, repeated and judged by ``qhn reproduce``.

Each module is one question of the paper, and returns a :class:`~qhn.paper.section.Section` of the report.
"""
