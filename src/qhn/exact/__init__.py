"""The exact engine: E(θ), its gradient and the distribution of the measured bits, without shots and without error.

:mod:`~qhn.exact.cut` says what is computed and in which order, :mod:`~qhn.exact.kernels` are the loops, and
:mod:`~qhn.exact.halves` runs them forwards and backwards. :mod:`~qhn.exact.energy` and :mod:`~qhn.exact.distribution`
are what follows from the states. :mod:`~qhn.exact.pairs` cuts everywhere instead of once: :mod:`~qhn.exact.chain` so
samples hundreds of qubits, and :mod:`~qhn.exact.chain_energy` has E and its gradient there for a cost that is a
polynomial of spins (:mod:`~qhn.exact.operator`).

These know hypernetworks only. :mod:`~qhn.exact.state_vector` takes any circuit, which :mod:`~qhn.exact.program` brings
into the form of the loops of :mod:`~qhn.exact.gate_loops`; :mod:`~qhn.exact.light_cone_energy` takes shallow ones of
any size, for a polynomial. :mod:`~qhn.exact.protocol` is what all of them offer, and :mod:`~qhn.exact.engine` chooses.
"""
