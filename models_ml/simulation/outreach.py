"""Owned campaigns: who is reached, in which arm, what they do with the message, and what it truly causes."""

from __future__ import annotations

import numpy as np

from models_ml.simulation.campaigns import arm_key
from models_ml.simulation.company import Company
from models_ml.simulation.crowd import Crowd
from models_ml.simulation.customers import CHANNELS, UNSUBSCRIBE_TYPES
from models_ml.simulation.ids import Array, coin, fresh_numbers, stream_key
from models_ml.simulation.ledger import Ledger
from models_ml.simulation.pool import Columns, Pool, rows
from models_ml.simulation.seasons import Part
from models_ml.simulation.wording import Wording
from models_ml.simulation.world import DAY_MS

OUTREACH_SHARE = 0.25
"""Users that campaigns look at per clean event; about two in five of them can be reached."""

_OTHERS_SHARE = 0.6
_MEDIAN_DELAY_MS = 8 * 3_600_000
_LONGEST_DELAY_MS = 14 * DAY_MS
_OPENS = np.array([1.0, 0.8, 1.1, 1.2])
_CLICK_GIVEN_OPEN = 0.22
_BOUNCES = np.array([0.02, 0.004, 0.01, 0.0])
_EXTRA_SENDS = 3
_EXTRA_SEND_CHANCE = 0.25
_SHOWN_SHARE = 0.1
_ABANDON_DAYS = 7
_ABANDONED_SHARE = 0.25


