"""A synthetic company whose truth is known: campaigns, customers, events and everything that goes wrong with them.

The one place of ``models_ml`` that writes files: :func:`write_company` a whole world, :func:`write_slice` more lines
of a short span of its time. The event types and their properties come from the contract that they are given.
"""

from models_ml.simulation.simulate import true_lift, write_company, write_slice
from models_ml.simulation.truth import FileTruth, Truth
from models_ml.simulation.world import BAD_SHARES, World

__all__ = ["BAD_SHARES", "FileTruth", "Truth", "World", "true_lift", "write_company", "write_slice"]
