"""What a daily measure will be: simulated futures, their proof in the past, the choice of a model, planned spend.

``forecast_all(series_by(frame), 30, seed).to_frame()`` forecasts every series of a frame.
"""

from models_ml.forecasting.backtests import Accuracy, Backtest, backtest
from models_ml.forecasting.champion import Champion, choose_champion
from models_ml.forecasting.forecasts import LEVELS, Forecast, Forecasts, Total, forecast, forecast_all
from models_ml.forecasting.models import LEAST_DAYS, Model
from models_ml.forecasting.scale import Scale, suitable_scale
from models_ml.forecasting.scenario import Scenario, plan_spend
from models_ml.series import DailySeries, series_by

__all__ = [
    "LEAST_DAYS",
    "LEVELS",
    "Accuracy",
    "Backtest",
    "Champion",
    "DailySeries",
    "Forecast",
    "Forecasts",
    "Model",
    "Scale",
    "Scenario",
    "Total",
    "backtest",
    "choose_champion",
    "forecast",
    "forecast_all",
    "plan_spend",
    "series_by",
    "suitable_scale",
]
