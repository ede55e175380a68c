"""Sources: a mapping that does not fit its files is refused before a row is written; what fits is loaded once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from pipelines.errors import UserError
from pipelines.ingestion.mapping import load_mapping
from pipelines.settings import PROJECT_DIR
from quality.contracts import load_contract
from tests.unit.ingestion.workshop import ITEMS, ORDERS, SHOP, Workshop, lines_of, products_mapping

DOCUMENTATION = PROJECT_DIR / "docs" / "sources.md"


@pytest.mark.parametrize(
    "case",
    [
        (
            "order_value: total",
            "order_value: totl",
            "output 1 (user_purchased), field order_value: there is no column totl in orders.csv. "
            "Columns that exist: orders.csv: id, placed, person, total, status",
        ),
        (
            "sum(amount::int)",
            "sum(items.qty::int)",
            "field quantity: there is no column qty in items.csv or orders.csv. "
            "Columns that exist: items.csv: order_id, product, amount; orders.csv: id",
        ),
        ("where: status <>", "where: state <>", "where: there is no column state in orders.csv"),
        ("group_by: [order_id, product]", "group_by: [order_id, prod]", "group_by: there is no column prod"),
        ("from: orders", "from: order_lines", "order_lines is no input of it. Inputs and views: orders, items"),
        ("from: orders", "from: lake.raw.events", "lake.raw.events is no input of it"),
        ("order_value: total", "order_value: (select max(x) from lake.raw.events)", "lake.raw.events is no input"),
        ("order_value: total", "order_value: total +", "field order_value: syntax error"),
        (
            "order_value: total",
            "order_value: 1) from orders; drop table x; select (1",
            "field order_value: this is not one expression",
        ),
        ("from: orders", "from: orders; drop table orders", "from: "),
        ("sum(amount::int)", "sum(amount)", "field quantity: No function matches the given name"),
        ("sum(amount::int)", "amount", 'field quantity: column "amount" must appear in the GROUP BY'),
        ("order_value: total", "order_value: nonsense(total)", "Scalar Function with name nonsense does not exist"),
        ("{files: items.csv}", "{files: goods.csv}", "No file goods.csv for input items"),
        ("{files: items.csv}", "{package: no_such_package, extra: samples, files: x.csv}", "truelift[samples]"),
        (
            "outputs:",
            "views: {big: select nothing from orders}\noutputs:",
            "view big, select: there is no column nothing",
        ),
        ("outputs:", "views: {big: select from}\noutputs:", "view big: "),
        ("outputs:", "views: {both: select 1}\noutputs:", "'both' can't name a relation"),
    ],
)
def test_a_mapping_that_does_not_fit_its_files_is_refused_before_a_row_is_read(
    workshop: Workshop, case: tuple[str, str, str]
) -> None:
    old, new, words = case
    assert old in SHOP
    assert words in workshop.refusal(SHOP.replace(old, new, 1))


def test_a_column_that_only_some_files_have_is_named_with_a_file_that_lacks_it(workshop: Workshop) -> None:
    (workshop.folder / "orders-2.csv").write_text("status,id,placed,person\npaid,3,2025-05-03,carl\n")
    text = SHOP.replace("orders.csv", "orders*.csv")
    message = workshop.refusal(text)
    assert "there is no column total in orders-2.csv" in message
    # Columns that all files have may be named, in whatever order the files have them.
    mapping = load_mapping(workshop.write(text.replace("order_value: total", "order_value: id")), load_contract())
    with workshop.opened(mapping) as source:
        assert [line["properties"]["order_value"] for line in lines_of(source)] == [1, 2, 3]


def test_an_output_is_known_by_contents_and_definition_not_by_file_names(workshop: Workshop) -> None:
    def content_hash(text: str = SHOP) -> str:
        mapping = workshop.mapping(text)
        with workshop.opened(mapping) as source:
            return source.describe(mapping.outputs[0]).content_hash

    first = content_hash()
    (workshop.folder / "items.csv").write_text(ITEMS + "2,r,1\n")
    assert content_hash() == first, "the first output does not read the items"
    (workshop.folder / "orders.csv").rename(workshop.folder / "orders-renamed.csv")
    assert content_hash(SHOP.replace("orders.csv", "orders-*.csv")) == first
    (workshop.folder / "orders.csv").write_text(ORDERS)
    for old, new in (
        ("order_value: total", "order_value: total::double"),
        ("historical: true", "historical: false"),
        ("historical: true", "historical: true\nconversions: credited"),
        ("<> 'cancelled'", "<> 'void'"),
    ):
        assert content_hash(SHOP.replace(old, new)) != first


def test_a_source_is_loaded_once_and_again_only_where_its_files_changed(workshop: Workshop) -> None:
    workshop.write(SHOP)
    (workshop.folder / "orders.csv").write_text(
        ORDERS + "3,2025-05-03,carl,1,cancelled\n4,2025-05-03,,1,paid\n5,never,eve,-1,paid\n"
    )
    results = workshop.ingest()
    purchases, items = results
    assert (purchases.lines, purchases.accepted, purchases.rejected, purchases.filtered) == (5, 2, 2, 1)
    assert dict(purchases.rejected_by_reason) == {"missing_id": 1, "invalid_timestamp": 1, "negative_amount": 1}
    assert (purchases.source_rows, items.source_rows, items.lines, items.accepted) == (5, 3, 2, 2)
    assert [r.status for r in workshop.ingest()] == ["known", "known"]
    # The same content under another name is known; a changed line of one file loads the outputs that read it.
    (workshop.folder / "items.csv").write_text(ITEMS.replace("2,q,5", "2,q,6"))
    again = workshop.ingest()
    assert [r.status for r in again] == ["known", "loaded"]
    assert (again[1].accepted, again[1].replaced, again[1].duplicates) == (1, 1, 1)
    with workshop.lake.reader() as reader:
        stored = reader.execute("select user_id, event_date, order_value, source_file from lake.raw.events order by 1")
        assert stored.fetchall() == [
            ("ann", date(2025, 5, 1), Decimal("12.5000"), "orders.csv"),
            ("bob", date(2025, 5, 2), Decimal("7.0000"), "orders.csv"),
        ]
        log = "select count(*) from lake.ops.load_log where lines <> accepted + duplicates + rejected + filtered"
        assert reader.execute(log).fetchall() == [(0,)]


def test_a_value_that_sql_can_not_bear_fails_the_output_and_writes_nothing_of_it(workshop: Workshop) -> None:
    workshop.write(SHOP)
    (workshop.folder / "items.csv").write_text(ITEMS + "2,q,many\n")
    with pytest.raises(UserError) as caught:
        workshop.ingest()
    assert "output 2 (order_items): Could not convert string 'many' to INT32" in str(caught.value)
    with workshop.lake.reader() as reader:
        assert reader.execute("select count(*) from lake.raw.order_items").fetchall() == [(0,)]


def test_a_missing_column_writes_nothing_at_all(workshop: Workshop) -> None:
    workshop.write(SHOP.replace("sum(amount::int)", "sum(qty::int)"))
    with pytest.raises(UserError, match="there is no column qty"):
        workshop.ingest()
    with workshop.lake.reader() as reader:
        assert reader.execute("select count(*) from lake.ops.load_log").fetchall() == [(0,)]


def test_the_example_in_the_documentation_works(workshop: Workshop) -> None:
    example = DOCUMENTATION.read_text().partition("```yaml\n")[2].partition("```")[0]
    header = "receipt_no;printed_at;card_no;kind;article_no;price;amount\n"
    lines = (
        "1;2025-07-01 10:00;c1;sale;a;1.50;2\n1;2025-07-01 10:00;c1;sale;b;2.00;1\n2;2025-07-01 11:00;c2;return;a;1;1\n"
    )
    (workshop.folder / "receipts-1.csv").write_text(header + lines)
    pl.DataFrame({"article_no": ["a"], "label": ["Apple"], "purchase_price": [0.5]}).write_parquet(
        workshop.folder / "articles.parquet"
    )
    mapping = workshop.mapping(example)
    with workshop.opened(mapping) as source:
        assert source.count(mapping.outputs[0]) == (3, 1)
        (purchase,) = lines_of(source)
        assert source.reference_rows(mapping.outputs[1]).read_all().num_rows == 1
    assert purchase["timestamp"] == "2025-07-01T08:00:00.000000Z"
    assert purchase["properties"]["order_value"] == 5


def test_one_line_may_give_several_rows(workshop: Workshop) -> None:
    (workshop.folder / "p.csv").write_text("ids,name\n1 2,x\n3,y\n")
    text = products_mapping("{files: p.csv}").replace("from: data", "from: \"data, unnest(split(ids, ' ')) as t(id)\"")
    mapping = workshop.mapping(text)
    with workshop.opened(mapping) as source:
        found = source.reference_rows(mapping.outputs[0]).read_all().to_pylist()
    assert [(row["product_id"], row["name"]) for row in found] == [("1", "x"), ("2", "x"), ("3", "y")]
