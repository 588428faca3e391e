"""A replica that is interrupted."""

from tests.integration.farm.disks import write_random_disk
from tests.integration.farm.estate import Estate

SIZE = 48 << 20


def test_a_killed_replication_goes_on_where_it_was(estate: Estate) -> None:
    disk = write_random_disk(estate.home / "large.raw", SIZE)
    estate.corral.ask("image", "import", "large", str(disk), "--server", "s1")
    begin = estate.relay.sent_bytes
    estate.relay.hold_after(SIZE // 2)
    estate.corral.ask("image", "replicate", "large/1", "--to", "s2")

    def is_under_way() -> bool:
        (version,) = estate.corral.ask("image", "show", "large")["versions"]
        (replica,) = (one for one in version["replicas"] if one["server"] == "s2")
        return replica["state"] == "fetching" and 0 < int(replica["done_bytes"]) < SIZE

    estate.wait_for(is_under_way, "the replication was not shown under way")
    estate.wait_for(
        lambda: estate.relay.sent_bytes - begin >= SIZE // 2, "the relay passed too little"
    )
    estate.kill("s2")
    estate.relay.let_go()
    estate.start_stream("s2")
    estate.corral.ask("image", "replicate", "large/1", "--to", "s2", "--wait")
    assert estate.corral.ask("store", "verify", "s2")["sound"]
    sent = estate.relay.sent_bytes - begin
    # Only what had not reached the disk when the process died was sent twice.
    assert SIZE <= sent < SIZE * 1.25
