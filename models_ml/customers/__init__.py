"""What customers are worth and likely to do: RFM, lifecycle, behavior, lifetime value, churn, and what to offer them
when.

Frames in, frames and frozen models out. Customers are named by ``customer_id`` of any type; instants and ``as_of`` are
in one time zone. What grows with events comes aggregated; frames of orders have one row per completed order.
"""

from models_ml.customers.behavior import BehaviorRules, Pattern, behavior_patterns
from models_ml.customers.bg_nbd import BgNbd, fit_bg_nbd
from models_ml.customers.churn import (
    CHURN_TYPES,
    ChurnBacktest,
    ChurnMethod,
    ChurnModel,
    ChurnWindows,
    RetentionOffer,
    backtest_churn,
    churn_features,
    churn_snapshots,
    train_churn,
)
from models_ml.customers.clv import LIFETIME_TYPES, LifetimeModel, fit_lifetime_model, purchase_histories
from models_ml.customers.engagement import (
    ENGAGEMENT_TYPES,
    EngagementModel,
    EngagementRules,
    engagement_index,
    fit_engagement,
)
from models_ml.customers.evaluation import auc_difference, evaluate
from models_ml.customers.gamma_gamma import GammaGamma, fit_gamma_gamma
from models_ml.customers.lifecycle import LifecycleRules, Stage, lifecycle_stages, order_milestones
from models_ml.customers.offers import next_best_offers
from models_ml.customers.recommendations import SIMILARITY_TYPES, ItemSimilarity, fit_item_similarity, recommend
from models_ml.customers.rfm import RfmCutPoints, RfmRules, fit_rfm, score_rfm
from models_ml.customers.send_time import best_send_hours

__all__ = [
    "CHURN_TYPES",
    "ENGAGEMENT_TYPES",
    "LIFETIME_TYPES",
    "SIMILARITY_TYPES",
    "BehaviorRules",
    "BgNbd",
    "ChurnBacktest",
    "ChurnMethod",
    "ChurnModel",
    "ChurnWindows",
    "EngagementModel",
    "EngagementRules",
    "GammaGamma",
    "ItemSimilarity",
    "LifecycleRules",
    "LifetimeModel",
    "Pattern",
    "RetentionOffer",
    "RfmCutPoints",
    "RfmRules",
    "Stage",
    "auc_difference",
    "backtest_churn",
    "behavior_patterns",
    "best_send_hours",
    "churn_features",
    "churn_snapshots",
    "engagement_index",
    "evaluate",
    "fit_bg_nbd",
    "fit_engagement",
    "fit_gamma_gamma",
    "fit_item_similarity",
    "fit_lifetime_model",
    "fit_rfm",
    "lifecycle_stages",
    "next_best_offers",
    "order_milestones",
    "purchase_histories",
    "recommend",
    "score_rfm",
    "train_churn",
]
