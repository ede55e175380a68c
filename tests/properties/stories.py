"""Nasty cases for the metrics, each told in a few events with campaigns and users of its own.

They can share one world of four loads, so that one build after each load proves them all: backfilled history, late data
two days later, the evening of ``as_of`` (a leap year's 10 March, on which North America changes its clocks), and
corrections three minutes after that. A story that speaks into a later load changes what an earlier one gave.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from tests.oracles.world import Load, World, hours, id_of, midnight

HISTORY, LATE, TODAY, CORRECTIONS = range(4)
AS_OF = midnight("2024-03-10") + hours(18)
SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)
LOOKBACK = timedelta(days=30)


def world_of(*stories: Callable[[World], None]) -> World:
    """A world in which these stories happened."""
    history = Load(AS_OF - timedelta(days=3), backfill=True)
    later = [Load(instant) for instant in (AS_OF - timedelta(days=1), AS_OF, AS_OF + timedelta(minutes=3))]
    world = World([history, *later])
    for story in stories:
        world.into(HISTORY)
        story(world)
    return world


def no_clicks(w: World) -> None:
    w.campaign("no-clicks", platform="email", budget=100)
    w.spend("no-clicks", date(2024, 3, 5), 12.5, platform="email")
    for user in ("nc-1", "nc-2"):
        w.sent(user, "no-clicks", midnight("2024-03-05") + hours(1))
    w.converted("nc-1", "no-clicks", midnight("2024-03-05") + hours(2), order="nc-o", value=10)


def one_user(w: World) -> None:
    at = midnight("2024-03-05")
    seen: dict[str, Any] = {"segment": "VIPS", "creative_id": id_of("creative")}
    w.campaign("one-user", campaign_type="VIP", platform="push", budget=50)
    w.sent("alone", "one-user", at, channel="push", **seen)
    w.viewed("alone", "one-user", at + hours(1), **seen)
    w.clicked("alone", "one-user", at + hours(2), segment="VIPS", creative_id=id_of("creative").upper())
    w.purchased("alone", at + hours(3), order="alone-1", value=19.99, segment="VIPS")
    w.converted("alone", "one-user", at + hours(3), order="alone-1", value=19.99, **seen)


def all_held_out(w: World) -> None:
    at = midnight("2024-03-04")
    for n in range(3):
        w.sent(f"held-{n}", "all-held-out", at, is_holdout=True)
    w.viewed("held-0", "all-held-out", at + hours(1))
    w.clicked("held-0", "all-held-out", at + hours(2))
    w.converted("held-0", "all-held-out", at + hours(3), order="held-o", value=5)


def both_arms_count_as_treated(w: World) -> None:
    at = midnight("2024-03-04")
    for user in ("both", "only-held"):
        w.sent(user, "arms", at, is_holdout=True)
        w.clicked(user, "arms", at + hours(2))
        w.converted(user, "arms", at + hours(3), order=f"arms-{user}", value=7)
    w.into(LATE)
    w.sent("both", "arms", at + hours(1))  # the click of two days ago begins to count


def holdout_known_late(w: World) -> None:
    at = midnight("2024-02-20")
    for user in ("late-held", "late-not"):
        w.clicked(user, "late-arms", at)
        w.viewed(user, "late-arms", at, delivery_channel="email")
        w.converted(user, "late-arms", at + hours(5), order=f"late-{user}", value=11)
    w.into(TODAY)
    w.sent("late-held", "late-arms", at + timedelta(days=2), is_holdout=True)


def window_edges(w: World) -> None:
    firsts = [midnight(day) for day in ("2024-03-10", "2024-03-04", "2024-02-10", "2023-12-12", "2024-01-01")]
    for n, first in enumerate([*firsts, midnight("2024-02-29"), midnight("2024-03-01"), midnight("2023-11-05")]):
        w.into(TODAY if first == firsts[0] else HISTORY)
        for user, at in ((f"in-{n}", first), (f"out-{n}", first - INSTANT)):
            w.sent(user, "edges", at)
            w.viewed(user, "edges", at)
            w.clicked(user, "edges", at)
            w.converted(user, "edges", at, order=f"edge-{user}", value=3.5)
            w.purchased(user, at, order=f"edge-{user}", value=3.5)
        w.spend("edges", first.date(), 1.25, platform="google", impressions=10, clicks=4)
        w.spend("edges", (first - SECOND).date(), 2.5, platform="google", impressions=20, clicks=8)


def clocks_change(w: World) -> None:
    for at in (
        midnight("2024-03-10") + hours(7),
        midnight("2024-03-10") + hours(6.999),
        midnight("2023-11-05") + hours(6),
    ):
        w.into(TODAY if at.year == 2024 else HISTORY)
        w.sent("dst", "clocks", at, channel="sms")
        w.clicked("dst", "clocks", at)
    w.converted("dst", "clocks", midnight("2024-03-05"), order="dst-o", value=1)


def repeated_orders(w: World) -> None:
    at = midnight("2024-03-05") + hours(12)
    for value, later in ((20, 1), (30, 2)):
        w.purchased("twice", at + hours(later), order="twice-1", value=value)
        w.converted("twice", "repeats", at + hours(later), order="twice-1", value=value)
    w.into(LATE)
    w.purchased("twice", at - timedelta(days=3), order="twice-1", value=10, segment="EARLY")
    w.converted("twice", "repeats", at - timedelta(days=3), order="twice-1", value=10)
    for user in ("tie-a", "tie-b"):  # one instant: the smaller event id wins
        w.purchased("tie", at, order="tie-1", value=1 if user == "tie-a" else 2)


def spend_cases(w: World) -> None:
    day = date(2024, 3, 2)
    w.spend("spend-unknown", day, 40, platform="tiktok", impressions=1000, clicks=10)
    w.campaign("spend-zero", platform="meta")
    w.spend("spend-zero", day, 0, impressions=5, clicks=0)
    w.converted("zero", "spend-zero", midnight("2024-03-02"), order="zero-o", value=4)
    w.campaign("spend-none", platform="linkedin")
    w.clicked("none", "spend-none", midnight("2024-03-02"))
    w.campaign("spend-restated", platform="meta", budget=10)
    w.spend("spend-restated", day, 9, impressions=100, clicks=7, currency="USD")
    w.spend("spend-restated", day + timedelta(days=1), 1, impressions=1, clicks=1)
    w.spend("spend-restated", day, 3, platform="google", impressions=100, clicks=7)
    w.spend("spend-empty", day, None, impressions=50, clicks=5)
    w.into(LATE)
    w.spend("spend-restated", day, 11.75, impressions=90, clicks=6, currency="USD")
    w.clicked("reported", "spend-restated", midnight("2024-03-02") + hours(3))  # events now outrank the report
    w.into(TODAY)
    w.spend("spend-restated", day + timedelta(days=1), -0.5, impressions=0, clicks=0)


def currencies(w: World) -> None:
    w.campaign("euro", platform="meta", budget=100, currency="EUR", start_date=date(2024, 2, 1))
    w.rate("EUR", date(2024, 1, 1), 1.1)
    w.rate("EUR", date(2024, 3, 1), 1.0825)
    w.spend("euro", date(2024, 2, 29), 10, currency="EUR")
    w.spend("euro", date(2024, 3, 1), 10, currency="EUR")
    w.converted("eu-1", "euro", midnight("2024-03-01") - SECOND, order="eu-1", value=33.33, currency="EUR")
    w.purchased("eu-1", midnight("2024-03-01") - SECOND, order="eu-1", value=33.33, currency="EUR")
    w.converted("eu-2", "euro", midnight("2024-03-02"), order="eu-2", value=10, currency="USD")
    w.converted("gb-1", "pound", midnight("2024-03-06"), order="gb-1", value=10, currency="GBP")
    w.spend("pound", date(2024, 3, 6), 2)
    w.purchased("yen", midnight("2023-12-20"), order="yen-1", value=500, currency="JPY", segment="YEN")
    w.purchased("yen", midnight("2024-03-06"), order="yen-2", value=700, currency="JPY", segment="YEN")
    w.into(LATE)
    w.rate("GBP", date(2024, 3, 6), 1.25)  # the missing rate arrives
    w.rate("JPY", date(2024, 1, 2), 0.0068)  # too late for the first order, in time for the second


def new_customers(w: World) -> None:
    at = midnight("2024-03-06")
    w.campaign("newcomers", platform="meta")
    w.spend("newcomers", at.date(), 30)
    for user in ("new-1", "new-2", "old"):
        w.purchased(user, at + hours(1), order=f"{user}-b", value=25)
        w.converted(user, "newcomers", at + hours(24), order=f"{user}-b", value=25)
    w.converted("new-3", "newcomers", at, order="new-3-unseen", value=25)  # an order without its own event
    w.into(LATE)
    w.purchased("old", at - timedelta(days=20), order="old-a", value=5)  # so it wasn't the first


def budgets(w: World) -> None:
    day = date(2024, 3, 1)
    for name, status, budget in (
        ("b-active", "Active", 100),
        ("b-completed", "COMPLETED", 40),
        ("b-paused", "paused", 100),
        ("b-none", "active", None),
        ("b-zero", "active", 0),
        ("b-unspent", "active", 60),
    ):
        w.campaign(name, campaign_type="LOYALTY", platform="linkedin", status=status, budget=budget)
        if name != "b-unspent":
            w.spend(name, day, 25, platform="linkedin")
            w.spend(name, day + timedelta(days=2), 30, platform="linkedin")
    w.into(LATE)
    w.campaign("b-paused", campaign_type="LOYALTY", platform="linkedin", status="active", budget=200)


def channels(w: World) -> None:
    at = midnight("2024-03-05")
    for n, channel in enumerate(("email", "push", "sms", "in_app", "direct_mail")):
        w.sent(f"ch-{n}", "channels", at, channel=channel)
        w.viewed(f"ch-{n}", "channels", at + hours(1))
        w.clicked(f"ch-{n}", "channels", at + hours(2))
    w.viewed("ch-9", "channels", at)  # never delivered: channel unknown
    w.clicked("ch-2", "channels", at + hours(3), delivery_channel="email")  # its own channel wins
    w.viewed("ch-3", "channels", at, kind="received", delivery_channel="email")  # not opened
    w.viewed("ch-8", "channels", at, kind="clicked_cta", delivery_channel="push")
    w.viewed("ch-7", "channels", at - hours(30))
    w.into(LATE)
    w.sent("ch-7", "channels", at, channel="email")  # delivered after the view: still its channel
    w.sent("ch-0", "channels", at + hours(5), channel="sms")  # after the view: the earlier one stays


def hours_to_convert(w: World) -> None:
    at = midnight("2024-03-03")
    for n, wait in enumerate((0, 1.5, 30, 100.25)):
        w.sent(f"wait-{n}", "waiting", at)
        w.sent(f"wait-{n}", "waiting", at + hours(1))
        w.converted(f"wait-{n}", "waiting", at + hours(wait), order=f"wait-{n}", value=1)
        w.converted(f"wait-{n}", "waiting", at + hours(wait + 1), order=f"wait-again-{n}", value=1)
    w.viewed("seen", "waiting", at, kind="received")
    w.converted("seen", "waiting", at + hours(7), order="seen-1", value=1)
    w.converted("before", "waiting", at - hours(1), order="before-1", value=1)
    w.sent("before", "waiting", at)
    w.converted("before", "waiting", at + hours(2), order="before-2", value=1)
    w.converted("unseen", "waiting", at, order="unseen-1", value=1)
    w.into(LATE)
    w.sent("wait-2", "waiting", at - timedelta(days=10))  # the first impression is earlier than was known
    w.sent("seen", "waiting", at + hours(3))  # a send outranks the view


def segments(w: World) -> None:
    at = midnight("2024-03-05")
    w.sent("mover", "movers", at, segment="A")
    w.viewed("mover", "movers", at + hours(1), segment="B")
    w.clicked("mover", "movers", at + hours(2))
    w.clicked("mover", "movers", at + hours(3), segment="A")
    w.purchased("mover", at + hours(4), order="mover-1", value=8, segment="B")
    w.converted("mover", "movers", at + hours(4), order="mover-1", value=8, segment="B", creative_id=id_of("cr-m"))


def replaced_events(w: World) -> None:
    """The last two loads are three minutes apart: what came today is replaced, what came before isn't."""
    for number, (user, day, value) in enumerate((("re-1", "2024-03-10", 10), ("re-2", "2024-03-09", 20))):
        w.into(TODAY + number)
        at = midnight(day) + hours(2)
        w.converted(user, "replaced", at, order="re-o", value=value, event_id=id_of("re-c"))
        w.clicked(user, f"replaced-{number}", at, event_id=id_of("re-click"))
        w.sent("re-arm", f"replaced-{number}", at, is_holdout=bool(number), event_id=id_of("re-arm"))
        same, order = midnight("2024-03-10"), f"re-same-{number}"  # the same user and day, about something else
        w.clicked("re-3", f"replaced-{number}", same, event_id=id_of("re-3"))
        w.converted("re-3", f"replaced-{number}", same, order=order, value=value, event_id=id_of("re-3", "sold"))
        w.purchased("re-3", same, order=order, value=value, event_id=id_of("re-3", "bought"))
    for load in (HISTORY, CORRECTIONS):
        w.into(load)
        at = midnight("2024-03-05") + hours(load)
        w.clicked(f"kept-{load}", "kept", at, event_id=id_of("kept-c"))


