"""From a seed to a story: what is fixed for all of it, and what happens when. Any subset of the acts is a story too."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

from testbed.chaos import acts, dashboard, troubles
from testbed.chaos.act import Act
from testbed.chaos.authorities import SOURCES
from testbed.chaos.mishaps import a_trouble
from testbed.chaos.secret_acts import ChangeSource, ExchangeToken, LoseSource, LoseToken, RestoreSource
from testbed.chaos.visits import LABELS, a_visit
from testbed.chaos.world import ACCOUNTS, BINDING, CA, NAMESPACES, RELEASE, WINDOW, ZONES_OF, Setting
from testbed.cloudflare.edge.settings import AS_SENT, NORMALISED, EdgeSettings, Serials, SeveralCas

_BUNDLES: Final = tuple(SOURCES)
_PAUSES: Final = (0.05, 0.5, 2.0, 10.0, 45.0, 130.0, 300.0)
_POLICIES: Final = (
    *((kind, "deletionPolicy", value) for kind in (BINDING, CA) for value in ("Retain", "Retain", "Delete")),
    (CA, "adoptionPolicy", "Never"),
    (BINDING, "adoptionPolicy", "Never"),
    *((kind, "managementPolicy", value) for kind in (BINDING, CA) for value in ("Observe", "Manage")),
)
_ACTIONS: Final = (*["Block"] * 8, "Log", "None")
_NAMES: Final = ("one", "two", "three")
_EDGE_DELAYS: Final = (0.0, 0.0, 20.0, 85.0)
"""In seconds; what is less than the settle time is to be waited for."""


@dataclass(frozen=True)
class Story:
    """What is played. `acts` are in the order of their times."""

    setting: Setting
    acts: tuple[Act, ...]


def story_of(seed: int) -> Story:
    """The story of a seed."""
    return _Teller(seed).story()


def _edge_of(seed: int) -> EdgeSettings:
    """How the edge of a story is: nothing that the operator promises may depend on it, as long as the settle time
    covers its delays. By a chance of its own, so that the story of a seed does not depend on what is drawn here."""
    rng = random.Random(f"{seed} edge")
    return EdgeSettings(
        lists_delay=rng.choice(_EDGE_DELAYS),
        rules_delay=rng.choice(_EDGE_DELAYS),
        several_cas=rng.choice([*SeveralCas]),
        host=rng.choice((AS_SENT, NORMALISED)),
        serials=rng.choice([*Serials]),
        partial_chains=rng.random() < 0.5,
    )


class _Teller:
    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed} story")
        rng = self._rng
        self._setting = Setting(
            seed=seed,
            installations=rng.choice((1, 1, 2)),
            staleness=rng.choice((0.0, 20.0, WINDOW, WINDOW)),
            latency=rng.choice((0.01, 0.5, 3.0)),
            requests=rng.choice((1200, 1200, 1200, 40)),
            overlap=rng.choice((0.0, 400.0, 900.0, 900.0)),
            edge=_edge_of(seed),
        )
        self._rivals = rng.random() < 0.4
        self._bundles = rng.sample(_BUNDLES, rng.choice((1, 2, 2, 3)))
        self._zones = {
            account: rng.sample(zones, rng.randint(1, len(zones))) for account, zones in sorted(ZONES_OF.items())
        }
        self._now = 0.0
        self._told: list[Act] = []
        self._bindings: list[acts.ApplyBinding] = []

    def story(self) -> Story:
        """Set something up, where people may have been before, then let anything happen."""
        rng = self._rng
        if rng.random() < 0.3:
            self._told.extend(self._what_people_had(rng.choice(self._bundles)))
        for site in range(self._setting.installations):
            for bundle in self._bundles[: rng.choice((1, 2))]:
                self._told.append(self._apply_authority(site, bundle))
                self._told.append(self._apply_binding(site, bundle))
            self._pause()
        for _ in range(rng.randint(4, 12)):
            site = rng.randrange(self._setting.installations)
            self._told.extend([self._anything(site)] if rng.random() < 0.9 else self._absence(site))
            self._pause()
        if rng.random() < 0.3:
            self._told.extend(self._clearance(rng.randrange(self._setting.installations)))
        self._spread_troubles(self._now + 200.0)
        return Story(self._setting, tuple(sorted(self._told, key=lambda act: act.at)))

    def _what_people_had(self, bundle: str) -> list[Act]:
        """A CA that people uploaded by hand, and perhaps hostnames on its list."""
        zone = self._zone_for(bundle)
        names = self._rng.sample((*LABELS, "old"), self._rng.choice((0, 0, 1, 3)))
        added = (
            dashboard.DashboardHostname(at=0.0, zone=zone, bundle=bundle, hostname=f"{each}.{zone}") for each in names
        )
        return [dashboard.DashboardUpload(at=0.0, bundle=bundle), *added]

    def _clearance(self, site: int) -> list[Act]:
        """Everything of a cluster goes, and perhaps the operator dies meanwhile, and hears slowly what is there."""
        rng, at = self._rng, self._now
        told: list[Act] = [acts.DeleteEverything(at=at, site=site)]
        if rng.random() < 0.5:
            dies = round(at + rng.uniform(0.0, 190.0), 3)
            told.append(troubles.Kill(at=dies, site=site, what="", skip=0, after=False, down=rng.choice((0.5, 3.0))))
        return told

    def _absence(self, site: int) -> list[Act]:
        """People go on while no operator runs; the next one hears slowly what is there."""
        rng, at = self._rng, self._now
        told: list[Act] = [
            troubles.Kill(at=at, site=site, what="", skip=0, after=False, down=30.0),
            troubles.BadWeather(at=at, site=site, seconds=200.0, probability=0.0, habits="lagging"),
        ]
        for _ in range(rng.randint(1, 3)):
            self._now = round(at + rng.uniform(0.0, 30.0), 3)
            told.append(self._user_act(site))
        self._now = at
        return told

    def _spread_troubles(self, until: float) -> None:
        """Between the acts, not only beside them."""
        for _ in range(self._rng.choice((0, 2, 5, 12))):
            self._now = round(self._rng.uniform(0.0, until) * self._rng.random(), 3)
            self._told.append(self._trouble(self._rng.randrange(self._setting.installations)))

    def _pause(self) -> None:
        self._now = round(self._now + self._rng.choice(_PAUSES) * self._rng.uniform(0.5, 1.5), 3)

    def _anything(self, site: int) -> Act:
        tell = self._rng.choices((self._user_act, self._token_act, self._visit, self._trouble), (8, 2, 2, 6))[0]
        return tell(site)

    def _user_act(self, site: int) -> Act:
        tell = self._rng.choices(
            (self._apply_binding, self._apply_authority, self._edit, self._small_act), (4, 1, 4, 7)
        )
        return tell[0](site, self._rng.choice(self._bundles))

    def _small_act(self, site: int, bundle: str) -> Act:
        rng, at = self._rng, self._now
        namespace, name = self._a_place(site)
        given = rng.random() < 0.5
        return rng.choices(
            (
                acts.DeleteBinding(at=at, site=site, namespace=namespace, name=name),
                acts.DeleteAuthority(at=at, site=site, namespace=namespace, bundle=bundle),
                acts.DeleteNamespace(at=at, site=site, namespace=namespace),
                acts.DeleteEverything(at=at, site=site),
                acts.CreateNamespace(at=at, site=site, namespace=namespace),
                acts.Nudge(at=at, site=site, namespace=namespace, name=name),
                acts.LoseStatus(at=at, site=site, namespace=namespace, name=name),
                acts.Consent(at=at, site=site, namespace=namespace, bundle=bundle, given=given),
                acts.Suspend(at=at, site=site, kind=BINDING, namespace=namespace, name=name, on=given),
                acts.Suspend(at=at, site=site, kind=CA, namespace=namespace, name=bundle, on=given),
                self._policy(site, bundle),
                ChangeSource(at=at, site=site, namespace=namespace, bundle=bundle, version=rng.randrange(3)),
            ),
            (2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3),
        )[0]

    def _a_place(self, site: int) -> tuple[str, str]:
        """Of a binding, one that was told of more likely than another."""
        told = [(each.namespace, each.name) for each in self._bindings if each.site == site]
        there = bool(told) and self._rng.random() < 0.5
        return self._rng.choice(told) if there else (self._rng.choice(NAMESPACES), self._rng.choice(_NAMES))

    def _policy(self, site: int, bundle: str) -> Act:
        rng = self._rng
        kind, policy, value = rng.choice(_POLICIES)
        name = bundle if kind == CA else rng.choice(_NAMES)
        namespace = rng.choice(NAMESPACES)
        return acts.SetPolicy(
            at=self._now, site=site, kind=kind, namespace=namespace, name=name, policy=policy, value=value
        )

    def _edit(self, site: int, bundle: str) -> Act:
        zone = self._zone_for(bundle)
        return acts.EditHostnames(
            at=self._now,
            site=site,
            namespace=self._rng.choice(NAMESPACES),
            name=self._rng.choice(_NAMES),
            bundle=bundle,
            zone=zone,
            hostnames=self._hostnames(bundle, zone),
        )

    def _token_act(self, site: int) -> Act:
        rng = self._rng
        bundle, namespace = rng.choice(self._bundles), rng.choice(NAMESPACES)
        place = rng.choice((RELEASE, RELEASE, *NAMESPACES))
        match rng.choice(("lose", "exchange", "source", "source", "restore")):
            case "lose":
                how = rng.choice(("revoke", "rubbish", "vanish"))
                return LoseToken(at=self._now, site=site, namespace=place, how=how)
            case "exchange":
                fresh_for = rng.choice((0.0, 10.0, 40.0))
                return ExchangeToken(at=self._now, site=site, namespace=place, fresh_for=fresh_for)
            case "source":
                rubbish = rng.random() < 0.5
                return LoseSource(at=self._now, site=site, namespace=namespace, bundle=bundle, rubbish=rubbish)
        return RestoreSource(at=self._now, site=site, namespace=namespace, bundle=bundle)

    def _visit(self, _site: int) -> Act:
        bundle = self._rng.choice(self._bundles)
        return a_visit(self._rng, self._now, self._zone_for(bundle), bundle)

    def _trouble(self, site: int) -> Act:
        return a_trouble(self._rng, self._now, site)

    def _apply_authority(self, site: int, bundle: str) -> Act:
        rng = self._rng
        namespace = rng.choice((NAMESPACES[0], *NAMESPACES))
        return acts.ApplyAuthority(
            at=self._now,
            site=site,
            namespace=namespace,
            bundle=bundle,
            own_token=rng.random() < 0.4,
            side_by_side=rng.random() < 0.3,
            admits=rng.choice(("All", "All", "All", "Same")),
        )

    def _apply_binding(self, site: int, bundle: str) -> Act:
        rng = self._rng
        zone = self._zone_for(bundle)
        told = acts.ApplyBinding(
            at=self._now,
            site=site,
            namespace=rng.choice(NAMESPACES),
            name=rng.choice(_NAMES),
            bundle=bundle,
            authority_namespace=rng.choice((NAMESPACES[0], *NAMESPACES)),
            zone=zone,
            hostnames=self._hostnames(bundle, zone),
            status_code=rng.choice((None, None, None, 403)),
            by_id=rng.random() < 0.2,
            action=rng.choice(_ACTIONS),
            pinned=rng.random() < 0.85,
        )
        alike = [each for each in self._bindings if (each.site, each.bundle) == (site, bundle)]
        if alike and rng.random() < 0.3:
            told = replace(rng.choice(alike), at=told.at, namespace=told.namespace, name=told.name)
        self._bindings.append(told)
        return told

    def _zone_for(self, bundle: str) -> str:
        return self._rng.choice(self._zones[ACCOUNTS[bundle]])

    def _hostnames(self, bundle: str, zone: str) -> tuple[str, ...]:
        """Of two installations each hostname has one bundle, unless they are rivals."""
        labels: tuple[str, ...] = LABELS
        if self._setting.installations > 1 and not self._rivals:
            index = self._bundles.index(bundle)
            labels = LABELS[index :: len(self._bundles)]
        chosen = self._rng.sample(labels, self._rng.randint(1, min(3, len(labels))))
        return tuple(sorted(f"{label}.{zone}" for label in chosen))
