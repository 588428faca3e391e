"""A relay that was told to rest serves nothing, also after a restart without its farm."""

from tests.engines import Engine
from tests.integration.relay.conftest import Branch
from tests.integration.releases.machine import Orders


def answer_to_registration(branch: Branch) -> str:
    with branch.client() as site:
        answer = site.post("/v1/computers/register", json=Engine("laptop").registration())
        return str(answer.json().get("code"))


def test_a_relay_rests_until_it_is_told_otherwise(branch: Branch) -> None:
    orders = Orders(branch.corral)
    number = orders.give("r1", rest=True)
    branch.start_relay()
    branch.wait_for_relay()
    said = orders.wait_for("r1", order=number, resting=True)
    assert (said["supervised"], said["ready"]) == (False, True)
    assert answer_to_registration(branch) == "relay-rests"
    shown = branch.read("/v1/servers/r1")
    assert "was told to rest" in shown["refusal"]

    branch.cut()
    branch.kill_relay()
    branch.start_relay()
    branch.wait_for_relay()
    assert answer_to_registration(branch) == "relay-rests"

    branch.mend()
    orders.wait_for("r1", order=orders.give("r1"), resting=False)
    assert answer_to_registration(branch) != "relay-rests"