def reference_corrected(w: World) -> None:
    at = midnight("2024-03-01")
    w.campaign("corrected", campaign_type="CASHBACK", platform="email", budget=10)
    w.sent("corr", "corrected", at)
    w.clicked("corr", "corrected", at + hours(1))
    w.clicked("corr", "unlisted", at + hours(1), delivery_channel="sms")
    w.into(LATE)
    w.campaign("corrected", campaign_type="VIP", platform="push", budget=20)
    w.campaign("unlisted", campaign_type="VIP", platform="tiktok")


def holdouts(w: World) -> None:
    """Campaigns with a holdout: measured, planned otherwise, without one, with users in both arms."""
    at = midnight("2024-03-01")
    w.campaign("measured", platform="meta", campaign_type="LOYALTY", holdout_share=0.25)
    w.campaign("mismatched", platform="meta", campaign_type="VIP", holdout_share=0.5)
    w.spend("measured", at.date(), 12.5)
    for campaign, sizes, buyers in (("measured", (30, 10), (12, 2)), ("mismatched", (90, 10), (40, 2))):
        for arm, (size, converting) in enumerate(zip(sizes, buyers, strict=True)):
            for n in range(size):
                user = f"{campaign}-{arm}-{n}"
                w.sent(user, campaign, at + hours(n / 10), is_holdout=bool(arm))
                if n < converting:
                    when = at + timedelta(days=n % 7)  # the first on the very instant of the delivery
                    w.converted(user, campaign, when, order=user, value=10 + n)
    w.converted("measured-0-29", "measured", at, order="early", value=50)  # before the first delivery
    w.converted("measured-0-1", "measured", at + timedelta(days=4), order="once-more", value=3)
    w.sent("turncoat", "measured", at)
    w.converted("turncoat", "measured", at + hours(1), order="turncoat", value=9)
    w.into(LATE)
    w.sent("turncoat", "measured", at + hours(2), is_holdout=True)
    w.converted("measured-1-5", "measured", midnight("2024-03-08"), order="late-outcome", value=5)
    w.into(TODAY)
    w.sent("newly-held", "measured", midnight("2024-03-10"), is_holdout=True)


