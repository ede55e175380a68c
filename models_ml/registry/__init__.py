"""Trained models as versions: what is known of them, their bytes, and whether their input has drifted."""

from models_ml.registry.artifact import dump, hash_of, load
from models_ml.registry.drift import Reference, drift, psi, reference, references
from models_ml.registry.version import Metric, ModelVersion, Provenance, Status, register

__all__ = [
    "Metric",
    "ModelVersion",
    "Provenance",
    "Reference",
    "Status",
    "drift",
    "dump",
    "hash_of",
    "load",
    "psi",
    "reference",
    "references",
    "register",
]
