"""Jobs on a machine of any vendor: submitted once, found again, paid for within a budget, after a self-test.

What is asked of a vendor's service are the methods of a :class:`~qhn.backend.service.connection.Connection`.
:mod:`qhn.backend.ibm` and :mod:`qhn.backend.vendor` implement it, and nothing here knows either of them.
"""
