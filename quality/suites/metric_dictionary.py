"""Checks of ``marts.metric_dictionary``: the one place where the 25 metrics are defined is whole."""

from __future__ import annotations

from quality.checks import ColumnCheck, Suite

SUITE = Suite(
    table="marts.metric_dictionary",
    keys=("metric_number", "metric_id"),
    in_memory=True,
    checks=(
        ColumnCheck(
            name="all_metrics_are_defined",
            description="The numbers 1 to 25 are all there, and no other.",
            expectation="ExpectColumnDistinctValuesToEqualSet",
            arguments={"column": "metric_number", "value_set": list(range(1, 26))},
        ),
        ColumnCheck(
            name="ids_are_unique",
            description="One row per metric.",
            expectation="ExpectColumnValuesToBeUnique",
            arguments={"column": "metric_id"},
        ),
        ColumnCheck(
            name="ids_can_be_column_names",
            description="Ids are lower-case words joined by underscores, so that wide tables can carry them.",
            expectation="ExpectColumnValuesToMatchRegex",
            arguments={"column": "metric_id", "regex": "^[a-z][a-z0-9_]*$"},
        ),
        ColumnCheck(
            name="ranges_are_not_upside_down",
            description="The healthy range begins below its end.",
            expectation="ExpectColumnPairValuesAToBeGreaterThanB",
            arguments={
                "column_A": "healthy_max",
                "column_B": "healthy_min",
                "ignore_row_if": "either_value_is_missing",
            },
        ),
        ColumnCheck(
            name="priorities_are_known",
            description="P0 to P2.",
            expectation="ExpectColumnValuesToBeInSet",
            arguments={"column": "priority", "value_set": ["P0", "P1", "P2"]},
        ),
        ColumnCheck(
            name="every_metric_is_explained",
            description="Each metric has a definition in words.",
            expectation="ExpectColumnValueLengthsToBeBetween",
            arguments={"column": "definition", "min_value": 10},
        ),
        ColumnCheck(
            name="every_metric_has_an_owner",
            description="Somebody answers for each metric.",
            expectation="ExpectColumnValuesToNotBeNull",
            arguments={"column": "owner"},
        ),
    ),
)
