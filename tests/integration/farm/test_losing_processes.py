"""A stream process dies, the API dies: what reads, goes on."""

import base64
import json

from tests.integration.farm.estate import Estate, is_offered


def test_a_reader_sees_nothing_of_a_killed_stream_process(estate: Estate) -> None:
    client = estate.start_client("pc1-kill")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    serving = client.current_server()
    assert serving is not None
    estate.kill(serving)
    reader.go_on_for(2)
    (other,) = {"s1", "s2"} - {serving}
    estate.wait_for(lambda: client.current_server() == other, "the client did not move")


def test_streams_go_on_without_the_api_and_even_start(estate: Estate) -> None:
    answer = estate.login(["s2"])
    both = estate.start_client("pc1-both")
    reader = both.read_forever(estate.root)
    reader.go_on_for(1)
    estate.kill("api")
    reader.go_on_for(1)
    estate.kill("s2")
    estate.start_stream("s2")
    restarted = estate.start_client("pc1-s2", answer)
    assert restarted.read_once(estate.root).verdicts == ("ok",)
    reader.go_on_for(1)


def test_a_kept_configuration_with_a_forged_root_is_not_served(estate: Estate) -> None:
    server, answer = estate.servers["s2"], estate.login(["s2"])
    estate.kill("api")
    estate.kill("s2")
    estate.start_stream("s2")
    estate.wait_for(lambda: is_offered(server, answer), "the kept configuration was not used")
    estate.kill("s2")

    kept = json.loads(server.kept_configuration.read_bytes())
    (export,) = (one for one in kept["exports"] if one["name"] == answer["export"])
    signature = bytearray(base64.b64decode(export["signature"]))
    signature[10] ^= 1
    export["signature"] = base64.b64encode(signature).decode()
    server.kept_configuration.write_text(json.dumps(kept))
    refusals = estate.log_of("s2").count("signature-wrong")
    estate.start_stream("s2")
    estate.wait_for(
        lambda: estate.log_of("s2").count("signature-wrong") > refusals,
        "the forgery was not noticed",
    )
    assert not is_offered(server, answer)

    estate.start_api()
    estate.wait_for(lambda: is_offered(server, answer), "the farm's own word was not taken")
