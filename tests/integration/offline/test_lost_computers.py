"""A computer that is lost, found, lost again and recycled: a real farm, and a real engine."""

from pathlib import Path

from corral.farm.adapters.certificates import DerivedAuthority
from corral.farm.adapters.farm_folder.farm_key import FileFarmKey
from corral.farm.bootstrap import open_farm
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.state import ComputerState
from corral.farm.settings import FarmSettings
from tests.integration.engine.computer import Computer
from tests.integration.farm.command import CommandLine
from tests.integration.farm.disks import write_random_disk
from tests.integration.offline.headquarters import Headquarters

KEPT = {"machines", "store", "orders.json", "identity.key", "farm.json", "sequence"}


def state_of(hq: Headquarters) -> ComputerState:
    return hq.app.show_computer(computer_name("laptop")).computer.state


def test_a_lost_computer_erases_itself_unless_it_is_found_before_it_hears_of_it(
    headquarters: Headquarters, computer: Computer, tmp_path: Path
) -> None:
    """Killed at the next contact, with an undo until then; recycled, it begins anew."""
    hq, ask = headquarters, headquarters.corral.ask
    ask("user", "add", "rboston")
    disk = write_random_disk(tmp_path / "disk.raw", 4 << 20)
    ask("image", "import", "debian", str(disk))
    ask("image", "assign", "debian", "--user", "rboston")
    hq.register(computer, "laptop", "rboston")
    computer.starts_disks = True
    computer.start()
    computer.wait_for(state="waiting-for-restart")
    computer.run("machine", "create", "scratch", "64M", "--memory", "64")
    computer.run("machine", "start", "scratch")
    computer.wait_for("scratch", power="running")
    # It cannot hear of the first one.
    computer.stop_agent()
    ask("computer", "kill", "laptop")
    assert state_of(hq) is ComputerState.KILL_PENDING
    ask("computer", "kill-undo", "laptop")
    computer.start()
    heard = hq.said()
    assert heard is not None
    hq.wait_for(lambda: has_checked_in_since(hq, heard.sequence), "it did not check in again")
    assert computer.wait_for(state="waiting-for-restart")
    assert state_of(hq) is ComputerState.REGISTERED
    # It waits for news, and needs not be asked.
    ask("computer", "kill", "laptop")
    hq.wait_for(lambda: state_of(hq) is ComputerState.KILLED, "it did not say that it is erased")
    assert computer.agent is not None
    computer.agent.process.wait(300)
    assert computer.machine_pids() == []
    assert {path.name for path in computer.state.iterdir()} & KEPT == set()
    assert hq.corral.refusal("computer", "kill-undo", "laptop").code == "computer-transition"
    before = hq.app.show_computer(computer_name("laptop")).computer.id
    ask("computer", "recycle", "laptop")
    hq.register(computer, "laptop", "rboston")
    computer.start()
    computer.wait_for(state="waiting-for-restart")
    hq.wait_for_word(lambda one: one.state.value == "waiting-for-restart", "it has the version")
    after = hq.app.show_computer(computer_name("laptop")).computer
    assert (after.state, after.id == before) == (ComputerState.REGISTERED, False)


def has_checked_in_since(hq: Headquarters, sequence: int) -> bool:
    said = hq.said()
    return said is not None and said.sequence > sequence


def test_a_computer_believes_its_own_farm_alone_and_waits_until_it_is_approved(
    headquarters: Headquarters, computer: Computer, tmp_path: Path
) -> None:
    hq, ask = headquarters, headquarters.corral.ask
    ask("user", "add", "rboston")
    other = CommandLine(tmp_path / "other", tmp_path / "other.log")
    other.ask("farm", "create", "other")
    root = tmp_path / "ca.pem"
    root.write_text(root_of(other))
    code = hq.code_for("rboston")
    for words in ((), ("--ca", str(root))):
        status, said = computer.try_to_run("register", hq.url, *words, code=code)
        assert status == 4
        assert "--ca takes the farm's ca.pem" in said
        assert code not in said
    said = computer.run("register", hq.url, "--name", "laptop", "--ca", str(hq.authority))
    assert "corral computer approve laptop" in said
    computer.start()
    assert "waiting" in computer.run("status")
    ask("computer", "approve", "laptop", "--user", "rboston")
    computer.run("check-now")
    hq.wait_for(
        lambda: computer.status()["farm"]["standing"] == "registered",
        "it does not know that it was approved",
    )


def root_of(farm: CommandLine) -> str:
    authority = DerivedAuthority(FileFarmKey(farm.farm / "farm.key"))
    return authority.root(open_farm(FarmSettings.embedded(farm.farm)).show_farm().farm)
