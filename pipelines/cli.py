"""The command line: reads arguments, calls the function that does the work, shows what came out.

Exit codes: 0 done, 1 the work failed, 2 a user's mistake. Commands import what they need when they are called, so that
the quick ones start quickly.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipelines import demo as demonstration
from pipelines.console import Phases, show_loads, show_publication
from pipelines.doctor import examine
from pipelines.errors import TrueliftError, UserError, WorkFailedError, is_disk_full
from pipelines.ingestion import quarantine
from pipelines.ingestion.files import files_in
from pipelines.ingestion.load import LoadResult, ingest_files
from pipelines.lake.connection import Lake
from pipelines.query import Format, print_query
from pipelines.settings import PROJECT_DIR, child_environment, load_settings, now, parse_instant

app = typer.Typer(
    help="Truelift: marketing events in, validated metrics out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
publish_app = typer.Typer(
    help="What readers see: the published version, its history, and going back.", no_args_is_help=True
)
quarantine_app = typer.Typer(help="Rejected lines: look at them, repair and release them.", no_args_is_help=True)
app.add_typer(publish_app, name="publish")
app.add_typer(quarantine_app, name="quarantine")

# What is printed comes from files and tables: nothing in it is markup.
console = Console(markup=False, highlight=False, emoji=False)
errors = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)

_INTERRUPTED = 130
_WIDTH_OF_A_FILE = 240

AsOf = Annotated[str | None, typer.Option("--as-of", help="Instant to compute for (UTC), instead of now.")]
Backfill = Annotated[bool, typer.Option("--backfill", help="Take in events of any age (a historical load).")]


def main() -> None:
    """Entry point of ``truelift``: people's errors become one line and an exit code, never a stack trace."""
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE  # a pipe has no width of its own; rows of tables stay whole
    try:
        app()
    except TrueliftError as error:
        errors.print("Mistake: " if error.exit_code == 2 else "Failed: ", style="bold red", end="")
        errors.print(error.what)
        if error.remedy:
            errors.print(error.remedy)
        sys.exit(error.exit_code)
    except SystemExit as end:  # Ctrl-C, as typer passes it on
        if end.code == _INTERRUPTED:
            _tell_interrupted()
        raise
    except RuntimeError as error:  # Ctrl-C, as DuckDB passes it on
        if str(error) != "Query interrupted":
            raise
        _tell_interrupted()
        sys.exit(_INTERRUPTED)


@app.command()
def ingest(
    path: Annotated[
        Path | None, typer.Argument(help="A file, or a folder of files; the landing folder if absent.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Name of a source mapping (docs/sources.md).")] = None,
    backfill: Backfill = False,
    as_of: AsOf = None,
) -> None:
    """Take event files, reference inputs or a mapped source into the lake."""
    from pipelines.ingestion.sources import ingest_source
    from pipelines.run import take_landing

    lake, at = _lake(), now()
    instant = _instant(as_of, at)
    with Phases(console) as phases:
        if source is not None:
            results = ingest_source(
                lake, source, ingested_at=instant, folder=path, backfill=backfill, progress=phases.bytes
            )
        elif path is not None:
            paths = files_in(path) if path.is_dir() else [path]
            results = ingest_files(lake, paths, ingested_at=instant, backfill=backfill, progress=phases.bytes)
        else:
            landing = take_landing(lake, as_of=instant, at=at, backfill=backfill, progress=phases.bytes)
            results = list(landing.results)
            _tell_unknown(landing.unknown)
    show_loads(console, results)
    _fail_for(results)


@app.command()
def run(
    as_of: AsOf = None,
    backfill: Backfill = False,
    real_time: Annotated[bool, typer.Option("--real-time", help="Only what a landing batch refreshes.")] = False,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Rebuild every model from scratch.")] = False,
) -> None:
    """The whole job: take in the landing folder, build, audit, publish."""
    _run(_lake(), as_of, backfill=backfill, real_time=real_time, full_refresh=full_refresh)