def orders_to_credit(w: World) -> None:
    """Orders of an origin that says nothing about campaigns, each with touches that compete for it."""
    at = midnight("2024-03-05") + hours(12)
    for user, campaign, before in (
        ("latest", "credit-a", hours(2)),
        ("latest", "credit-b", hours(1)),
        ("latest", "credit-a", -SECOND),
        ("smaller-campaign", "credit-a", hours(1)),
        ("smaller-campaign", "credit-b", hours(1)),
        ("at-once", "credit-a", hours(0)),
        ("on-the-edge", "credit-a", LOOKBACK),
        ("over-the-edge", "credit-a", LOOKBACK + INSTANT),
        ("not-held-out", "credit-a", hours(3)),
        ("not-held-out", "credit-b", hours(1)),
    ):
        w.clicked(user, campaign, at - before)
    w.viewed("click-wins", "credit-a", at - hours(1))
    w.clicked("click-wins", "credit-b", at - hours(1))
    w.viewed("not-received", "credit-a", at - hours(2), kind="clicked_cta")
    w.viewed("not-received", "credit-b", at - hours(1), kind="received")
    for user in ("latest", "click-wins", "smaller-campaign", "at-once", "on-the-edge", "over-the-edge", "not-received"):
        w.purchased(user, at, order=f"credit-{user}", value=10)
    w.purchased("not-held-out", at, order="credit-not-held-out", value=10)
    w.purchased("untouched", at, order="credit-untouched", value=10)
    w.into(LATE)
    w.sent("not-held-out", "credit-b", at - hours(2), is_holdout=True)


