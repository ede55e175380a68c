"""A small shop's files and mapping, and what the tests of sources do with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import UserError
from pipelines.ingestion.load import LoadResult
from pipelines.ingestion.mapping import SourceMapping, load_mapping
from pipelines.ingestion.sources import Source, ingest_source, open_source
from pipelines.lake.connection import Lake
from pipelines.settings import Settings
from quality.contracts import load_contract

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
ORDERS = (
    "\ufeffid,placed,person,total,status\n"
    "1,2025-05-01 10:00:00,ann,12.50,paid\n"
    "2,2025-05-02T08:00:00+02:00,bob,7,paid\n"
)
ITEMS = "order_id,product,amount\n1,p,1\n1,p,2\n2,q,5\n"
SHOP = """
description: A shop
license: ours
historical: true
inputs:
  orders: {files: orders.csv}
  items: {files: items.csv}
outputs:
  - target: user_purchased
    from: orders
    where: status <> 'cancelled'
    fields:
      event_id: uuid_from('shop', 'purchase', id)
      timestamp: placed
      user_id: person
      order_id: uuid_from('shop', 'order', id)
      order_value: total
  - target: order_items
    from: items join orders on orders.id = items.order_id
    group_by: [order_id, product]
    fields:
      order_id: uuid_from('shop', 'order', order_id)
      product_id: product
      quantity: sum(amount::int)
"""


@dataclass(frozen=True)
class Workshop:
    """A home, a folder with the shop's files, and a connection beside which sources are opened."""

    settings: Settings
    folder: Path
    connection: duckdb.DuckDBPyConnection

    @property
    def lake(self) -> Lake:
        return Lake(self.settings)

    def write(self, text: str, name: str = "shop") -> Path:
        """Put a mapping into the home."""
        path = self.settings.home / "sources" / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def mapping(self, text: str) -> SourceMapping:
        return load_mapping(self.write(text), load_contract())

    @contextmanager
    def opened(self, mapping: SourceMapping, *folders: Path) -> Iterator[Source]:
        """The mapping with its inputs open, looked for in ``folders``, by default the shop's."""
        with open_source(self.connection, mapping, folders or (self.folder,), load_contract()) as source:
            yield source

    def refusal(self, text: str) -> str:
        """What a person is told about a mapping that can't be used."""
        with pytest.raises(UserError) as caught, self.opened(self.mapping(text)):
            pass
        return str(caught.value)

    def ingest(self) -> list[LoadResult]:
        return ingest_source(self.lake, "shop", ingested_at=NOW, folder=self.folder)

    def event(self, target: str, fields: str) -> Any:
        """The event that ``fields`` make of the first order."""
        text = f"""
description: x
license: x
inputs: {{orders: {{files: orders.csv}}}}
outputs:
  - target: {target}
    from: (select * from orders where id = '1')
    fields: {{event_id: "uuid_from('e', id)", timestamp: placed, user_id: person, {fields}}}
"""
        with self.opened(self.mapping(text)) as source:
            (event,) = lines_of(source)
            return event

    def products(self, spec: str) -> tuple[list[Mapping[str, Any]], LoadResult]:
        """The rows that a mapping of one input gives, and what they are known by."""
        mapping = self.mapping(products_mapping(spec))
        with self.opened(mapping) as source:
            described = source.describe(mapping.outputs[0])
            return source.reference_rows(mapping.outputs[0]).read_all().to_pylist(), described


def products_mapping(spec: str) -> str:
    """A mapping that takes products from the one input described by ``spec``."""
    return f"""
description: x
license: x
inputs: {{data: {spec}}}
outputs:
  - target: products
    from: data
    fields: {{product_id: id, name: name}}
"""


def lines_of(source: Source) -> list[dict[str, Any]]:
    """The event lines of a source's first output, parsed."""
    source.make_event_lines(source.mapping.outputs[0])
    return [json.loads(line) for table in source.event_lines() for line in table["line"].to_pylist()]
