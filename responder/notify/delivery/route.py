"""Routing: the channels that page, those that a decision reaches, and the fallback order. Pure."""

from collections.abc import Collection, Mapping

from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel, Use

Channels = Mapping[str, Channel]


def known(configured: Channels) -> Mapping[str, Channel | type[Channel]]:
    """Return the configured channels and, by their usual names, the kinds that are not configured (any more)."""
    return {**CHANNELS, **configured}


def is_known(name: str, configured: Channels) -> bool:
    """True for a channel whose kind is known: a configured one, or one that the settings may have."""
    return name in known(configured)


def pagers(configured: Channels) -> frozenset[str]:
    """Return the names of the channels that page, also of those that are not configured any more."""
    return frozenset(name for name, channel in known(configured).items() if channel.pages)


def named_by_rules() -> frozenset[str]:
    """Return the names that rules may give."""
    return frozenset(name for name, kind in CHANNELS.items() if kind.use is Use.RULES and not kind.stands_in_for)


def title(name: str, configured: Channels, kind: str = "") -> str:
    """Return the title of a channel, with the name of one that rule files declare, or declared with that ``kind``."""
    channel = known(configured).get(name) or CHANNELS.get(kind)
    if channel is None:
        return name
    return channel.title if name in CHANNELS else f"{channel.title} ({name})"


def replaces(channel: Channel) -> str:
    """Return the channel whose messages this one gets where that one is not configured; empty for none."""
    return channel.stands_in_for if channel.name in CHANNELS else ""


def sharing(name: str, configured: Channels) -> tuple[str, ...]:
    """Return the channels that the vendor counts together with this one, itself among them; the first has the limit."""
    if name not in configured:
        return (name,)
    counted_by = configured[name].counted_by
    return tuple(other for other, channel in configured.items() if channel.counted_by == counted_by)


def in_order(configured: Channels) -> tuple[str, ...]:
    """Return all channels that are in the fallback order, also those that are not configured (any more).

    Channels of rule files are not: they are fallbacks of the teams that name them.
    """
    places = {name: channel.fallback_order for name, channel in known(configured).items() if name in CHANNELS}
    found = [(place, name) for name, place in places.items() if place is not None]
    return tuple(name for _place, name in sorted(found))


def readable(configured: Channels) -> tuple[str, ...]:
    """Return the configured channels that do not page, in the fallback order."""
    return tuple(name for name in in_order(configured) if name in configured and not configured[name].pages)


def last_resort(configured: Channels) -> tuple[str, ...]:
    """Return the channels of last resort; all configured channels if there is none."""
    found = tuple(name for name, channel in configured.items() if channel.use is Use.LAST_RESORT)
    return found or tuple(configured)


def route(requested_channels: Collection[str], pages: bool, configured: Channels) -> tuple[str, ...]:
    """Return the channels that get a message, in the order of the rule.

    Channels that page are left out unless ``pages``. A channel that is not configured may be replaced by another. The
    last resort gets messages that would reach no channel.
    """
    reached = tuple(name for name in _able(requested_channels, configured) if pages or not configured[name].pages)
    return reached or last_resort(configured)


def with_non_paging(requested_channels: Collection[str], configured: Channels) -> tuple[str, ...]:
    """Return the channels and, if all of them page, the first configured channel that does not.

    A page that a window holds back is read there in the morning.
    """
    if any(not configured[name].pages for name in _able(requested_channels, configured)):
        return tuple(requested_channels)
    return (*requested_channels, *[name for name in readable(configured) if configured[name].use is Use.RULES][:1])


def _able(requested_channels: Collection[str], configured: Channels) -> tuple[str, ...]:
    stand_ins = {replaces(channel): name for name, channel in configured.items()}
    able = (name if name in configured else stand_ins.get(name, "") for name in requested_channels)
    return tuple(dict.fromkeys(name for name in able if name))
