"""Customers' standing with the company: consents, withdrawals, and the segments that they are put into."""

from __future__ import annotations

import numpy as np

from models_ml.simulation.company import Company
from models_ml.simulation.crowd import Crowd
from models_ml.simulation.customers import CHANNELS, PATTERNS, REGION_CURRENCY, UNSUBSCRIBE_TYPES
from models_ml.simulation.ids import Array
from models_ml.simulation.pool import Pool
from models_ml.simulation.seasons import Part
from models_ml.simulation.wording import Wording

SEGMENTED_SHARE = 0.02
_CONSENT_CHANNELS = tuple(channel for channel in CHANNELS if channel != "in_app")
_UNSUBSCRIBED_CHANNEL = {"email_only": "email", "push_only": "push", "all_campaigns": "all"}
_JURISDICTION_OF_CURRENCY = ("CCPA", "GDPR", "OTHER")


class Membership:
    """What a company hears and decides about its customers."""

    def __init__(self, company: Company, wording: Wording) -> None:
        self._company = company
        self._channels = wording.codes("consent_changed", "channel", *_CONSENT_CHANNELS)
        self._left_channels = wording.codes(
            "consent_changed", "channel", *(_UNSUBSCRIBED_CHANNEL[name] for name in UNSUBSCRIBE_TYPES)
        )
        self._statuses = wording.codes("consent_changed", "status", "denied", "granted", "withdrawn")
        self._jurisdictions = wording.codes("consent_changed", "jurisdiction", *_JURISDICTION_OF_CURRENCY)
        self._unsubscribe_types = wording.codes("user_unsubscribed", "unsubscribe_type", *UNSUBSCRIBE_TYPES)
        self._patterns = wording.codes("user_segmented", "segment_type", *PATTERNS)

    def advance(self, rng: np.random.Generator, part: Part, crowd: Crowd, clean: int, pool: Pool) -> None:
        """Consents stated, subscriptions ended and segments assigned in a part."""
        self._statements(part, pool)
        self._departures(part, pool)
        self._segments(rng, crowd, rng.poisson(SEGMENTED_SHARE * clean), pool)

    def _statements(self, part: Part, pool: Pool) -> None:
        """Whether customers agree to be written to, channel by channel."""
        people = self._company.customers
        user = np.flatnonzero((people.consented >= part.start) & (people.consented < part.end))
        for index, channel in enumerate(_CONSENT_CHANNELS):
            time = np.minimum(people.consented[user] + 1000 * index, part.end - 1)
            status = self._statuses[people.consent[user, CHANNELS.index(channel)].astype(np.int8)]
            columns = {"time": time, "user": user, "status": status, "jurisdiction": self._jurisdiction(user)}
            pool.add("consent_changed", **columns, channel=np.full(len(user), self._channels[index]))

    def _departures(self, part: Part, pool: Pool) -> None:
        """Customers who no longer want to be written to; they withdraw their consent with it."""
        people = self._company.customers
        user = np.flatnonzero((people.unsubscribed >= part.start) & (people.unsubscribed < part.end))
        time, kind = people.unsubscribed[user], people.unsubscribe_type[user]
        pool.add("user_unsubscribed", time=time, user=user, unsubscribe_type=self._unsubscribe_types[kind])
        withdrawn = np.full(len(user), self._statuses[-1])
        columns = {"time": time, "user": user, "status": withdrawn, "jurisdiction": self._jurisdiction(user)}
        pool.add("consent_changed", **columns, channel=self._left_channels[kind])

    def _jurisdiction(self, user: Array) -> Array:
        return np.asarray(self._jurisdictions[REGION_CURRENCY[self._company.customers.region[user]]])

    def _segments(self, rng: np.random.Generator, crowd: Crowd, size: int, pool: Pool) -> None:
        user = crowd.draw(rng, crowd.visits, size)
        pattern = self._company.customers.pattern[user]
        pool.add(
            "user_segmented",
            time=crowd.company_times(rng, size),
            user=user,
            segment_type=self._patterns[pattern],
            segment_id=pattern,
            previous_segment=(pattern + rng.integers(1, len(PATTERNS), size)) % len(PATTERNS),
            segment_score=rng.beta(8, 2, size).round(3),
        )