def _run(lake: Lake, as_of: str | None, *, backfill: bool, real_time: bool, full_refresh: bool) -> None:
    from pipelines.run import refresh, take_landing

    at = now()
    instant = _instant(as_of, at)
    with Phases(console) as phases:
        phases.begin("ingest")
        landing = take_landing(lake, as_of=instant, at=at, backfill=backfill, progress=phases.bytes)
        show_loads(console, landing.results)
        _tell_unknown(landing.unknown)
        built, audited, publication = refresh(
            lake,
            as_of=instant,
            at=at,
            real_time=real_time,
            full_refresh=full_refresh,
            on_build=phases.node,
            on_phase=phases.begin,
        )
    show_publication(console, built, audited, publication)
    _fail_for(landing.results)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A query; tables are those of the schema published.")],
    form: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Query the published marts, read-only, at any moment."""
    print_query(_lake(), query, form, console)


@app.command()
def probe() -> None:
    """Ask every published view for a row, and log how it answered."""
    from pipelines.operations.probes import ANSWER_SECONDS
    from pipelines.operations.probes import probe as work

    found = work(_lake())
    if not found:
        console.print("Nothing has been published yet.")
        return
    table = Table("view", "status", "ms")
    for each in found:
        table.add_row(
            each.service, str(each.status_code), "" if each.response_ms is None else f"{each.response_ms:.1f}"
        )
    console.print(table)
    down = [each.service for each in found if not each.is_ok]
    if down:
        raise WorkFailedError(f"{len(down)} of {len(found)} views did not answer well within {ANSWER_SECONDS:g} s.")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal bytes.")] = 7,
    days: Annotated[int, typer.Option(help="Days that end with --end.")] = 90,
    customers: Annotated[int, typer.Option(help="Number of customers.")] = 5_000,
    events: Annotated[int, typer.Option(help="Number of event lines.")] = 300_000,
    end: Annotated[str | None, typer.Option(help="The first instant that has not happened yet; now if absent.")] = None,
) -> None:
    """Write the files of a simulated company, and the truth about it beside them."""
    from models_ml.simulation import World, write_company
    from quality.contracts import load_contract

    try:
        world = World(end=_instant(end, now()), seed=seed, days=days, customers=customers, events=events)
        with Phases(console) as phases:
            write_company(world, load_contract(), out, progress=phases.count("simulate"))
    except (ValueError, OverflowError) as error:
        raise UserError(f"No such company: {error}", "See `truelift simulate --help`.") from None
    except OSError as error:
        kind = WorkFailedError if is_disk_full(error) else UserError
        raise kind(f"{out} can't be written: {error.strerror or error}.", "Give another folder as --out.") from error
    console.print(
        f"{events:,} events of {customers:,} customers lie in {out}, the truth about them in {out / 'truth'}."
    )


@app.command()
def demo() -> None:
    """Simulate a company and carry it to published marts."""
    lake = _lake()
    with Phases(console) as phases:
        folder = demonstration.write_demo(lake.settings, phases.count("simulate"))
        results = ingest_files(
            lake, files_in(folder), ingested_at=demonstration.DEMO_END, backfill=True, progress=phases.bytes
        )
    show_loads(console, results, total_only=True)
    _run(lake, demonstration.DEMO_END.isoformat(), backfill=False, real_time=False, full_refresh=False)
    console.print("\nThe five strongest campaigns of the last 30 days:")
    print_query(lake, demonstration.DEMO_QUERY, "table", console)
    console.print(
        f"""
Everything lies in {lake.settings.home}. Ask it yourself:
  .venv/bin/truelift sql "show tables"
  .venv/bin/truelift sql "select * from metric_values where breakdown = 'overall' and period_kind = 'window'"
  .venv/bin/truelift quarantine list
  make dev            # the Dagster UI on http://127.0.0.1:3000""",
    )


@app.command()
def train(as_of: AsOf = None) -> None:
    """Train the models on what the lake holds, and try them out of time."""
    from pipelines.modeling.training import train as work

    with Phases(console) as phases:
        phases.begin("train")
        found = work(_lake(), _instant(as_of, now()))
    table = Table("model", "AUC", "95 % interval", "precision", "recall", "F1", "cases", "why there is none")
    for each in found:
        figures = (each.precision_score, each.recall_score, each.f1_score)
        interval = "" if each.auc_low is None else f"{each.auc_low:.3f} to {each.auc_high:.3f}"
        shown = ("" if value is None else f"{value:.3f}" for value in figures)
        table.add_row(
            *(each.kind, "" if each.auc is None else f"{each.auc:.3f}", interval, *shown),
            *("" if each.cases is None else f"{each.cases:,}", each.details or ""),
        )
    console.print(table)


@app.command()
def maintain(as_of: AsOf = None) -> None:
    """Expire old snapshots, compact small files, delete orphans, purge the archive."""
    from pipelines.lake.maintenance import maintain as work

    report = work(_lake(), _instant(as_of, now()))
    table = Table(title="maintenance", show_header=False)
    for name, value in asdict(report).items():
        table.add_row(name.replace("_", " "), f"{value:.1f}" if isinstance(value, float) else str(value))
    console.print(table)


@app.command()
def doctor() -> None:
    """Say what is wrong with this set-up and how to mend it."""
    ill = 0
    for finding in examine(load_settings()):
        ill += not finding.is_good
        console.print("ok  " if finding.is_good else "bad ", style="green" if finding.is_good else "bold red", end=" ")
        console.print(f"{finding.name}: {finding.seen}", soft_wrap=True)
        if not finding.is_good:
            console.print(f"     {finding.remedy}", soft_wrap=True)
    if ill:
        raise WorkFailedError(f"{ill} things are not in order.", "The remedies stand beside them.")


