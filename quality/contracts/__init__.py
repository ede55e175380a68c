"""The event contract: one JSON Schema per event type, and what the rest of the platform derives from it.

The schemas are the only place where an event type or a property is defined. Typed columns, validation, the
taxonomy page and the simulator all read them through :func:`load_contract`. Imports nothing of ours.
"""

from quality.contracts.events import REASONS, Contract, EventType, Property, load_contract

__all__ = ["REASONS", "Contract", "EventType", "Property", "load_contract"]
