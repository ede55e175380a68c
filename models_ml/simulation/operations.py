"""What marketers and the company's systems do; every property that nothing here decides comes from the contract."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models_ml.simulation.company import Company
from models_ml.simulation.crowd import Crowd
from models_ml.simulation.ids import Array
from models_ml.simulation.lines import ACTORS, MARKETERS
from models_ml.simulation.pool import Columns, Pool
from models_ml.simulation.seasons import Part
from models_ml.simulation.wording import Wording
from models_ml.simulation.world import DAY_MS

SHARES: Mapping[str, float] = {
    "model_inference_completed": 0.03,
    "metric_calculation_completed": 0.003,
    "data_refresh_completed": 0.002,
    "dashboard_accessed": 0.001,
    "user_action_recommended": 0.0006,
    "anomaly_detected": 0.0004,
    "budget_reallocated": 0.0003,
    "creative_variant_tested": 0.0002,
}
"""Share of the clean events that each type makes up."""

JOURNEY_TYPES = frozenset(
    {
        "campaign_delivered",
        "campaign_viewed",
        "campaign_clicked",
        "campaign_converted",
        "campaign_abandoned",
        "message_bounced",
        "user_segmented",
        "user_purchased",
        "user_engaged",
        "user_unsubscribed",
        "cart_updated",
        "promotion_redeemed",
        "consent_changed",
        "campaign_created",
        "campaign_launched",
        "campaign_paused",
    }
)
"""Types whose events follow from customers and campaigns."""

_OTHER_SHARE = 0.0005
"""Share of a type of the contract that the simulator does not know."""

_SMALL_WORLD = 1000
"""Clean events from which on every type of operation occurs at least once."""

_OF_CAMPAIGNS = frozenset(
    {"campaign_id", "creative_id", "target_entity_id", "from_campaign_id", "variant_a_creative_id"}
)


class Operations:
    """Marketers, systems, and event types that were added to the contract."""

    def __init__(self, company: Company, wording: Wording) -> None:
        self._company = company
        self._wording = wording
        clean = company.world.clean_events
        self._types = {
            name: max(round(SHARES.get(name, _OTHER_SHARE) * clean), int(clean >= _SMALL_WORLD))
            for name in wording.event_types.keys() - JOURNEY_TYPES
            if len(company.campaigns) or not any(wording.declares(name, entity) for entity in _OF_CAMPAIGNS)
        }

    def advance(self, rng: np.random.Generator, part: Part, crowd: Crowd, pool: Pool) -> None:
        """The operations of one part."""
        for name, total in sorted(self._types.items()):
            size = part.portion(total)
            if size:
                time = crowd.company_times(rng, size)
                pool.add(name, **self._actor(rng, name, time, crowd), **self._entities(rng, size))
        self._campaign_steps(part, pool)

    def _actor(self, rng: np.random.Generator, name: str, time: Array, crowd: Crowd) -> Columns:
        """Marketers in the admin portal, the system in the backend, customers on their phones."""
        customers, size = len(self._company.customers), len(time)
        source = self._wording.source(name)
        if source == "mobile":
            return {"time": time, "user": crowd.draw(rng, crowd.visits, size)}
        if source == "admin_portal":
            marketer = rng.integers(0, len(MARKETERS), size)
            return {"time": time, "user": customers + marketer, "marketer": marketer}
        return {"time": time, "user": np.full(size, customers + len(ACTORS) - 1)}

    def _entities(self, rng: np.random.Generator, size: int) -> Columns:
        campaigns = self._company.campaigns
        if not len(campaigns):
            return {}
        campaign = rng.integers(0, len(campaigns), size)
        first = campaigns.first_creative[campaign]
        return {
            "campaign": campaign,
            "from_campaign": campaign,
            "to_campaign": (campaign + rng.integers(1, max(len(campaigns), 2), size)) % len(campaigns),
            "creative": first,
            "variant_a": first,
            "variant_b": first + 1,
        }

    def _campaign_steps(self, part: Part, pool: Pool) -> None:
        """Campaigns are created two days before they begin, launched when they begin, and some are paused at their end."""
        campaigns = self._company.campaigns
        paused = np.array([status == "paused" for status in campaigns.status], dtype=bool)
        every = np.ones(len(campaigns), dtype=bool)
        for name, at, applies, budget in (
            ("campaign_created", campaigns.start - 2 * DAY_MS, every, "initial_budget"),
            ("campaign_launched", campaigns.start, every, "budget_approved"),
            ("campaign_paused", campaigns.end, paused, "budget"),
        ):
            campaign = np.flatnonzero(applies & (at >= part.start) & (at < part.end))
            marketer = campaign % len(MARKETERS)
            columns = {"time": at[campaign], "user": len(self._company.customers) + marketer, "campaign": campaign}
            pool.add(name, **columns, marketer=marketer, **{budget: campaigns.budget[campaign]})