class Outreach:
    """The owned campaigns of a company at work; remembers how far each has gone through its audience.

    Every user of an audience is enrolled in a campaign at most once. Their arm is a deterministic coin of campaign and
    user. With and without the message they would convert or not by the same random number, so that what the message
    changed is known for each of them.
    """

    def __init__(self, company: Company, wording: Wording, ledger: Ledger, *, position: int = 0) -> None:
        self._company = company
        self._ledger = ledger
        self._position = np.full(len(company.campaigns), position)
        self._audience_key = stream_key(company.world.seed, "audience")
        self._arm_key = arm_key(company.world.seed)
        self._opened = wording.code("campaign_viewed", "view_type", "opened")
        self._clicked_cta = wording.code("campaign_viewed", "view_type", "clicked_cta")
        self._received = wording.code("campaign_viewed", "view_type", "received")
        self._bounce = wording.codes("message_bounced", "bounce_type", "hard", "soft")
        self._expired = wording.code("campaign_abandoned", "reason", "expired")
        self._left = wording.code("campaign_abandoned", "reason", "unsubscribed")

    def advance(self, rng: np.random.Generator, part: Part, crowd: Crowd, clean: int, pool: Pool) -> None:
        """Enroll the next users, and put into the pool all that will follow from it."""
        pairs = self._enroll(rng, part, crowd, rng.poisson(OUTREACH_SHARE * clean))
        if len(pairs["time"]):
            self._decide(rng, pairs)
            self._orders(pairs, pool)
            self._messages(rng, pairs, pool)

    def _enroll(self, rng: np.random.Generator, part: Part, crowd: Crowd, size: int) -> Columns:
        """The next pairs of campaign and user: ``time`` of the first message and the pair's arm."""
        campaign, user = self._next_users(rng, part, size)
        time = crowd.company_times(rng, len(campaign))
        pairs = {"time": time, "user": user, "campaign": campaign}
        pairs = rows(pairs, self._is_reachable(user, campaign, time))
        share = self._company.campaigns.holdout_share[pairs["campaign"]]
        return pairs | {"is_holdout": coin(self._arm_key, pairs["user"], pairs["campaign"]) < share}

    def _next_users(self, rng: np.random.Generator, part: Part, size: int) -> tuple[Array, Array]:
        """Campaigns that run in the part and the users that they look at next, ``size`` in all while there are any."""
        campaigns, users = self._company.campaigns, len(self._company.customers)
        running = np.flatnonzero((campaigns.start < part.end) & (campaigns.end > part.start) & ~campaigns.is_paid)
        if not len(running):
            return running, running
        taken = rng.multinomial(size, np.full(len(running), 1 / len(running)))
        taken = np.minimum(taken, users - self._position[running])
        campaign = np.repeat(running, taken)
        step = np.arange(len(campaign)) - np.repeat(np.cumsum(taken) - taken, taken) + self._position[campaign]
        self._position[running] += taken
        return campaign, (campaigns.offset[campaign] + step * campaigns.stride[campaign]) % users

    def _is_reachable(self, user: Array, campaign: Array, time: Array) -> Array:
        """Whether the user is in the campaign's audience, is a customer and consents, while the campaign runs."""
        campaigns, people = self._company.campaigns, self._company.customers
        meant = people.pattern[user] == campaigns.target[campaign]
        meant |= coin(self._audience_key, user, campaign) < _OTHERS_SHARE
        in_time = (time >= campaigns.start[campaign]) & (time < campaigns.end[campaign])
        consents = people.consent[user, campaigns.channel[campaign]] & (people.signed_up[user] < time)
        return np.asarray(meant & in_time & consents & ~self._unsubscribed(user, campaign, time))

    def _unsubscribed(self, user: Array, campaign: Array, time: Array) -> Array:
        """Whether the user had left the campaign's channel by then."""
        people, channel = self._company.customers, self._company.campaigns.channel[campaign]
        covered = {"email_only": CHANNELS.index("email"), "push_only": CHANNELS.index("push"), "all_campaigns": -1}
        left = np.array([covered[name] for name in UNSUBSCRIBE_TYPES])[people.unsubscribe_type[user]]
        return np.asarray((people.unsubscribed[user] <= time) & ((left < 0) | (left == channel)))

    def _decide(self, rng: np.random.Generator, pairs: Columns) -> None:
        """What each user would do without and with the message, and so what the message changes."""
        campaigns, people = self._company.campaigns, self._company.customers
        user, campaign, size = pairs["user"], pairs["campaign"], len(pairs["user"])
        delay = np.minimum(_MEDIAN_DELAY_MS * np.exp(rng.normal(0, 1.2, size)), _LONGEST_DELAY_MS).astype(np.int64)
        converts_at = pairs["time"] + delay
        possible = (people.left[user] > converts_at) & (converts_at < self._company.world.end_ms)
        baseline = campaigns.baseline[campaign] * np.clip(people.habit("orders")[user], 0.4, 3.0) * possible
        treated = np.clip(baseline + campaigns.lift[campaign] * people.habit("response")[user] * possible, 0, 1)
        draw = rng.random(size)
        pairs["converts_at"] = converts_at
        pairs["without"], pairs["with"] = draw < baseline, draw < treated
        pairs["converts"] = np.where(pairs["is_holdout"], pairs["without"], pairs["with"])
        pairs["caused"] = ~pairs["is_holdout"] & pairs["with"] & ~pairs["without"]
        pairs["basket"] = people.habit("basket")[user] * rng.gamma(4.0, 0.25, size)
        pairs["creative"] = campaigns.pick_creatives(rng, campaign)
        self._ledger.enrolled(pairs, people.pattern[user], baseline, treated)

    def _orders(self, pairs: Columns, pool: Pool) -> None:
        buyers = rows(pairs, pairs["converts"])
        pool.add(
            "order",
            time=buyers["converts_at"],
            user=buyers["user"],
            campaign=buyers["campaign"],
            creative=buyers["creative"],
            touched=buyers["time"],
            basket=buyers["basket"],
            caused=buyers["caused"],
            spend_day=np.full(len(buyers["time"]), -1),
        )

    def _messages(self, rng: np.random.Generator, pairs: Columns, pool: Pool) -> None:
        """Deliveries to both arms; for the treated one what the channel and the user make of them."""
        extra = rng.binomial(_EXTRA_SENDS, _EXTRA_SEND_CHANCE, len(pairs["time"]))
        sends = rows(pairs, np.repeat(np.arange(len(extra)), 1 + extra))
        number = np.arange(len(sends["time"])) - np.repeat(np.cumsum(1 + extra) - 1 - extra, 1 + extra)
        gap = np.repeat(rng.uniform(1.5, 3.5, len(extra)) * DAY_MS, 1 + extra)
        sends["time"] = sends["time"] + (number * gap).astype(np.int64)
        in_time = sends["time"] < self._company.campaigns.end[sends["campaign"]]
        goes_out = in_time & ~self._unsubscribed(sends["user"], sends["campaign"], sends["time"])
        sends = rows(sends | {"first": number == 0}, goes_out)
        pool.add(
            "campaign_delivered",
            time=sends["time"],
            user=sends["user"],
            campaign=sends["campaign"],
            creative=sends["creative"],
            is_holdout=sends["is_holdout"],
        )
        self._reactions(rng, rows(sends, ~sends["is_holdout"]), pool)

    def _reactions(self, rng: np.random.Generator, sends: Columns, pool: Pool) -> None:
        campaigns, people, size = self._company.campaigns, self._company.customers, len(sends["time"])
        channel = campaigns.channel[sends["campaign"]]
        moved = sends["caused"] & sends["first"]
        bounced = (rng.random(size) < _BOUNCES[channel]) & ~moved
        opens = rng.random(size) < people.habit("opens")[sends["user"]] * _OPENS[channel]
        clicks = opens & (rng.random(size) < _CLICK_GIVEN_OPEN * campaigns.creative_appeal[sends["creative"]])
        # A message that causes an order was opened and clicked before it.
        latest = np.where(moved, 0.5 * (sends["converts_at"] - sends["time"]), 3.0 * DAY_MS)
        wait = np.minimum(1_000 + rng.exponential(2 * 3_600_000, size), latest).astype(np.int64)
        stays = people.left[sends["user"]] > sends["time"] + 2 * wait + 120_000
        opened = moved | (opens & ~bounced & stays)
        sends = sends | {"wait": wait, "opened": opened, "clicked": (moved | clicks) & opened}
        self._views(rng, sends, pool)
        self._clicks(rng, rows(sends, sends["clicked"]), pool)
        self._bounces(rng, rows(sends, bounced), pool)
        self._abandons(rng, rows(sends, ~opened & ~bounced & sends["first"]), pool)

    def _views(self, rng: np.random.Generator, sends: Columns, pool: Pool) -> None:
        """Opened messages, and some that were shown on a screen and not opened."""
        size, opened, left = len(sends["time"]), sends["opened"], self._company.customers.left[sends["user"]]
        shown = ~opened & (rng.random(size) < _SHOWN_SHARE) & (left > sends["time"] + 60_000)
        by_button = sends["clicked"] & (rng.random(size) < 0.3)
        kind = np.where(by_button, self._clicked_cta, np.where(opened, self._opened, self._received))
        delay = np.where(opened, sends["wait"], rng.integers(500, 60_000, size))
        seconds = np.where(opened, 1 + rng.exponential(9, size), 0).astype(np.int64)
        columns = {"time": sends["time"] + delay, "user": sends["user"], "campaign": sends["campaign"]}
        columns |= {"creative": sends["creative"], "view_type": kind, "view_duration_seconds": seconds}
        pool.add("campaign_viewed", **rows(columns, opened | shown))

    def _clicks(self, rng: np.random.Generator, sends: Columns, pool: Pool) -> None:
        size = len(sends["time"])
        after = np.minimum(rng.integers(1_000, 60_000, size), np.maximum(sends["wait"], 1))
        time = sends["time"] + sends["wait"] + np.where(sends["caused"], np.minimum(after, sends["wait"]), after)
        pool.add(
            "campaign_clicked",
            time=time,
            user=sends["user"],
            campaign=sends["campaign"],
            creative=sends["creative"],
            session=fresh_numbers(rng, size),
            time_to_click_seconds=after // 1000,
        )

    def _bounces(self, rng: np.random.Generator, sends: Columns, pool: Pool) -> None:
        size = len(sends["time"])
        pool.add(
            "message_bounced",
            time=sends["time"] + rng.integers(500, 120_000, size),
            user=sends["user"],
            campaign=sends["campaign"],
            creative=sends["creative"],
            bounce_type=self._bounce[(rng.random(size) < 0.6).astype(np.int8)],
        )

    def _abandons(self, rng: np.random.Generator, sends: Columns, pool: Pool) -> None:
        ended = sends["time"] + _ABANDON_DAYS * DAY_MS
        chosen = rng.random(len(ended)) < _ABANDONED_SHARE
        gone = self._unsubscribed(sends["user"], sends["campaign"], ended)
        columns = {"time": ended, "user": sends["user"], "campaign": sends["campaign"]}
        columns |= {"reason": np.where(gone, self._left, self._expired)}
        columns |= {"days_to_abandon": np.full(len(ended), _ABANDON_DAYS)}
        pool.add("campaign_abandoned", **rows(columns, chosen))
