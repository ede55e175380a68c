"""The company as a whole: everything about a world that does not change while its events are made."""

from __future__ import annotations

from dataclasses import dataclass

from models_ml.simulation.campaigns import Campaigns, make_campaigns
from models_ml.simulation.catalog import CATEGORIES, STORES_PER_REGION, Catalog, make_catalog
from models_ml.simulation.customers import Customers, make_customers
from models_ml.simulation.world import World


@dataclass(frozen=True)
class Company:
    """A world with its customers, campaigns and products."""

    world: World
    customers: Customers
    campaigns: Campaigns
    catalog: Catalog


def make_company(world: World) -> Company:
    """Build a world's company; the same world gives the same one."""
    return Company(
        world=world,
        customers=make_customers(world, len(CATEGORIES), STORES_PER_REGION),
        campaigns=make_campaigns(world),
        catalog=make_catalog(world),
    )
