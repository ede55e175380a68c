"""Checks of ``marts.executive_kpis``: the cards show what the long table holds."""

from __future__ import annotations

from quality.checks import RowsCheck, Suite

SUITE = Suite(
    table="marts.executive_kpis",
    keys=("metric_id", "window_label"),
    checks=(
        RowsCheck(
            name="cards_agree_with_metric_values",
            description="Every card shows the overall value of its metric, over the window that it names.",
            query="""
                select metric_id, batch.window_label, batch.value as shown, long.value as held
                from batch left join lake.marts.metric_values as long using (metric_id)
                where long.breakdown = 'overall' and long.period_kind = 'window' and long.window_label = batch.measured_over
                    and batch.value is distinct from long.value
            """,
        ),
    ),
)