def outcomes_of_a_shop(w: World) -> None:
    """Orders that say nothing about campaigns, on both edges of the look-back of the deliveries of a holdout."""
    at = midnight("2024-02-01") + hours(6)
    w.campaign("shop-lift", platform="email", campaign_type="LOYALTY", holdout_share=0.25)
    waits = (timedelta(0), LOOKBACK, LOOKBACK + INSTANT, -INSTANT, hours(1), timedelta(days=29), None, None)
    for arm, size in enumerate((24, 8)):
        for n in range(size):
            user, wait = f"lift-{arm}-{n}", waits[n % len(waits)]
            w.sent(user, "shop-lift", at, is_holdout=bool(arm))
            if wait is not None:
                w.purchased(user, at + wait, order=user, value=10 + n)
    w.sent("lift-again", "shop-lift", at)  # the second delivery is near enough
    w.sent("lift-again", "shop-lift", at + hours(2))
    w.purchased("lift-again", at + LOOKBACK + hours(1), order="lift-again", value=5)


def effects_on_edges(w: World) -> None:
    """Outcomes of a holdout on the first instants of windows; arms that all convert, or none of them."""
    w.campaign("on-edges", platform="google", campaign_type="CASHBACK")
    w.spend("on-edges", date(2024, 3, 4), 7, platform="google")
    firsts = [midnight(day) for day in ("2024-03-04", "2024-02-10", "2023-12-12", "2024-01-01", "2024-02-29")]
    instants = [at for first in firsts for at in (first, first - INSTANT)]
    for arm, (each, idle) in enumerate(((8, 20), (3, 20))):
        for n in range(each * len(instants) + idle):
            user = f"edge-arm-{arm}-{n}"
            w.sent(user, "on-edges", midnight("2023-12-01"), is_holdout=bool(arm))
            if n >= idle:
                w.converted(user, "on-edges", instants[n % len(instants)], order=user, value=4)
    for campaign, converts in (("all-convert", True), ("none-converts", False)):
        for n in range(12):
            user = f"{campaign}-{n}"
            w.sent(user, campaign, midnight("2024-03-01"), is_holdout=n % 2 == 0)
            if converts:
                w.converted(user, campaign, midnight("2024-03-02"), order=user, value=1)


