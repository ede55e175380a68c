"""Every clean event keeps the contract, and what the contract adds the simulator makes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from models_ml.simulation import World, write_company
from models_ml.simulation.bad_lines import _PROPERTIES, BadLines
from models_ml.simulation.wording import FREE_WORDS, STRUCTURES, Wording
from quality.contracts import Contract, EventType, Property, load_contract

from .conftest import END, Written
from .judge import INSTANT, parse, reasons

PER_TYPE = 120


def _validators(contract: Contract) -> dict[str, jsonschema.Draft202012Validator]:
    formats = jsonschema.FormatChecker(formats=["uuid"])
    formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(INSTANT.fullmatch(value)))
    registry: Registry[Any] = Registry().with_resource(
        "https://truelift.example/envelope.json", Resource.from_contents(contract.envelope)
    )
    return {
        event_type.name: jsonschema.Draft202012Validator(
            {**event_type.schema, "$id": f"https://truelift.example/events/{event_type.name}.json"},
            format_checker=formats,
            registry=registry,
        )
        for event_type in contract.event_types
    }


@pytest.fixture(scope="module")
def events(company: Written) -> dict[str, list[dict[str, Any]]]:
    """The clean events by type."""
    rejected = set(company.truth.marked_lines.filter(mark="rejected").select("file", "line_number").rows())
    found = defaultdict(list)
    for file, number, line in company.lines():
        if (file, number) not in rejected:
            event = parse(line)
            assert event is not None
            found[event["event_type"]].append(event)
    return found


def test_clean_events_validate_against_their_schemas(events: dict[str, list[dict[str, Any]]]) -> None:
    validators = _validators(load_contract())
    assert set(events) == set(validators)
    for name, found in events.items():
        step = max(1, len(found) // PER_TYPE)
        for event in found[::step]:
            validators[name].validate(event)


def test_clean_events_state_only_declared_properties(events: dict[str, list[dict[str, Any]]]) -> None:
    contract = load_contract()
    for name, found in events.items():
        declared = {spec.name for spec in contract[name].properties}
        assert {key for event in found for key in event["properties"]} - {"revision"} <= declared


def test_every_declared_property_occurs(events: dict[str, list[dict[str, Any]]]) -> None:
    contract = load_contract()
    elsewhere = {"user_unsubscribed.campaign_id", "budget_reallocated.currency"}
    for name, found in events.items():
        stated = {key for event in found for key in event["properties"]}
        assert {f"{name}.{spec.name}" for spec in contract[name].properties if spec.name not in stated} <= elsewhere


def test_a_property_and_a_type_added_to_the_contract_are_simulated(tmp_path: Path) -> None:
    contract = load_contract()
    grown = Property("mood_score", "How they felt.", ("number",), required=True, minimum=0, maximum=1)
    engaged = replace(contract["user_engaged"], properties=(*contract["user_engaged"].properties, grown))
    rated = EventType(
        name="store_rated",
        description="A customer rated a store.",
        owner="Mobile App",
        expected_volume="few",
        properties=(
            Property("store", "Which.", ("string",), required=True),
            Property("stars", "How many.", ("integer",), required=True, minimum=1, maximum=5),
            Property("visit_id", "The visit.", ("string",), required=False, format="uuid"),
            Property("comment", "In words.", ("string", "null"), required=False),
            Property("campaign_id", "That led there.", ("string",), required=False, format="uuid"),
        ),
        schema={},
    )
    others = [event_type for event_type in contract.event_types if event_type.name != "user_engaged"]
    bigger = replace(contract, event_types=(*others, engaged, rated))
    write_company(World(end=END, days=2, customers=50, events=6_000, campaigns=3), bigger, tmp_path)
    lines = [line for path in tmp_path.glob("events-*.jsonl") for line in path.read_bytes()[:-1].split(b"\n")]
    events = [event for line in lines if not reasons(line, bigger, END) and (event := parse(line))]
    ratings = [event for event in events if event["event_type"] == "store_rated"]
    assert ratings
    assert all(event["source"] == "mobile" and 1 <= event["properties"]["stars"] <= 5 for event in ratings)
    assert {len(event["properties"]["campaign_id"]) for event in ratings} == {36}
    assert any("mood_score" in event["properties"] for event in events if event["event_type"] == "user_engaged")


def test_a_word_that_the_contract_lost_is_named() -> None:
    with pytest.raises(ValueError, match=r"campaign_viewed\.view_type does not take 'smelled'"):
        Wording(load_contract()).code("campaign_viewed", "view_type", "smelled")


def test_words_for_free_properties_are_safe_to_write() -> None:
    for word in (word for words in FREE_WORDS.values() for word in words):
        assert not re.search(r'["\\@]|\d{5}', word)
    for text in (text for texts in STRUCTURES.values() for text in texts):
        json.loads(text)


def test_bad_lines_begin_as_valid_events() -> None:
    """So that nothing but what was spoiled is wrong with them."""
    validators, maker = _validators(load_contract()), BadLines(World(end=END).rng("test"))
    for name in _PROPERTIES:
        validators[name].validate(maker._event(name, "u000001", World(end=END).start_ms))
