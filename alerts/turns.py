"""Work that one of all workers and hosts does at a time."""

from datetime import datetime, timedelta

from alerts.models import Turn


def take(name: str, every: timedelta, now: datetime) -> bool:
    """Whether the work is due and this caller's, who then need not be asked again for `every`."""
    if Turn.objects.filter(name=name, next_at__lte=now).update(next_at=now + every):
        return True
    if Turn.objects.filter(name=name).exists():
        return False
    return Turn.objects.get_or_create(name=name, defaults={"next_at": now + every})[1]


def put_off(name: str, until: datetime) -> None:
    """After work that took long: the next turn is not before `until`."""
    Turn.objects.filter(name=name, next_at__lt=until).update(next_at=until)
