"""Days out of the ordinary: one detector to rely on, and the founding rules beside it.

``judge(series_by(frame)).filter("is_anomaly")`` finds them in every series of a frame; ``find_anomalies`` makes a table of
what it finds in the metrics of the warehouse.
"""

from models_ml.anomalies.detect import judge
from models_ml.anomalies.founding import drop, three_sigma, zero
from models_ml.anomalies.judgment import Detector, Judgment, Kind
from models_ml.anomalies.seasonal import seasonal_residual
from models_ml.anomalies.watch import find_anomalies

__all__ = [
    "Detector",
    "Judgment",
    "Kind",
    "drop",
    "find_anomalies",
    "judge",
    "seasonal_residual",
    "three_sigma",
    "zero",
]