def ways_to_nothing(w: World) -> None:
    """Touches of no order, cut into spans as long as the look-back; orders that nobody, or many at once, are credited for."""
    at = midnight("2024-01-15") + hours(3)
    for user, later in (("within", LOOKBACK - INSTANT), ("one-span", LOOKBACK - INSTANT), ("next-span", LOOKBACK)):
        w.clicked(f"nothing-{user}", "way-a", at)
        w.viewed(f"nothing-{user}", "way-b", at + later)
    w.sent("nothing-held", "way-a", at, is_holdout=True)
    w.clicked("nothing-held", "way-a", at + hours(1))
    w.purchased("nothing-held", at + hours(2), order="nothing-held", value=12)
    for n in range(4):  # all at one instant, some of the same campaign again
        w.clicked("nothing-ties", f"way-{'abca'[n]}", at)
        w.viewed("nothing-ties", f"way-{'cbac'[n]}", at)
    w.purchased("nothing-ties", at + timedelta(days=7), order="nothing-ties", value=0.01)
    w.into(LATE)
    w.purchased("nothing-within", at + LOOKBACK + INSTANT, order="nothing-within", value=9)  # claims one of the two


def local_clocks(w: World) -> None:
    """Lines that state their offsets, around the days on which North America changes its clocks."""
    w.campaign("local", platform="email")
    for text, load in (
        ("2023-11-04T23:59:59-04:00", HISTORY),
        ("2023-11-05T01:30:00-04:00", HISTORY),
        ("2023-11-05T01:30:00-05:00", HISTORY),
        ("2024-03-09T18:59:59-05:00", TODAY),
        ("2024-03-09T19:00:00-05:00", TODAY),
        ("2024-03-10T01:59:59-05:00", TODAY),
        ("2024-03-10T03:00:00-04:00", TODAY),
    ):
        w.into(load)
        at = datetime.fromisoformat(text)
        for user in ("local", text):
            w.sent(user, "local", at, channel="push")
            w.viewed(user, "local", at)
            w.clicked(user, "local", at)
            w.converted(user, "local", at, order=f"{user}-{text}", value=2)
            w.purchased(user, at, order=f"{user}-{text}", value=2)
    w.into(HISTORY)  # 720 hours, though the clock on the wall reads an hour more
    w.clicked("local-edge", "local", datetime.fromisoformat("2024-02-09T07:00:00-05:00"))
    w.clicked("over-edge", "local", datetime.fromisoformat("2024-02-09T06:59:59.999999-05:00"))
    w.into(TODAY)
    for user in ("local-edge", "over-edge"):
        w.purchased(user, datetime.fromisoformat("2024-03-10T08:00:00-04:00"), order=user, value=3)