@app.command()
def dev(port: Annotated[int, typer.Option(help="Port of the Dagster UI on 127.0.0.1.")] = 3000) -> None:
    """Open the Dagster UI with its daemon: landed files are carried to the marts by themselves."""
    settings = _lake().settings
    if not (settings.dagster_home / "dagster.yaml").exists():
        shutil.copy(PROJECT_DIR / "deploy" / "local" / "dagster.yaml", settings.dagster_home / "dagster.yaml")
    console.print(f"Drop event files into {settings.landing}; the UI is at http://127.0.0.1:{port}", soft_wrap=True)
    program = str(Path(sys.executable).with_name("dagster"))
    arguments = [program, "dev", "-w", str(PROJECT_DIR / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    os.execve(program, arguments, child_environment(settings))


@publish_app.command()
def status() -> None:
    """The published version, how old it is, and what stands in the way of a newer one."""
    from pipelines.lake.publishing import status as work

    found = work(_lake(), now())
    if found.current is None:
        console.print("Nothing has been published yet.")
    else:
        console.print(
            f"version {found.current.version}, computed for {found.current.as_of:%Y-%m-%d %H:%M:%S} UTC "
            f"({found.current.action} of {len(found.current.views)} views)"
        )
    console.print(f"marts changed since: {', '.join(found.newer) or 'none'}")
    console.print(f"failing critical checks: {', '.join(found.blocked_by) or 'none'}")
    console.print(f"versions to roll back to: {', '.join(str(version) for version in found.pinned) or 'none'}")


@publish_app.command()
def history(limit: Annotated[int, typer.Option(help="Number of rows.")] = 20) -> None:
    """Publications and rollbacks, newest first."""
    from pipelines.lake.publishing import history as work

    table = Table("id", "action", "version", "previous", "as of", "published at", "views", "passed", "warned", "note")
    for each in work(_lake(), limit):
        previous = "" if each.previous_version is None else str(each.previous_version)
        cells = (each.publish_id, each.action, each.version, previous, each.as_of, each.published_at, len(each.views))
        table.add_row(*(str(cell) for cell in (*cells, each.checks_passed, each.checks_warned, each.note)))
    console.print(table)


@publish_app.command()
def rollback(
    to: Annotated[int | None, typer.Option(help="Version to return to; the previous one if absent.")] = None,
) -> None:
    """Give readers an earlier version again."""
    from pipelines.lake.publishing import rollback as work

    publication = work(_lake(), now(), to)
    console.print(f"Readers see version {publication.version} again ({len(publication.views)} views).")


@quarantine_app.command("list")
def quarantine_list(
    reason: Annotated[str | None, typer.Option(help="Only lines rejected for this reason.")] = None,
    load: Annotated[int | None, typer.Option(help="Only lines of this load.")] = None,
    limit: Annotated[int, typer.Option(help="Number of lines.")] = 50,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """Lines that wait in quarantine; as json they can be edited and given back to retry."""
    lines = quarantine.waiting_lines(_lake(), reason=reason, load_id=load, limit=limit)
    if form == "json":
        typer.echo(json.dumps([asdict(line) for line in lines], indent=1, default=str, ensure_ascii=False))
        return
    if form != "table":
        raise UserError(f"{form!r} is no format.", "Choose table or json.")
    table = Table("load", "line", "file", "reasons", "details", "raw line")
    for line in lines:
        cells: tuple[Any, ...] = (line.load_id, line.source_line, line.source_file, ", ".join(line.reasons))
        table.add_row(*(str(cell) for cell in cells), line.details, line.raw_line[:120])
    console.print(table)


@quarantine_app.command("retry")
def quarantine_retry(
    repaired: Annotated[Path | None, typer.Option("--from", help="Edited output of `list --format json`.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only lines rejected for this reason.")] = None,
    load: Annotated[int | None, typer.Option(help="Only lines of this load.")] = None,
    backfill: Backfill = False,
    as_of: AsOf = None,
) -> None:
    """Judge quarantined lines anew, repaired or as they are, and release those that pass."""
    lake = _lake()
    lines = (
        quarantine.repaired_lines(repaired) if repaired else quarantine.waiting_lines(lake, reason=reason, load_id=load)
    )
    result = quarantine.retry(lake, lines, ingested_at=_instant(as_of, now()), backfill=backfill)
    if result is None:
        console.print("Nothing waits in quarantine.")
        return
    console.print(
        f"{result.accepted} lines released, {result.duplicates} were stored already, {result.rejected} fail again."
    )


def _tell_interrupted() -> None:
    errors.print("Interrupted; what was committed stays, the rest is done by the next run.")


def _lake() -> Lake:
    return Lake(load_settings().prepare())


def _instant(text: str | None, default: datetime) -> datetime:
    return parse_instant(text) if text else default


def _tell_unknown(paths: tuple[Path, ...]) -> None:
    for path in paths:
        errors.print(f"{path.name} stays in the landing folder: its name says neither events nor a reference input.")


def _fail_for(results: tuple[LoadResult, ...] | list[LoadResult]) -> None:
    failed = [result for result in results if result.status == "failed"]
    if failed:
        raise WorkFailedError(
            f"{len(failed)} of {len(results)} files could not be taken in: {failed[0].error}",
            "They are as they were; the others are done." if len(results) > 1 else "",
        )
