"""Problems: data sets, binary networks, and the cost C of a bitstring or of all bitstrings at once.

A problem is any object with ``num_qubits`` and ``cost(bits)``.
"""

from __future__ import annotations

from qhn.problem.cost import BinnProblem, Problem, TableProblem
from qhn.problem.datasets import Dataset
from qhn.problem.evaluations import Evaluations
from qhn.problem.labs import LabsProblem
from qhn.problem.landscape import Landscape, enumerate_costs
from qhn.problem.max_cut import MaxCutProblem, max_cut
from qhn.problem.network import Network, load_network
from qhn.problem.objective import Objective
from qhn.problem.prior import Elbo, Mmd
from qhn.problem.quadratic import QuadraticProblem
from qhn.problem.search_space import SearchSpace

__all__ = [
    "BinnProblem",
    "Dataset",
    "Elbo",
    "Evaluations",
    "LabsProblem",
    "Landscape",
    "MaxCutProblem",
    "Mmd",
    "Network",
    "Objective",
    "Problem",
    "QuadraticProblem",
    "SearchSpace",
    "TableProblem",
    "enumerate_costs",
    "load_network",
    "max_cut",
]
