"""Guards the import directions, and that clock, environment and chance come in through the one door."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("pipelines", "quality", "models_ml", "benchmarks", "tests")
MODULES = sorted(path for package in ("pipelines", "quality", "models_ml") for path in (ROOT / package).rglob("*.py"))
FORBIDDEN_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("os", "getenv"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
}


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)


def allowed(importer: str, imported: str) -> bool:
    """Whether ``importer`` may import ``imported``, both dotted module names of ours."""
    if importer.startswith("models_ml"):
        return imported.startswith("models_ml")
    if importer.startswith("quality.contracts"):
        return imported.startswith("quality.contracts")
    if importer.startswith("quality"):
        return imported.startswith("quality")
    if importer in ("pipelines.errors", "pipelines.settings"):
        return imported == "pipelines.errors"
    return not imported.startswith(("tests", "benchmarks"))


def is_wiring(importer: str) -> bool:
    """Modules that may know Dagster; all others work the same from the command line."""
    leaf = importer.rsplit(".", 1)[-1]
    return importer == "pipelines.definitions" or "automation" in importer or leaf in ("assets", "translator")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_follow_the_direction(path: Path) -> None:
    importer = module_name(path)
    imported = list(imports_of(ast.parse(path.read_text())))
    wrong = [name for name in imported if name.split(".")[0] in OURS and not allowed(importer, name)]
    assert not wrong, f"{importer} must not import {wrong}"
    orchestration = [name for name in imported if name.split(".")[0] in ("dagster", "dagster_dbt", "dagster_postgres")]
    assert is_wiring(importer) or not orchestration, f"{importer} must not know Dagster: {orchestration}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_clock_environment_and_chance_enter_through_settings(path: Path) -> None:
    if module_name(path) == "pipelines.settings":
        return
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = (node.value.id, node.attr)
            if name in FORBIDDEN_CALLS or name == ("os", "environ"):
                found.append(f"line {node.lineno}: {'.'.join(name)}")
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            found.append(f"line {node.lineno}: random")
        elif isinstance(node, ast.Import) and any(alias.name in ("random", "secrets") for alias in node.names):
            found.append(f"line {node.lineno}: random or secrets")
    assert not found, f"{path.relative_to(ROOT)} reads the world outside settings.py: {found}"


@pytest.mark.parametrize("path", sorted((ROOT / "dbt_project").rglob("models/**/*.py")), ids=lambda path: path.stem)
def test_models_of_the_warehouse_call_models_ml_alone(path: Path) -> None:
    ours = [name for name in imports_of(ast.parse(path.read_text())) if name.split(".")[0] in OURS]
    assert ours and all(name.startswith("models_ml") for name in ours)


@pytest.mark.parametrize(
    "folder",
    [ROOT / package for package in (*OURS, "dbt_project/macros", "dbt_project/models")],
    ids=lambda folder: folder.name,
)
def test_no_window_is_over_all_rows(folder: Path) -> None:
    """DuckDB 1.5.5 sometimes fails on one, and then refuses every query (DECISIONS.md)."""
    asked = [path for path in folder.rglob("*") if path.suffix in (".sql", ".py") and path != Path(__file__)]
    assert asked
    assert not [path for path in asked if re.search(r"\bover\s*\(\s*\)", path.read_text(), re.IGNORECASE)]


def test_the_guard_sees_a_breach() -> None:
    assert not allowed("models_ml.attribution.markov", "pipelines.settings")
    assert not allowed("quality.checks", "pipelines.lake.connection")
    assert not allowed("quality.contracts.events", "quality.checks")
    assert not allowed("pipelines.settings", "pipelines.lake.connection")
    assert not is_wiring("pipelines.ingestion.load")
    assert is_wiring("pipelines.ingestion.assets")
    assert list(imports_of(ast.parse("def f():\n    from pipelines.lake import lock"))) == ["pipelines.lake"]
