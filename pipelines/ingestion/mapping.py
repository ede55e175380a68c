"""Source mappings: one YAML file that says where a source's files are and what they mean in our words.

Reads a mapping into values and judges it against the event contract and the reference tables. What can only be told
from the files themselves (whether a column exists) is judged by :mod:`pipelines.ingestion.sources`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import UserError
from pipelines.lake.tables import REFERENCES
from pipelines.settings import Settings
from quality.contracts import Contract

SHIPPED = Path(__file__).parent / "sources"
FILE_FORMATS = ("csv", "json", "jsonl", "parquet")
TABLE_FORMATS = ("sqlite", "postgres")
ENCODINGS = ("utf-8", "utf-16", "latin-1")
ENVELOPE_FIELDS = ("event_id", "timestamp", "user_id", "session_id", "source")
DOCUMENTATION = "docs/sources.md"

_MAPPING_KEYS = ("description", "license", "historical", "conversions", "inputs", "views", "outputs")
_INPUT_KEYS = (
    *("files", "format", "delimiter", "encoding", "package", "extra"),
    *("table", "connection", "optional", "columns"),
)
_OUTPUT_KEYS = ("target", "from", "where", "group_by", "fields")
_CONVERSIONS = ("emitted", "credited")


@dataclass(frozen=True)
class Input:
    """Where one table of a source comes from: files, files of a Python package, or a table of a database."""

    name: str
    format: str
    files: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"
    package: str = ""
    extra: str = ""
    table: str = ""
    connection: str = ""
    optional_columns: tuple[str, ...] = ()
    """Columns that stand empty when there is no file; without any the files must exist."""


@dataclass(frozen=True)
class Output:
    """One target and how its rows are made: ``select fields from relation where … group by …``, all in SQL."""

    label: str
    target: str
    relation: str
    fields: Mapping[str, str]
    where: str = ""
    group_by: tuple[str, ...] = ()

    @property
    def row_expressions(self) -> tuple[tuple[str, str], ...]:
        """The expressions on single rows of the relation, each with the key it stands under."""
        conditions = (("where", self.where),) if self.where else ()
        return (*conditions, *(("group_by", expression) for expression in self.group_by))

    def select_sql(self, fields: Mapping[str, str] | None = None) -> str:
        """The select that makes the rows, or only the given fields of them.

        Each expression is followed by a line end, so that a comment in it ends there.
        """
        columns = ", ".join(f'({sql}\n) as "{name}"' for name, sql in (fields or self.fields).items())
        condition = f"where ({self.where}\n)" if self.where else ""
        group = "group by " + ", ".join(f"({sql}\n)" for sql in self.group_by) if self.group_by else ""
        return f"select {columns} from {self.relation}\n{condition} {group}"


@dataclass(frozen=True)
class SourceMapping:
    """A whole mapping; ``name`` is the stem of its file."""

    name: str
    description: str
    license: str
    historical: bool
    """Whether its events may be of any age."""
    conversions: str
    """``emitted`` by the source as events, or orders ``credited`` to the last touch."""
    inputs: Mapping[str, Input]
    views: Mapping[str, str]
    """Name to select of what several outputs share; each may read the inputs and the views before it."""
    outputs: tuple[Output, ...]


def find_mapping(name: str, settings: Settings, contract: Contract) -> SourceMapping:
    """The mapping of that name: one in the home's ``sources`` folder goes before a shipped one.

    Raises UserError listing the sources that exist.
    """
    known = available_mappings(settings)
    if name not in known:
        raise UserError(
            f"There is no source {name!r}.{_did_you_mean(name, known)}",
            f"Sources: {', '.join(sorted(known))}. Add one as {settings.home / 'sources' / 'NAME.yml'}.",
        )
    return load_mapping(known[name], contract)


def available_mappings(settings: Settings) -> dict[str, Path]:
    """Name to file of every mapping that can be used."""
    folders = (SHIPPED, settings.home / "sources")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yml"))}


def load_mapping(path: Path, contract: Contract) -> SourceMapping:
    """Read and judge a mapping file. Raises UserError naming the place, the word and the remedy."""
    where = f"The mapping {path.name}"
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{where} is not readable YAML: {error}.", f"See {DOCUMENTATION}.") from None
    keys = _keys(document, where, _MAPPING_KEYS, required=("description", "license", "inputs", "outputs"))
    conversions = keys.get("conversions", "emitted")
    if conversions not in _CONVERSIONS:
        raise UserError(f"{where}: conversions is {conversions!r}.", f"Give one of {', '.join(_CONVERSIONS)}.")
    inputs = _keys(keys["inputs"], f"{where}, inputs")
    views = _keys(keys.get("views") or {}, f"{where}, views")
    for name in (*inputs, *views):
        if not name.isidentifier() or (name in inputs and name in views):
            raise UserError(
                f"{where}: {name!r} can't name a relation.", "Use letters, digits and underscores, and every name once."
            )
    outputs = keys["outputs"]
    if not isinstance(outputs, list) or not outputs:
        raise UserError(f"{where}: outputs is not a list.", f"List at least one output, see {DOCUMENTATION}.")
    return SourceMapping(
        name=path.stem,
        description=str(keys["description"]),
        license=str(keys["license"]),
        historical=_boolean(keys, "historical", where),
        conversions=str(conversions),
        inputs={name: _input(name, spec, f"{where}, input {name}") for name, spec in inputs.items()},
        views={name: _text(views, name, f"{where}, view") for name in views},
        outputs=tuple(_output(spec, number, where, contract) for number, spec in enumerate(outputs, start=1)),
    )


def _input(name: str, spec: Any, where: str) -> Input:
    keys = _keys(spec, where, _INPUT_KEYS)
    texts = {key: _text(keys, key, where) for key in _INPUT_KEYS if key not in ("optional", "columns")}
    texts["format"] = texts["format"] or _format_of(texts["files"], where)
    if texts["format"] not in (*FILE_FORMATS, *TABLE_FORMATS):
        raise UserError(
            f"{where}: format is {texts['format']!r}.", f"Give one of {', '.join((*FILE_FORMATS, *TABLE_FORMATS))}."
        )
    if Path(texts["files"]).is_absolute():
        raise UserError(
            f"{where}: files is the absolute path {texts['files']}.", "Name it from the source's folder on."
        )
    if len(texts["delimiter"]) > 1:
        raise UserError(f"{where}: delimiter is {texts['delimiter']!r}.", 'Give one sign, a tab as "\\t".')
    if texts["encoding"] and texts["encoding"] not in ENCODINGS:
        raise UserError(f"{where}: encoding is {texts['encoding']!r}.", f"Give one of {', '.join(ENCODINGS)}.")
    is_table = texts["format"] in TABLE_FORMATS
    needed = ("table", "connection" if texts["format"] == "postgres" else "files") if is_table else ("files",)
    if missing := [key for key in needed if not texts[key]]:
        raise UserError(f"{where} lacks {missing[0]}.", f"A {texts['format']} input needs {' and '.join(needed)}.")
    if "password" in texts["connection"].lower():
        raise UserError(
            f"{where}: connection holds a password.",
            "Keep it in ~/.pgpass or in a service of ~/.pg_service.conf and write service=NAME here.",
        )
    columns = tuple(str(column) for column in keys.get("columns") or ())
    if _boolean(keys, "optional", where) != bool(columns):
        raise UserError(
            f"{where}: optional and columns go together.",
            "An optional input lists the columns that stand empty when there is no file.",
        )
    given = {key: text for key, text in texts.items() if text}
    return Input(name=name, optional_columns=columns, **given)


def _format_of(files: str, where: str) -> str:
    suffixes = [suffix.lstrip(".") for suffix in Path(files).suffixes if suffix not in (".gz", ".zst")]
    if not suffixes or suffixes[-1] not in FILE_FORMATS:
        raise UserError(f"{where}: the format can't be told from files {files!r}.", "State format.")
    return suffixes[-1]


def _output(spec: Any, number: int, where: str, contract: Contract) -> Output:
    keys = _keys(spec, f"{where}, output {number}", _OUTPUT_KEYS, required=("target", "from", "fields"))
    target = _text(keys, "target", where)
    label = f"output {number} ({target})"
    where = f"{where}, {label}"
    allowed, required = _target_fields(target, where, contract)
    fields = _keys(keys["fields"], f"{where}, fields", allowed)
    if missing := [name for name in required if name not in fields]:
        raise UserError(f"{where} lacks the field {missing[0]}, which {target} requires.", f"Add {missing[0]}: SQL.")
    group_by = keys.get("group_by") or ()
    return Output(
        label=label,
        target=target,
        relation=_text(keys, "from", where),
        fields={name: _text(fields, name, f"{where}, field") for name in fields},
        where=_text(keys, "where", where),
        group_by=tuple(str(item) for item in (group_by if isinstance(group_by, list) else (group_by,)) if item),
    )


def _target_fields(target: str, where: str, contract: Contract) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Fields that an output to ``target`` may state, and those that it must."""
    if target in REFERENCES:
        key, columns = REFERENCES[target]
        return tuple(columns), key
    event_types = {event_type.name: event_type for event_type in contract.event_types}
    if target not in event_types:
        known = (*event_types, *REFERENCES)
        raise UserError(
            f"{where}: there is no event type or reference {target!r}.{_did_you_mean(target, known)}",
            f"Event types: {', '.join(event_types)}. References: {', '.join(REFERENCES)}.",
        )
    properties = [prop for prop in event_types[target].properties if prop.name not in ENVELOPE_FIELDS]
    allowed = (*ENVELOPE_FIELDS, *contract.context_fields, *(prop.name for prop in properties))
    return allowed, ("event_id", "timestamp", "user_id", *(prop.name for prop in properties if prop.required))