def customers_on_edges(w: World) -> None:
    """Orders at the first instant of 90 days and before it; two first, and two last, orders at one instant."""
    quarter, at = midnight("2023-12-12"), midnight("2024-02-29")
    for user, first in (("repeats", quarter), ("returns", quarter - INSTANT)):
        w.purchased(user, first, order=f"{user}-1", value=6, segment="QUARTER")
        w.purchased(user, at, order=f"{user}-2", value=6, segment="QUARTER")
    for n, name in enumerate(("tied-a", "tied-b", "tied-c")):
        w.campaign(name, platform="meta", campaign_type="VIP")
        w.spend(name, at.date(), 10 * (n + 1))
        w.purchased("tied", at, order=name, value=8 + n, segment=f"TIED-{n}")
        w.converted("tied", name, at, order=name, value=8 + n)
    for n in range(3):
        w.purchased("tied", at + hours(5), order=f"tied-last-{n}", value=1, segment=f"TIED-{n}")


def leap_days(w: World) -> None:
    """Signups 30, 60 and 90 days before a 29 February and on it, with orders on that day and the next; money on another."""
    leap = date(2020, 2, 29)
    w.purchased("leap", midnight("2019-11-30"), order="leap", value=1)
    for days in (0, 30, 60, 90):
        for later in (0, 1):
            user = f"leap-{days}-{later}"
            w.customer(user, leap - timedelta(days=days))
            w.purchased(user, midnight(str(leap)) + timedelta(days=later), order=user, value=10)
    w.campaign("leap", platform="google")
    for day in ("2024-02-29", "2024-03-01"):
        w.spend("leap", date.fromisoformat(day), 29, platform="google", impressions=29, clicks=29)
        w.converted("leap-0-0", "leap", midnight(day), order=f"leap-{day}", value=10)
        w.purchased("leap-0-0", midnight(day), order=f"leap-{day}", value=10)


