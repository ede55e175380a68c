"""Publishing: ``published.*`` are views on the marts of one audited version of the lake, repointed in one step.

Readers see the marts of that version until the next publication, whatever is rebuilt meanwhile. Rolling back is the
same step with an older version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from pipelines.errors import UserError, WorkFailedError
from pipelines.lake.audit import Audit, failing_checks
from pipelines.lake.connection import Lake, lake_time, transaction
from pipelines.lake.pinning import METADATA, SOURCE, TARGET, published_views, quoted, view_statements
from pipelines.operations.queries import logged_step
from quality.checks import counted

ROLLBACK_TARGETS = 10
"""How many publications stay readable, however old they are."""

_COLUMNS = (
    "publish_id, version, previous_version, as_of, published_at, action, views, checks_passed, checks_warned, note"
)


@dataclass(frozen=True)
class Publication:
    """One row of the publish log: which version readers were given, when, and on the strength of which checks."""

    publish_id: int
    version: int
    previous_version: int | None
    as_of: datetime
    published_at: datetime
    action: str
    views: tuple[str, ...]
    checks_passed: int
    checks_warned: int
    note: str


@dataclass(frozen=True)
class Status:
    """What readers see now, and what keeps them from seeing something newer.

    ``age`` is the time since the instant that the published numbers are computed for. ``newer`` names the marts that
    changed after the published version, as far as snapshots that are not expired tell. ``pinned`` are the versions
    that stay readable: the published one and the last ones, to which `rollback` can return. ``blocked_by`` names the
    critical checks that fail at present.
    """

    current: Publication | None
    age: timedelta | None
    newer: tuple[str, ...]
    pinned: tuple[int, ...]
    blocked_by: tuple[str, ...]


def current_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest snapshot of the lake; taken right after a build it names exactly what that build left."""
    row = connection.execute("select id from ducklake_current_snapshot('lake')").fetchone()
    assert row is not None
    return int(row[0])


@logged_step("publish")
def publish(lake: Lake, audit: Audit, at: datetime) -> Publication:
    """Give readers the marts of the audited version; ``at`` is the instant of publishing.

    Raises WorkFailedError when the audit has a failed critical check: the published version stays. An audit of a
    version older than the published one changes nothing, and the standing publication is returned.
    """
    with lake.writer() as connection:
        last = _last(connection)
        if audit.failures:
            raise _refusal(audit, last)
        if last is not None and last.action == "publish" and last.version > audit.version:
            return last
        _require_readable(connection, audit.version)
        publication = Publication(
            publish_id=last.publish_id + 1 if last else 1,
            version=audit.version,
            previous_version=last.version if last else None,
            as_of=audit.as_of,
            published_at=at,
            action="publish",
            views=(),
            checks_passed=sum(result.passed for result in audit.results),
            checks_warned=len(audit.warnings),
            note=f"run {audit.run_id}",
        )
        return _repoint(connection, publication)


def rollback(lake: Lake, at: datetime, to: int | None = None) -> Publication:
    """Give readers an earlier version again, by default the one published before the present one.

    The next run that passes its audit publishes again. Raises UserError for a version that was never published or
    that maintenance has expired.
    """
    with lake.writer() as connection:
        published = _history(connection)
        if not published:
            raise UserError("Nothing has been published yet.", "Run `truelift run` first.")
        last = published[0]
        earlier: dict[int, Publication] = {}
        for publication in published:
            earlier.setdefault(publication.version, publication)
        target = _rollback_target(connection, last, sorted(earlier), to)
        meant = earlier[target]
        return _repoint(
            connection,
            Publication(
                publish_id=last.publish_id + 1,
                version=meant.version,
                previous_version=last.version,
                as_of=meant.as_of,
                published_at=at,
                action="rollback",
                views=(),
                checks_passed=meant.checks_passed,
                checks_warned=meant.checks_warned,
                note=f"back from version {last.version}",
            ),
        )


def history(lake: Lake, limit: int = 20) -> tuple[Publication, ...]:
    """The latest publications and rollbacks, newest first."""
    with lake.reader() as connection:
        return _history(connection)[:limit]


def status(lake: Lake, at: datetime) -> Status:
    """What readers see at the instant ``at``."""
    with lake.reader() as connection:
        current = _last(connection)
        blocked_by = tuple(result.name for result in failing_checks(connection))
        if current is None:
            return Status(None, None, (), (), blocked_by)
        return Status(
            current=current,
            age=at - current.as_of,
            newer=_changed_since(connection, current.version),
            pinned=pinned_versions(connection),
            blocked_by=blocked_by,
        )