def _keys(
    spec: Any, where: str, allowed: Collection[str] | None = None, required: Iterable[str] = ()
) -> dict[str, Any]:
    """The mapping node ``spec`` with known keys only, every required one among them."""
    if not isinstance(spec, dict) or not all(isinstance(key, str) for key in spec):
        raise UserError(f"{where} is not a list of `key: value` lines.", f"See {DOCUMENTATION}.")
    for key in spec:
        if allowed is not None and key not in allowed:
            raise UserError(
                f"{where}: {key!r} is not known.{_did_you_mean(key, allowed)}", f"Known: {', '.join(allowed)}."
            )
    for key in required:
        if spec.get(key) in (None, "", {}, []):
            raise UserError(f"{where} lacks {key}.", f"See {DOCUMENTATION}.")
    return spec


def _text(keys: Mapping[str, Any], key: str, where: str) -> str:
    """The scalar under ``key`` as SQL or plain text; empty when it is absent."""
    value = keys.get(key, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UserError(
        f"{where}: {key} is not a text.",
        "Write a SQL expression, in quotes where YAML would read something else into it (dates, lists, empty values).",
    )


def _boolean(keys: Mapping[str, Any], key: str, where: str) -> bool:
    value = keys.get(key, False)
    if not isinstance(value, bool):
        raise UserError(f"{where}: {key} is {value!r}.", "Give true or false.")
    return value


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


class _StrictLoader(yaml.SafeLoader):
    """Reads YAML safely and refuses a key that occurs twice, where YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)
