"""Columns of numbers into JSON lines: each property becomes a column of text pieces, and the pieces become lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from models_ml.simulation.campaigns import TYPES
from models_ml.simulation.catalog import CATEGORIES
from models_ml.simulation.company import Company
from models_ml.simulation.customers import APP_VERSIONS, CHANNELS, CURRENCIES, DEVICES, PATTERNS, REGIONS
from models_ml.simulation.ids import Array, stream_key, uuids, words
from models_ml.simulation.pool import Columns
from models_ml.simulation.wording import PropertySpec, Wording, as_json, choices, filler, main_type
from models_ml.simulation.world import DAY_MS

MARKETERS = tuple(f"marketer-{letter}" for letter in "abcdefgh")
ACTORS = (*MARKETERS, "system")
"""Who acts besides customers; their index as ``user`` follows that of the last customer."""

_CLOCK = pl.Series([f"T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}" for second in range(86_400)])
_MILLISECONDS = pl.Series([f".{millisecond:03d}Z" for millisecond in range(1000)])


def user_ids(company: Company) -> pl.Series:
    """The ids of all customers, then of all actors."""
    count = len(company.customers)
    numbers = pl.Series(np.arange(count)).cast(pl.String).str.zfill(max(6, len(str(count))))
    return pl.concat(["u" + numbers, pl.Series(ACTORS)])


def campaign_ids(company: Company) -> pl.Series:
    """The UUIDs of all campaigns."""
    return uuids(stream_key(company.world.seed, "campaign"), np.arange(len(company.campaigns)))


def creative_ids(company: Company) -> pl.Series:
    """The UUIDs of all creatives."""
    return uuids(stream_key(company.world.seed, "creative"), np.arange(len(company.campaigns.creative_appeal)))


def order_ids(company: Company, numbers: Array) -> pl.Series:
    """The UUIDs of orders by their numbers."""
    return uuids(stream_key(company.world.seed, "order_id"), numbers)


def product_ids(company: Company) -> list[str]:
    """The ids of all products."""
    return [f"p-{index:03d}" for index in range(company.catalog.products)]


class Scribe:
    """Writes the events of one company as the contract's JSON lines; ``stream`` keeps event ids of two runs apart."""

    def __init__(self, wording: Wording, company: Company, *stream: int | str) -> None:
        self._wording = wording
        self._seed = company.world.seed
        self._event_key = stream_key(self._seed, "event", *stream)
        self._session_key = stream_key(self._seed, "session", *stream)
        self._rng = company.world.rng("filler", *stream)
        self._users = '"user_id":"' + user_ids(company) + '"'
        self._contexts = _contexts(company)
        self._tables = _tables(company)
        self._pieces: dict[tuple[str, str], pl.Series] = {}
        self._written = 0

    def lines(self, event_type: str, columns: Columns) -> pl.Series:
        """One line, with its line feed, per row of ``columns``; what they don't determine is filled from the contract."""
        size = len(columns["time"])
        numbers = self._written + np.arange(size)
        self._written += size
        time = _Timestamps(columns["time"])
        pieces: list[pl.Series | str] = ['{"event_id":"', uuids(self._event_key, numbers)]
        pieces += [f'","event_type":"{event_type}","timestamp":"', *time.pieces]
        pieces += ['",', _pick(self._users, columns["user"]), *self._session(columns)]
        pieces += [f',"source":"{self._wording.source(event_type)}","properties":{{']
        first = True
        for spec in sorted(self._wording.event_types[event_type].properties, key=_steady_first):
            written = self._property(event_type, spec, columns, time, "" if first else ",")
            pieces += written
            first = first and not written
        pieces += ["}", _pick(self._contexts, columns["user"])]
        return _concatenate(pieces, size)

    def _session(self, columns: Columns) -> list[pl.Series | str]:
        if "session" not in columns:
            return [',"session_id":null']
        return [',"session_id":"s-', words(self._session_key, columns["session"]), '"']

    def _property(
        self, event_type: str, spec: PropertySpec, columns: Columns, time: _Timestamps, comma: str
    ) -> list[pl.Series | str]:
        """The pieces of one property; nothing when it is left out of all rows."""
        if spec.name == "user_id":
            return [comma, _pick(self._users, columns["user"])]
        if spec.name == "session_id" and "session" in columns:
            return [f'{comma}"session_id":"s-', words(self._session_key, columns["session"]), '"']
        if spec.name not in columns and spec.name in self._tables:
            column, known = self._tables[spec.name]
            return [self._coded(event_type, spec, known, columns[column], comma)] if column in columns else []
        if spec.format == "date-time" and spec.name not in columns:
            return [f'{comma}"{spec.name}":"', *time.pieces, '"']
        values = columns.get(spec.name)
        if values is None:
            values = filler(self._rng, spec, len(columns["time"]))
        if values is None:
            return []
        if values.dtype == np.uint64:
            key = stream_key(self._seed, spec.name)
            return [f'{comma}"{spec.name}":"', uuids(key, values) if spec.format == "uuid" else words(key, values), '"']
        if main_type(spec) in ("integer", "number"):
            return _numbers(f'{comma}"{spec.name}":', values)
        return [self._coded(event_type, spec, choices(spec), values, comma)]

    def _coded(
        self, event_type: str, spec: PropertySpec, known: Sequence[str | None], codes: Array, comma: str
    ) -> pl.Series:
        """Each code's ready piece ``"name":value``; nothing for the code -1 or a word that is None."""
        pieces = self._pieces.get((event_type, spec.name))
        if pieces is None:
            texts = [None if word is None else f'{comma}"{spec.name}":{as_json(spec, word)}' for word in known]
            pieces = self._pieces[event_type, spec.name] = pl.Series([*texts, None], dtype=pl.String)
        return _pick(pieces, codes)