def pinned_versions(connection: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    """Versions that must stay readable, newest first: the published one and the last to roll back to."""
    published = _history(connection)
    recent = sorted({publication.version for publication in published}, reverse=True)[:ROLLBACK_TARGETS]
    current = {published[0].version} if published else set()
    return tuple(sorted({*recent, *current}, reverse=True))


def _repoint(connection: duckdb.DuckDBPyConnection, publication: Publication) -> Publication:
    """Replace every published view and write the log, as one commit."""
    statements = view_statements(connection, publication.version)
    obsolete = published_views(connection) - statements.keys()
    done = Publication(**{**vars(publication), "views": tuple(sorted(statements))})
    with transaction(connection):
        for statement in statements.values():
            connection.execute(statement)
        for name in sorted(obsolete):
            connection.execute(f"drop view lake.{TARGET}.{quoted(name)}")
        connection.execute(
            f"insert into lake.ops.publish_log by name select {', '.join(f'${c} as {c}' for c in vars(done))}",
            {**vars(done), "as_of": lake_time(done.as_of), "published_at": lake_time(done.published_at)},
        )
    return done


def _changed_since(connection: duckdb.DuckDBPyConnection, version: int) -> tuple[str, ...]:
    rows = connection.execute(
        f"""select distinct t.table_name
            from ducklake_snapshots('lake') n, unnest(map_entries(n.changes)) c(entry), unnest(c.entry.value) x(thing)
            join {METADATA}.ducklake_table t
                on x.thing = t.table_id::varchar or x.thing = '{SOURCE}.' || t.table_name
            join {METADATA}.ducklake_schema s using (schema_id)
            where n.snapshot_id > $version and s.schema_name = '{SOURCE}' and t.end_snapshot is null
                and c.entry.key in ('tables_created', 'tables_inserted_into', 'tables_deleted_from', 'tables_altered')
            order by 1""",
        {"version": version},
    ).fetchall()
    return tuple(name for (name,) in rows)


def _rollback_target(connection: duckdb.DuckDBPyConnection, last: Publication, known: list[int], to: int | None) -> int:
    if to is None:
        older = [version for version in known if version < last.version and _is_readable(connection, version)]
        if not older:
            raise UserError(f"There is no publication before version {last.version} to go back to.")
        return older[-1]
    if to == last.version:
        raise UserError(f"Version {to} is the published one already.")
    if to not in known:
        raise UserError(f"Version {to} was never published.", "`truelift publish history` lists those that were.")
    _require_readable(connection, to)
    return to


def _is_readable(connection: duckdb.DuckDBPyConnection, version: int) -> bool:
    found = _scalar(connection, "select count(*) from ducklake_snapshots('lake') where snapshot_id = $n", n=version)
    return bool(found)


def _require_readable(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    if not _is_readable(connection, version):
        raise UserError(
            f"Version {version} is not in the lake: maintenance has expired it, or it never was.",
            "`truelift publish status` lists the versions that stay readable.",
        )


def _refusal(audit: Audit, last: Publication | None) -> WorkFailedError:
    failed = "; ".join(
        f"{result.name}: {result.observed}" + (f", such as {result.sample[0]}" if result.sample else "")
        for result in audit.failures
    )
    stays = f"Version {last.version}, as of {last.as_of:%Y-%m-%d %H:%M}Z, stays." if last else "Nothing is published."
    return WorkFailedError(
        f"Version {audit.version} is not published, stopped by {counted(len(audit.failures), 'check')}. {failed}. {stays}",
        "Mend the cause and run again; the data docs show every check.",
    )


def _last(connection: duckdb.DuckDBPyConnection) -> Publication | None:
    published = _history(connection)
    return published[0] if published else None


def _history(connection: duckdb.DuckDBPyConnection) -> tuple[Publication, ...]:
    rows = connection.execute(f"select {_COLUMNS} from lake.ops.publish_log order by publish_id desc").fetchall()
    return tuple(_publication(row) for row in rows)


def _publication(row: tuple[Any, ...]) -> Publication:
    publish_id, version, previous, as_of, published_at, action, views, passed, warned, note = row
    return Publication(
        publish_id,
        version,
        previous,
        as_of.replace(tzinfo=UTC),
        published_at.replace(tzinfo=UTC),
        action,
        tuple(views),
        passed,
        warned,
        note,
    )


def _scalar(connection: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]
