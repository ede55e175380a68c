"""Days that are out of the ordinary: one detector to rely on, and the founding rules beside it.

``judge(series_by(frame)).filter("is_anomaly")`` finds them in every series of a frame.
"""

from models_ml.anomalies.detect import judge
from models_ml.anomalies.founding import drop, three_sigma, zero
from models_ml.anomalies.judgment import Detector, Judgment, Kind
from models_ml.anomalies.seasonal import seasonal_residual

__all__ = ["Detector", "Judgment", "Kind", "drop", "judge", "seasonal_residual", "three_sigma", "zero"]
