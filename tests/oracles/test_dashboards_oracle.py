"""The judge of the dashboard's modules is judged by hand: figures that can be counted on the fingers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tests.oracles.dashboards_oracle import DashboardsOracle
from tests.oracles.world import Load, World, hours, id_of, midnight

AS_OF = midnight("2024-03-10") + hours(18.5)
"""A Sunday, on which North America changes its clocks."""


def judged(story: Callable[[World], None]) -> DashboardsOracle:
    world = World([Load(AS_OF, backfill=True)])
    story(world)
    lines, references = world.judged()
    return DashboardsOracle(lines.events.values(), references, AS_OF)


def test_the_funnel_counts_who_went_on_and_who_skipped() -> None:
    def story(w: World) -> None:
        at = midnight("2024-03-09")
        for user in ("looks", "clicks", "visits", "fills", "buys", "skips", "late"):
            w.sent(user, "way", at)
        for user in ("clicks", "visits", "fills", "buys", "skips", "late"):
            w.clicked(user, "way", at + hours(1))
        for user in ("visits", "fills", "buys"):
            w.event("user_engaged", user, at + hours(2), engagement_type="app_open")
        w.event("user_engaged", "late", at, engagement_type="app_open")  # before the click
        for user in ("fills", "buys", "skips"):
            w.event("cart_updated", user, at + hours(3), cart_id=user, cart_value=5)
        w.event("cart_updated", "visits", at + hours(3), cart_id="v", cart_value=0, is_cleared=True)
        for user in ("buys", "skips"):
            w.converted(user, "way", at + hours(4), order=user, value=5)

    funnel = judged(story).funnel()
    counted = {key[3]: row for key, row in funnel.items() if key[0] == "campaign" and key[2] == "7d"}
    assert counted == {"impression": (7, 7), "click": (6, 6), "visit": (3, 3), "cart": (2, 3), "purchase": (1, 2)}
    # The contacts of the 9th are in no window of the 10th alone.
    assert not [key for key in funnel if key[2] == "1d"]


def test_clicks_without_messages_have_no_impressions_of_users() -> None:
    funnel = judged(lambda w: w.clicked("alone", "paid", AS_OF)).funnel()
    assert funnel["campaign", id_of("paid"), "1d", "impression"] == (None, None)
    assert funnel["campaign", id_of("paid"), "1d", "click"] == (1, 1)


def test_what_follows_a_click_too_late_does_not_follow_from_it() -> None:
    def story(w: World) -> None:
        clicked = AS_OF - timedelta(days=40)
        w.clicked("slow", "way", clicked)
        w.event("user_engaged", "slow", clicked + timedelta(days=30), engagement_type="search")
        w.event("cart_updated", "slow", clicked + timedelta(days=30, seconds=1), cart_id="s", cart_value=5)

    funnel = judged(story).funnel()
    steps = {key[3]: row for key, row in funnel.items() if key[0] == "overall" and key[2] == "90d"}
    assert steps["visit"] == (1, 1)
    assert steps["cart"] == (0, 0)


def test_hours_are_those_of_utc() -> None:
    new_york = timezone(timedelta(hours=-5))

    def story(w: World) -> None:
        w.clicked("early", "clock", datetime(2024, 3, 9, 19, 0, tzinfo=new_york))  # midnight in UTC
        w.clicked("before", "clock", datetime(2024, 3, 9, 18, 59, 59, tzinfo=new_york))
        w.sent("late", "clock", datetime(2024, 3, 10, 18, 29, tzinfo=UTC))

    oracle = judged(story)
    hourly = oracle.hourly()
    assert [hour for hour in range(24) if hourly[id_of("clock"), "1d", hour][2]] == [0]
    assert [hour for hour in range(24) if hourly[id_of("clock"), "7d", hour][2]] == [0, 23]
    heatmap = oracle.heatmap()
    assert heatmap["all", "7d", 7, 0] == (1, 0, 0, 1, 100)
    assert heatmap["all", "7d", 6, 23] == (1, 0, 0, 1, 100)
    assert heatmap["all", "7d", 7, 18] == (1, 1, 0, 0, 0)
    assert ("all", "7d", 7, 19) not in heatmap, "the hour has not come"
    assert heatmap["all", "30d", 7, 18][0] == 5
    assert heatmap["all", "30d", 7, 19][0] == 4


def test_frequencies_share_out_the_users() -> None:
    def story(w: World) -> None:
        for user, number in (("one", 1), ("two", 2), ("four", 4), ("five", 5)):
            for n in range(number):
                w.sent(user, "often", AS_OF - hours(n))
        w.sent("held", "often", AS_OF, is_holdout=True)

    found = judged(story).frequencies()
    shares = {key[2]: row for key, row in found.items() if key[1] == "1d"}
    assert shares == {"1": (1, 25, 3), "2": (1, 25, 3), "3": (0, 0, 3), "4+": (2, 50, 3)}


def test_the_period_before_is_as_long_as_the_window() -> None:
    def story(w: World) -> None:
        w.campaign("paid", platform="meta")
        for day, spend, value in ((date(2024, 3, 3), 10, 50), (date(2024, 2, 26), 5, 20), (date(2024, 2, 25), 1, 9)):
            w.spend("paid", day, spend)
            at = midnight(day.isoformat())
            w.purchased(f"user-{day}", at, order=f"{day}", value=value)
            w.converted(f"user-{day}", "paid", at, order=f"{day}", value=value)

    before = judged(story).kpis_before()
    assert before["roas", "7d"] == (pytest.approx(70 / 15), None)
    assert before["cac", "7d"] == (pytest.approx(7.5), None)
    assert before["ltv", "7d"] == (pytest.approx(79 / 3), None)
    assert before["roas", "1d"] == (None, "no_spend_reported")
    assert before["open_rate", "7d"] == (None, "zero_denominator")
