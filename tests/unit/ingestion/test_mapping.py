"""Mapping files: what is wrong in one is told with its place and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.ingestion.mapping import SHIPPED, available_mappings, find_mapping, load_mapping
from pipelines.settings import PROJECT_DIR
from quality.contracts import load_contract
from tests.unit.ingestion.workshop import SHOP, Workshop

DOCUMENTATION = PROJECT_DIR / "docs" / "sources.md"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("license: ours", "licence: ours", "'licence' is not known. Did you mean license?"),
        ("description: A shop\n", "", "lacks description"),
        ("historical: true", "historical: perhaps", "historical is 'perhaps'. Give true or false"),
        ("historical: true", "conversions: guessed", "conversions is 'guessed'. Give one of emitted, credited"),
        ("historical: true", "historical: true\nhistorical: false", "the key 'historical' occurs twice"),
        ("{files: items.csv}", "{file: items.csv}", "input items: 'file' is not known. Did you mean files?"),
        ("{files: items.csv}", "{files: items.xls}", "the format can't be told from files 'items.xls'"),
        ("{files: items.csv}", "{files: items.csv, format: excel}", "format is 'excel'"),
        ("{files: items.csv}", "{files: /data/items.csv}", "files is the absolute path /data/items.csv"),
        ("{files: items.csv}", "{files: items.csv, delimiter: '||'}", "delimiter is '||'"),
        ("{files: items.csv}", "{files: items.csv, encoding: ebcdic}", "encoding is 'ebcdic'"),
        ("{files: items.csv}", "{files: items.sqlite, format: sqlite}", "input items lacks table"),
        ("{files: items.csv}", "{format: postgres, table: t}", "input items lacks connection"),
        (
            "{files: items.csv}",
            "{format: postgres, table: t, connection: host=x password=y}",
            "connection holds a password",
        ),
        ("{files: items.csv}", "{files: items.csv, optional: true}", "optional and columns go together"),
        ("items: {", "order-items: {", "'order-items' can't name a relation"),
        ("target: user_purchased", "target: user_purchase", "Did you mean user_purchased?"),
        ("target: order_items", "target: order_item", "Did you mean order_items?"),
        ("order_value: total", "order_valu: total", "'order_valu' is not known. Did you mean order_value?"),
        ("      order_value: total\n", "", "lacks the field order_value, which user_purchased requires"),
        ("      event_id: uuid_from('shop', 'purchase', id)\n", "", "lacks the field event_id"),
        ("      product_id: product\n", "", "lacks the field product_id"),
        ("order_value: total", "order_value: [total]", "order_value is not a text"),
        ("order_value: total", "order_value:", "order_value is not a text"),
        ("outputs:", "outputs: {}\nother:", "'other' is not known"),
        ("description: A shop", "description: [", "not readable YAML"),
    ],
)
def test_a_mapping_that_says_something_unknown_is_refused(workshop: Workshop, old: str, new: str, words: str) -> None:
    assert old in SHOP
    with pytest.raises(UserError) as caught:
        workshop.mapping(SHOP.replace(old, new, 1))
    assert words in str(caught.value)
    assert "shop.yml" in str(caught.value)


def test_an_unknown_source_is_answered_with_those_that_exist(workshop: Workshop) -> None:
    workshop.write(SHOP)
    with pytest.raises(UserError) as caught:
        find_mapping("shopfy", workshop.settings, load_contract())
    assert "Did you mean shopify?" in str(caught.value)
    assert "shop, shopify" in str(caught.value)


def test_a_mapping_of_the_home_goes_before_a_shipped_one(workshop: Workshop) -> None:
    assert available_mappings(workshop.settings)["shopify"].parent == SHIPPED
    workshop.write(SHOP, "shopify")
    assert find_mapping("shopify", workshop.settings, load_contract()).description == "A shop"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yml")), ids=lambda path: path.stem)
def test_shipped_mappings_are_sound_and_documented(path: Path) -> None:
    mapping = load_mapping(path, load_contract())
    assert mapping.outputs
    assert f"## {mapping.name}\n" in DOCUMENTATION.read_text()