def customer_lives(w: World) -> None:
    """One campaign's customers: one with orders on both sides of the year's edge, one whose first month isn't over."""
    edge = midnight("2023-03-12")
    w.campaign("acquirer", platform="meta")
    w.spend("acquirer", date(2023, 3, 20), 30)
    w.spend("acquirer", date(2024, 3, 1), 30)
    for user, at, value in (
        ("life-1", edge - SECOND, 100),
        ("life-1", edge, 40),
        ("life-1", midnight("2024-03-01"), 20),
        ("life-2", midnight("2024-02-09"), 35),
    ):
        order = f"{user}-{at}"
        w.purchased(user, at, order=order, value=value, segment="NEW" if at < edge else "LIFERS")
        w.converted(user, "acquirer", at, order=order, value=value)
    w.purchased("life-3", midnight("2024-03-01"), order="life-3", value=10, segment="LIFERS")
    w.converted("life-4", "unpaid", midnight("2024-03-01"), order="life-4", value=10)
    w.purchased("life-4", midnight("2024-03-01"), order="life-4", value=10, segment="LIFERS")


def customers_who_move(w: World) -> None:
    """To another segment with the order that comes as an earlier one leaves the year, and on one day."""
    first = midnight("2023-03-05")
    for user, after, segment in (
        ("moves-1", timedelta(days=0), "FROM"),
        ("moves-1", timedelta(days=365), "TO"),
        ("moves-2", timedelta(days=0), "FROM"),
        ("moves-2", timedelta(days=364), "TO"),
        ("moves-3", timedelta(days=300), "FROM"),
        ("moves-3", timedelta(days=300) + SECOND, "TO"),
        ("moves-3", timedelta(days=300) + 2 * SECOND, "FROM"),
        ("moves-3", timedelta(days=340), "TO"),
    ):
        w.purchased(user, first + after, order=f"{user}-{after}", value=10, segment=segment)


def margins(w: World) -> None:
    at = midnight("2024-03-01")
    w.campaign("margin", platform="meta")
    w.spend("margin", at.date(), 5)
    w.product("margin-own", 99)
    w.product("margin-listed", 15)
    w.product("margin-unknown", None)
    for user, segment in (("margin-1", "MARGIN"), ("margin-2", "COSTLESS"), ("margin-3", "WITHOUT-ITEMS")):
        w.purchased(user, at, order=user, value=100, segment=segment)
    w.converted("margin-1", "margin", at, order="margin-1", value=100)
    w.item("margin-1", "margin-own", quantity=2, cost=10)
    w.item("margin-1", "margin-listed")
    w.item("margin-2", "margin-unknown")
    w.purchased("margin-0", midnight("2023-12-12") - SECOND, order="margin-old", value=50, segment="MARGIN")
    w.into(LATE)
    w.product("margin-listed", 20)


def cohorts(w: World) -> None:
    """On 10 March day 60 is just over for the youngest of January, day 30 not yet for that of February."""
    w.purchased("cohort-0", midnight("2023-12-31"), order="cohort-0", value=10)
    for user, signup, days in (
        ("cohort-1", date(2024, 1, 1), (1, 31)),
        ("cohort-2", date(2024, 1, 9), (30, 61)),
        ("cohort-3", date(2024, 1, 9), (0,)),
        ("cohort-4", date(2024, 1, 9), (-6, 60)),
        ("cohort-5", date(2024, 2, 9), (1,)),
        ("cohort-6", date(2019, 2, 1), ()),
        ("cohort-7", None, ()),
    ):
        w.into(HISTORY)
        w.customer(user, signup)
        for day in days:
            at = midnight(str(signup)) + timedelta(days=day)
            w.into(TODAY if at >= midnight("2024-03-09") else HISTORY)
            w.purchased(user, at, order=f"{user}-{day}", value=10)
    w.into(LATE)
    w.customer("cohort-6", date(2019, 3, 1))


