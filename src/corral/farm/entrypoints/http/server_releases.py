"""Releases on servers: what the farm orders, and what servers say of them."""

from corral.farm.domain.estate.releases import ReleaseOrder, ReleaseProblem, SeenReleases
from corral.wire import server


def order_message(order: ReleaseOrder) -> server.ReleaseOrder:
    """Give the message of an order."""
    kit, switch = order.install, order.run
    return server.ReleaseOrder(
        number=order.number,
        install=(
            None
            if kit is None
            else server.OrderedKit(
                release=kit.release,
                root=kit.root.hex,
                size_bytes=kit.size_bytes,
                export=kit.name,
            )
        ),
        run=(
            None
            if switch is None
            else server.OrderedSwitch(release=switch.release, expects=switch.expects)
        ),
        rest=order.rest,
    )


def releases_message(seen: SeenReleases) -> server.ReleasesReport:
    """Give the message of what a server said."""
    problem = seen.problem
    return server.ReleasesReport(
        running=seen.running,
        installed=seen.installed,
        order=seen.order,
        ready=seen.is_ready,
        supervised=seen.is_supervised,
        resting=seen.is_resting,
        problem=(
            None
            if problem is None
            else server.ReleaseProblem(
                order=problem.order, code=problem.code, message=problem.message
            )
        ),
    )


def seen_releases(message: server.ReleasesReport) -> SeenReleases:
    """Read what a server says."""
    problem = message.problem
    return SeenReleases(
        running=message.running,
        installed=message.installed,
        order=message.order,
        is_ready=message.ready,
        is_supervised=message.supervised,
        is_resting=message.resting,
        problem=(
            None
            if problem is None
            else ReleaseProblem(problem.order, problem.code, problem.message)
        ),
    )