class _Timestamps:
    """The text of a column of times, cut into day, second and millisecond so that each is a look-up."""

    def __init__(self, time: Array) -> None:
        days = time // DAY_MS
        first = int(days.min())
        calendar = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(first, int(days.max()) + 1)]
        dates = pl.Series([f"{day:%Y-%m-%d}" for day in calendar])
        self.pieces = [
            _pick(dates, days - first),
            _pick(_CLOCK, time // 1000 % 86_400),
            _pick(_MILLISECONDS, time % 1000),
        ]


def _steady_first(spec: PropertySpec) -> tuple[bool, bool]:
    """Orders properties so that the first one, which has no comma, is in every line."""
    return (not spec.required, "null" in spec.json_types)


def _numbers(prefix: str, values: Array) -> list[pl.Series | str]:
    """Numbers as JSON; a negative whole number or a NaN is an absent one."""
    absent = np.isnan(values) if values.dtype.kind == "f" else values < 0
    text = pl.Series(values).cast(pl.String)
    if not absent.any():
        return [prefix, text]
    frame = pl.DataFrame({"text": text, "absent": absent})
    return [frame.select(pl.when(~pl.col("absent")).then(pl.lit(prefix) + pl.col("text"))).to_series()]


def _pick(texts: pl.Series, codes: Array) -> pl.Series:
    """The text of each code; a negative one counts from the end."""
    return texts.gather(codes.astype(np.int64, copy=False))


def _concatenate(pieces: list[pl.Series | str], size: int) -> pl.Series:
    """The lines that the pieces make side by side; a null piece is empty."""
    expressions = [pl.lit(piece) if isinstance(piece, str) else pl.col(str(at)) for at, piece in enumerate(pieces)]
    columns = {str(at): piece for at, piece in enumerate(pieces) if not isinstance(piece, str)}
    return pl.DataFrame(columns, height=size).select(line=pl.concat_str(expressions, ignore_nulls=True)).to_series()


def _contexts(company: Company) -> pl.Series:
    """The end of each user's lines: the context, the closing brace and the line feed."""
    people = company.customers
    shape = (len(APP_VERSIONS), len(DEVICES), len(PATTERNS), len(REGIONS))
    texts = [
        f',"context":{{"app_version":"{version}","platform":"{device}","user_segment":"{pattern}","region":"{region}"}}}}\n'
        for version in APP_VERSIONS
        for device in DEVICES
        for pattern in PATTERNS
        for region in REGIONS
    ]
    marketer = ',"context":{"app_version":"5.0.0","platform":"Web","region":"US-East"}}\n'
    customers = np.ravel_multi_index((people.app_version, people.device, people.pattern, people.region), shape)
    index = np.concatenate([customers, np.full(len(MARKETERS), len(texts)), [len(texts) + 1]])
    return pl.Series([*texts, marketer, ',"context":null}\n']).gather(index)


def _tables(company: Company) -> Mapping[str, tuple[str, list[str | None]]]:
    """Properties that follow from another column: that column, and the word of each of its values."""
    campaigns, kinds = company.campaigns, tuple(TYPES)
    campaign, creative = campaign_ids(company).to_list(), creative_ids(company).to_list()
    targets: list[str | None] = [PATTERNS[target] for target in campaigns.target]
    return {
        "campaign_id": ("campaign", campaign),
        "campaign_type": ("campaign", [kinds[kind] for kind in campaigns.kind]),
        "creative_id": ("creative", creative),
        "currency": ("money", [None, *CURRENCIES[1:]]),
        "delivery_channel": (
            "campaign",
            [CHANNELS[channel] if channel >= 0 else None for channel in campaigns.channel],
        ),
        "destination_url": ("campaign", [f"https://shop.example/{name}" for name in _slugs(company)]),
        "from_campaign_id": ("from_campaign", campaign),
        "items": ("product", [f'[{{"product_id":"{name}","quantity":1}}]' for name in product_ids(company)]),
        "marketer_id": ("marketer", list(MARKETERS)),
        "order_category": ("category", list(CATEGORIES)),
        "promotion_id": ("campaign", [f"promo-{name}" for name in _slugs(company)]),
        "segment_id": ("campaign", targets),
        "target_entity_id": ("campaign", campaign),
        "target_segment_id": ("campaign", targets),
        "to_campaign_id": ("to_campaign", campaign),
        "variant_a_creative_id": ("variant_a", creative),
        "variant_b_creative_id": ("variant_b", creative),
    }


def _slugs(company: Company) -> list[str]:
    kinds = tuple(TYPES)
    return [f"{kinds[kind].lower()}-{index}" for index, kind in enumerate(company.campaigns.kind)]
