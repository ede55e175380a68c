"""What the event contract says, made ready for the simulator: the words of each property, and fillers for the rest.

A property or an event type that is added to the contract appears in the simulated events without a change here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from models_ml.simulation.customers import APP_VERSIONS, PATTERNS, REGIONS
from models_ml.simulation.ids import Array, fresh_numbers


class PropertySpec(Protocol):
    """A declared property of an event type."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def json_types(self) -> tuple[str, ...]:
        """JSON types that it may take."""

    @property
    def required(self) -> bool:
        """Whether every event has it."""

    @property
    def format(self) -> str | None:
        """JSON Schema format: uuid, date-time or none."""

    @property
    def enum(self) -> tuple[str, ...]:
        """Its only values; empty when it is free."""

    @property
    def minimum(self) -> float | None:
        """Least value of a number."""

    @property
    def maximum(self) -> float | None:
        """Greatest value of a number."""

    @property
    def pattern(self) -> str | None:
        """Regular expression of its text."""


class EventSpec(Protocol):
    """An event type of the taxonomy."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def owner(self) -> str:
        """The surface or team that emits it."""

    @property
    def properties(self) -> Sequence[PropertySpec]:
        """Its declared properties."""


class EventContract(Protocol):
    """The event contract, as far as the simulator needs it; ``quality.contracts.Contract`` is one."""

    @property
    def event_types(self) -> Sequence[EventSpec]:
        """All event types."""


FREE_WORDS: Mapping[str, tuple[str, ...]] = {
    "bounce_reason": ("mailbox full", "unknown recipient", "blocked by receiver", "temporary failure"),
    "data_source": ("campaign_events", "user_behavior", "orders"),
    "method": ("signup_form", "preference_center", "double_opt_in", "customer_service"),
    "metric_id": (
        "roas",
        "ctr",
        "conversion_rate",
        "cac",
        "cpc",
        "aov",
        "open_rate",
        "click_rate",
        "repeat_purchase_rate",
    ),
    "model_name": ("incrementality_model_v2", "segment_classifier_v5", "churn_model_v3", "recommendation_v1"),
    "previous_segment": PATTERNS,
    "primary_metric": ("click_rate", "conversion_rate", "roas"),
    "proof": ("form-v1", "form-v2", "app-dialog-v4", "call-note"),
    "region": REGIONS,
    "screen_name": ("home", "rewards", "catalog", "search", "saved"),
    "search_query": (
        "running shoes",
        "gift card",
        "crème brûlée set",
        "headphones",
        "rain jacket",
        "notebook",
        "コーヒー",
    ),
    "segment_change_reason": ("increased_spend", "reduced_frequency", "first_order", "no_recent_order", "new_category"),
    "segment_id": PATTERNS,
    "template_used": ("seasonal", "win-back", "welcome", "flash-sale"),
    "unsubscribe_reason": ("too_many_campaigns", "not_relevant", "privacy", "other"),
    "version": APP_VERSIONS,
}
"""Plausible words for text properties that the contract leaves free, by the property's name."""

STRUCTURES: Mapping[str, tuple[str, ...]] = {
    "dimension_breakdown": ('{"campaign":"all"}', '{"segment":"HIGH_SPENDER"}', '{"platform":"email"}'),
    "error_messages": ("[]", '["1 record without campaign"]'),
    "feature_importance_top_3": ('["recency","frequency","channel"]', '["basket","weekday","recency"]'),
    "filters_applied": ("{}", '{"window":"7d"}', '{"window":"30d","segment":"NEW_SHOPPER"}'),
    "impact_projection": (
        '{"projected_roas_change_percent":4.2,"projected_revenue_impact":310.5,"confidence_score":0.7}',
    ),
    "pause_metrics_snapshot": ('{"roas":0.8,"ctr":1.1,"conversions":14}', '{"roas":1.3,"ctr":0.6,"conversions":5}'),
    "supporting_data": ('{"roas_7d":0.9,"roas_30d":1.6}', '{"click_rate_7d":3.1}'),
}
"""JSON texts for properties that are objects or lists, by the property's name."""

ABSENT = -1
"""The code of a property that an event does not have; as an index it points behind the last word, at a null."""
_ABSENT_SHARE = 0.3


class Wording:
    """The contract's event types, with the words that each property may take."""

    def __init__(self, contract: EventContract) -> None:
        self.event_types = {event_type.name: event_type for event_type in contract.event_types}
        self._specs = {(e.name, spec.name): spec for e in contract.event_types for spec in e.properties}

    def code(self, event_type: str, name: str, word: str) -> int:
        """The number by which columns name a word. ValueError when the contract doesn't know it."""
        known = choices(self._specs[event_type, name])
        if word not in known:
            raise ValueError(f"{event_type}.{name} does not take {word!r}; the contract lists {known}.")
        return known.index(word)

    def codes(self, event_type: str, name: str, *words: str) -> Array:
        """Several words' numbers."""
        return np.array([self.code(event_type, name, word) for word in words], dtype=np.int8)

    def declares(self, event_type: str, name: str) -> bool:
        """Whether the event type has a property of that name."""
        return (event_type, name) in self._specs

    def source(self, event_type: str) -> str:
        """The surface that emits an event type, by its owner."""
        owner = self.event_types[event_type].owner
        return {"Mobile": "mobile", "Admin": "admin_portal"}.get(owner.split(" ", 1)[0], "backend")


def main_type(spec: PropertySpec) -> str:
    """The JSON type that the simulator gives a property."""
    return next(kind for kind in spec.json_types if kind != "null")


def choices(spec: PropertySpec) -> tuple[str, ...]:
    """The words of a text property, or the JSON texts of any other."""
    if spec.enum:
        return spec.enum
    kind = main_type(spec)
    if kind == "boolean":
        return ("false", "true")
    if kind in ("object", "array"):
        return STRUCTURES.get(spec.name, ("{}" if kind == "object" else "[]",))
    return FREE_WORDS.get(spec.name, tuple(f"{spec.name}-{letter}" for letter in "abcde"))


def as_json(spec: PropertySpec, word: str) -> str:
    """A word of ``choices`` as JSON."""
    return json.dumps(word, ensure_ascii=False) if main_type(spec) == "string" else word


def filler(rng: np.random.Generator, spec: PropertySpec, size: int) -> Array | None:
    """A column of plausible values for a property that nothing else determines; None when it is better left out.

    Numbers stand for themselves, text and structures are codes into ``choices``, UUIDs are unsigned numbers.
    """
    kind = main_type(spec)
    if spec.format == "date-time" or (spec.pattern and not spec.required):
        return None
    if spec.format == "uuid":
        return fresh_numbers(rng, size)
    if kind == "boolean":
        return rng.random(size) < 0.3
    if kind in ("integer", "number"):
        least, most = spec.minimum or 0, 100 if spec.maximum is None else spec.maximum
        return (
            rng.integers(int(least), int(most) + 1, size)
            if kind == "integer"
            else rng.uniform(least, most, size).round(3)
        )
    column = rng.integers(0, len(choices(spec)), size, dtype=np.int16)
    if "null" in spec.json_types:
        column[rng.random(size) < _ABSENT_SHARE] = ABSENT
    return column