def probes(w: World) -> None:
    """The day before 18:00 of 10 March; a second is in time, a clock ahead spoils a day, corrections come late."""
    for load, end in ((HISTORY, AS_OF - timedelta(days=3)), (LATE, AS_OF - timedelta(days=1)), (TODAY, AS_OF)):
        w.into(load)
        for n, (status, ms) in enumerate([(200, 1000), (204, 1000.001), (500, 3), (None, None), (200, None), (301, 9)]):
            w.probe(f"{load}-{n}", "shop", end - hours(n), status, ms)
    w.probe("edge", "shop", AS_OF - hours(24))
    w.probe("edge+", "shop", AS_OF - hours(24) + INSTANT)
    w.probe("nameless", None, AS_OF - hours(1))
    w.probe("before-it-was-asked", "shop", AS_OF - hours(1), 200, -1)
    w.probe("barely-ahead", "barely", AS_OF + timedelta(minutes=5))
    w.into(LATE)
    w.probe("ahead", "ahead", AS_OF + timedelta(days=300))
    w.probe("timeless", "timeless", None)
    w.into(CORRECTIONS)
    w.probe(f"{HISTORY}-2", "shop", AS_OF - timedelta(days=3) - hours(2))
    w.probe("moved", "shop", AS_OF - timedelta(days=2))


def queries(w: World) -> None:
    """Thirty days that end with 10 March begin on 10 February."""
    w.query("first", midnight("2024-02-10"), seconds=1.5)
    w.query("too-old", midnight("2024-02-10") - SECOND, cost=5)
    w.query("stated", midnight("2024-03-01"), engine="warehouse", seconds=9, cost=0.25)
    w.query("tiny", midnight("2024-03-01"), seconds=0.000004)
    w.query("free", midnight("2024-03-02"), engine=None, cost=0)
    w.query("priceless", midnight("2024-03-03"), engine="lost")
    w.into(LATE)
    w.query("late", midnight("2024-03-03") + hours(3), seconds=3600)
    w.query("ahead", AS_OF + timedelta(days=9), seconds=2)
    w.into(CORRECTIONS)
    w.query("priceless", midnight("2024-03-04"), engine="lost", seconds=7)


def timely_events(w: World) -> None:
    """Events as old as they may be, and a little older; a share that just meets a target, and ones that just miss."""
    visit = {"dashboard_section": "kpi", "user_role": "cmo"}
    card = {"recommendation_id": id_of("timely"), "recommendation_type": "pause_campaign"}
    day, minute = hours(24), timedelta(minutes=1)
    for load, kind, about, lags in (
        (HISTORY, "dashboard_accessed", visit, {10 * SECOND: 95, minute: 4, minute + INSTANT: 1}),
        (LATE, "user_action_recommended", card, {minute: 94, minute + INSTANT: 5, 5 * minute: 1}),
        (LATE, "dashboard_accessed", visit, {day: 1, day + INSTANT: 1}),
        (TODAY, "user_action_recommended", card, {0 * SECOND: 98, 5 * minute + INSTANT: 2}),
        (TODAY, "dashboard_accessed", visit, {-5 * minute: 1}),
    ):
        w.into(load)
        for lag, count in lags.items():
            for _ in range(count):
                w.event(kind, "marketer", w.loads[load].ingested_at - lag, **about)


def platform_reports(w: World) -> None:
    """A platform that claims what was and what wasn't, forgets a day and states another in a currency without a rate."""
    w.campaign("reports", platform="meta")
    values = {1: 99, 2: 98.99, 3: 50, 5: 10, 7: 30}
    for day, value in values.items():
        at = midnight(f"2024-03-0{day}")
        w.converted(f"rp-{day}", "reports", at, order=f"rp-{day}", value=value)
    for day, revenue, currency in ((1, 100, None), (2, 100, None), (4, 20, None), (5, 10, "XAU"), (6, 0, None)):
        about = {"impressions": 1000, "clicks": 0, "conversions": 1, "revenue": revenue, "currency": currency}
        w.spend("reports", date(2024, 3, day), 1, **about)


STORIES: tuple[Callable[[World], None], ...] = (
    no_clicks,
    one_user,
    all_held_out,
    both_arms_count_as_treated,
    holdout_known_late,
    window_edges,
    clocks_change,
    repeated_orders,
    spend_cases,
    currencies,
    new_customers,
    budgets,
    channels,
    hours_to_convert,
    segments,
    replaced_events,
    reference_corrected,
    holdouts,
    orders_to_credit,
    effects_on_edges,
    ways_to_nothing,
    local_clocks,
    customers_on_edges,
    leap_days,
    customer_lives,
    customers_who_move,
    margins,
    cohorts,
    probes,
    queries,
    timely_events,
    platform_reports,
)
