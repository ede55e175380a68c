"""Event lines: canonical, in order, values in their declared type or as the text that they are."""

from __future__ import annotations

import uuid

import pytest

from pipelines.ingestion.event_lines import NAMESPACE, SEPARATOR, create_macros
from quality.contracts import load_contract
from tests.unit.ingestion.workshop import SHOP, Workshop, lines_of


def test_event_lines_are_canonical_and_ordered_by_time(workshop: Workshop) -> None:
    mapping = workshop.mapping(SHOP)
    with workshop.opened(mapping) as source:
        lines = lines_of(source)
        assert [table["source_line"].to_pylist() for table in source.event_lines()] == [[1, 2]]
    assert lines[0] == {
        "event_id": str(uuid.uuid5(NAMESPACE, SEPARATOR.join(("shop", "purchase", "1")))),
        "event_type": "user_purchased",
        "timestamp": "2025-05-01T10:00:00.000000Z",
        "user_id": "ann",
        "source": "backend",
        "properties": {
            "order_id": str(uuid.uuid5(NAMESPACE, SEPARATOR.join(("shop", "order", "1")))),
            "order_value": 12.5,
        },
        "context": {},
    }
    assert lines[1]["timestamp"] == "2025-05-02T06:00:00.000000Z"


def test_lines_stand_in_the_order_of_their_times(workshop: Workshop) -> None:
    days = [f"2025-05-{1 + (7 * number) % 31:02}" for number in range(31)]
    (workshop.folder / "orders.csv").write_text(
        "id,placed,person,total,status\n" + "".join(f"{day},{day},ann,1,paid\n" for day in days)
    )
    mapping = workshop.mapping(SHOP)
    with workshop.opened(mapping) as source:
        assert [line["timestamp"][:10] for line in lines_of(source)] == sorted(days)


@pytest.mark.parametrize(
    "case",
    [
        ("user_purchased", "order_value: '''12.50'''", 12.5),
        ("user_purchased", "order_value: \"'twelve'\"", "twelve"),
        ("user_purchased", "order_value: \"'NaN'\"", "NaN"),
        ("user_purchased", "order_value: \"'nan'::double\"", "nan"),
        ("user_purchased", 'order_value: "123456789012.3456::decimal(18,4)"', 123456789012.3456),
        ("user_purchased", 'order_value: "0.1::double + 0.2::double"', 0.1 + 0.2),
        ("user_purchased", "promo_code_used: \"'TRUE'\"", True),
        ("user_purchased", "promo_code_used: false", False),
        ("user_purchased", "promo_code_used: \"'maybe'\"", "maybe"),
        ("user_purchased", "days_since_last_purchase: \"'7'\"", 7),
        ("user_purchased", "days_since_last_purchase: \"'7.5'\"", 7.5),
        ("user_purchased", "days_since_last_purchase: 3", 3),
        ("user_purchased", "order_timestamp: \"date '2025-01-02'\"", "2025-01-02T00:00:00.000000Z"),
        ("user_purchased", "order_timestamp: \"'not a time'\"", "not a time"),
        (
            "user_purchased",
            "order_timestamp: \"timezone('Europe/London', timestamp '2025-07-01 10:00:00')\"",
            "2025-07-01T09:00:00.000000Z",
        ),
        ("user_purchased", "order_category: 5", "5"),
        ("user_purchased", 'order_category: "\'quote \\" and ü\'"', 'quote " and ü'),
        ("cart_updated", 'items: "\'[{\\"a\\": 1}]\'"', [{"a": 1}]),
        ("cart_updated", 'items: "[1, 2]"', [1, 2]),
        ("cart_updated", "items: \"'no json'\"", "no json"),
    ],
)
def test_a_value_is_written_in_its_declared_type_or_as_the_text_it_is(
    workshop: Workshop, case: tuple[str, str, object]
) -> None:
    target, field, expected = case
    required = {
        "user_purchased": {"order_id": "\"uuid_from('o')\"", "order_value": "1"},
        "cart_updated": {prop.name: "null" for prop in load_contract()["cart_updated"].properties if prop.required},
    }[target]
    name = field.partition(":")[0]
    fields = [field, *(f"{key}: {value}" for key, value in required.items() if key != name)]
    event = workshop.event(target, ", ".join(fields).replace(": null", ': "null"'))
    assert event["properties"][name] == expected
    assert type(event["properties"][name]) is type(expected)


def test_absent_values_are_left_out(workshop: Workshop) -> None:
    fields = "order_id: \"uuid_from('o', null)\", order_value: 1, session_id: \"null\", region: \"nullif('a', 'a')\""
    event = workshop.event("user_purchased", fields)
    assert set(event) == {"event_id", "event_type", "timestamp", "user_id", "source", "properties", "context"}
    assert event["properties"] == {"order_value": 1}
    assert event["context"] == {}


def test_a_property_named_like_the_user_is_the_users(workshop: Workshop) -> None:
    fields = "unsubscribe_type: \"'all_campaigns'\", platform: \"'Web'\", source: \"'mobile'\""
    event = workshop.event("user_unsubscribed", fields)
    assert (event["user_id"], event["source"], event["context"]) == ("ann", "mobile", {"platform": "Web"})
    assert event["properties"] == {"unsubscribe_type": "all_campaigns"}


def test_natural_keys_give_the_uuids_of_the_standard(workshop: Workshop) -> None:
    create_macros(workshop.connection)
    for parts in (("a",), ("a", "b"), ("ab", ""), ("", "ab"), ("ü", "1", "2", "3", "4", "5")):
        marks = ", ".join("?" for _ in parts)
        ((found,),) = workshop.connection.execute(f"select uuid_from({marks})", list(parts)).fetchall()
        assert found == uuid.uuid5(NAMESPACE, SEPARATOR.join(parts))
        assert (found.version, found.variant) == (5, uuid.RFC_4122)
    assert workshop.connection.execute(
        "select uuid_from('a', null), uuid_from('a', 7) = uuid_from('a', '7')"
    ).fetchall() == [(None, True)]
