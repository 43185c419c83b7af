"""MQTT against a real mosquitto: delivery, availability, Home Assistant, TLS, and what goes wrong with brokers."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

TOPIC = "traffic/red-car"


def _mqtt(
    broker: Any, *, topic: str = TOPIC, secret: str | None = None, tls: bool = False, **options: Any
) -> dict[str, Any]:
    url = f"{'mqtts' if tls else 'mqtt'}://{'localhost' if tls else '127.0.0.1'}:{broker.port}"
    return {"mqtt": {"url": url, "topic": topic} | ({"secretRef": {"name": secret}} if secret else {}) | options}


def test_records_arrive_in_order_as_cloudevents(
    broker: Any, observer: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """At the topic of the manifest, each as the JSON that it is; not retained."""
    deliveries = deliver(make_app("red-car", _mqtt(broker)))
    sent = [make_record(number, label="Straße") for number in range(20)]
    for record in sent:
        deliveries.write(record)
    observer.wait(lambda: len(observer.records(TOPIC)) == 20, "all arrive")
    assert observer.records(TOPIC) == sent
    until(lambda: deliveries.states()[0].delivered == 20, "they are counted")
    (state,) = deliveries.states()
    assert (state.connected, state.queued, state.message) == (True, 0, "")
    assert state.sink == f"mqtt://127.0.0.1:{broker.port} {TOPIC}"


def test_a_subscriber_sees_the_content_type(broker: Any, deliver: Any, make_app: Any, make_record: Any) -> None:
    """The CloudEvents binding for MQTT 5 asks for it; mosquitto_sub is a reader that is not paho."""
    with subprocess.Popen(
        ["mosquitto_sub", "-V", "5", "-p", str(broker.port), "-t", TOPIC, "-t", "ready", "-F", "%C %p", "-q", "1"],
        stdout=subprocess.PIPE,
        text=True,
    ) as subscriber:
        subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-t", "ready", "-m", "yes", "-r"], check=True)
        assert subscriber.stdout.readline().split()[-1] == "yes"
        deliveries = deliver(make_app("red-car", _mqtt(broker)))
        deliveries.write(make_record(3))
        kind, _, payload = subscriber.stdout.readline().partition(" ")
        subscriber.terminate()
    assert kind == "application/cloudevents+json"
    assert json.loads(payload) == make_record(3)


def test_availability_is_retained_online_and_offline(
    broker: Any, observer: Any, observe: Any, deliver: Any, make_app: Any
) -> None:
    """Online once connected, offline after a proper end; whoever comes later is told, too."""
    deliveries = deliver(make_app("red-car", _mqtt(broker)))
    topic = f"{TOPIC}/availability"
    observer.wait(lambda: observer.payloads(topic) == [b"online"], "it is online")
    deliveries.close(5)
    observer.wait(lambda: observer.payloads(topic) == [b"online", b"offline"], "it is offline")
    observer.close()
    late = observe(broker)
    late.wait(lambda: (topic, b"offline", True) in late.messages, "it is retained")


RUNNER = """
    import os, sys
    from pathlib import Path
    from mainstream.schedule import ScheduledApp
    from mainstream_runner.clock import SystemClock
    from mainstream_runner.secrets import Secrets
    from mainstream_runner.sinks.deliveries import Deliveries
    app = ScheduledApp.from_plain(__import__("json").loads(sys.argv[2]), where="test")
    deliveries = Deliveries(
        [app], edge_node="gate-3", folder=Path(sys.argv[1]), secrets=Secrets(None), clock=SystemClock(), say=print
    )
    for line in sys.stdin:
        deliveries.write(__import__("json").loads(line))
        print("written", flush=True)
"""


def _runner(folder: Path, app: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUNNER), str(folder), json.dumps(app.plain())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_9_is_offline_by_last_will(
    broker: Any, observer: Any, tmp_path: Path, make_app: Any, make_record: Any
) -> None:
    """The broker says it for a process that cannot."""
    topic = f"{TOPIC}/availability"
    with _runner(tmp_path / "killed", make_app("red-car", _mqtt(broker))) as runner:
        print(json.dumps(make_record(0)), file=runner.stdin, flush=True)
        observer.wait(lambda: observer.numbers(TOPIC) == [0], "it delivers")
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    observer.wait(lambda: observer.payloads(topic) == [b"online", b"offline"], "the last will is published")


def test_kill_9_while_the_broker_is_away_loses_nothing(
    broker: Any, observer: Any, tmp_path: Path, deliver: Any, make_app: Any, make_record: Any
) -> None:
    """The next process delivers what the killed one had queued, in order."""
    app = make_app("red-car", _mqtt(broker))
    broker.stop()
    with _runner(tmp_path / "killed", app) as runner:
        for number in range(30):
            print(json.dumps(make_record(number)), file=runner.stdin, flush=True)
            assert runner.stdout.readline() == "written\n"
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    deliver(app, folder="killed")
    broker.start()
    observer.wait(lambda: len(observer.numbers(TOPIC)) >= 30, "all arrive")
    assert list(dict.fromkeys(observer.numbers(TOPIC))) == list(range(30))


def test_a_broker_that_goes_away_and_comes_back_gets_all(
    broker: Any, observer: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """In the middle of events; in order, once or more; meanwhile the state says so."""
    deliveries = deliver(make_app("red-car", _mqtt(broker)))
    for number in range(10):
        deliveries.write(make_record(number))
    observer.wait(lambda: len(observer.numbers(TOPIC)) == 10, "the first arrive")
    broker.stop()
    until(lambda: not deliveries.states()[0].connected, "the loss is noticed with nothing to send")
    for number in range(10, 20):
        deliveries.write(make_record(number))
    until(lambda: "cannot connect" in deliveries.states()[0].message, "it says why")
    assert deliveries.states()[0].queued == 10
    broker.start()
    observer.wait(lambda: 19 in observer.numbers(TOPIC), "the others arrive")
    for number in range(20, 25):
        deliveries.write(make_record(number))
    observer.wait(lambda: 24 in observer.numbers(TOPIC), "those after it arrive")
    assert list(dict.fromkeys(observer.numbers(TOPIC))) == list(range(25))
    assert observer.payloads(f"{TOPIC}/availability")[-1] == b"online"
    until(lambda: deliveries.states()[0].connected, "the fault is gone")


@pytest.mark.slow
def test_a_broker_that_freezes_is_noticed(
    broker: Any, observer: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """It keeps the connection and acknowledges nothing; once it goes on, everything is there."""
    deliveries = deliver(make_app("red-car", _mqtt(broker)))
    deliveries.write(make_record(0))
    observer.wait(lambda: observer.numbers(TOPIC) == [0], "it delivers")
    broker.signal(signal.SIGSTOP)
    deliveries.write(make_record(1))
    deliveries.write(make_record(2))
    until(lambda: "did not acknowledge" in deliveries.states()[0].message, "the fault is shown")
    broker.signal(signal.SIGCONT)
    observer.wait(lambda: 2 in observer.numbers(TOPIC), "the others arrive")
    assert list(dict.fromkeys(observer.numbers(TOPIC))) == [0, 1, 2]


def _passwords(folder: Path, **users: str) -> Path:
    file = folder / "passwords"
    file.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
    file.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True, capture_output=True)
    file.chmod(0o644)
    return file


def test_a_wrong_password_is_told_and_mended_without_a_restart(
    make_broker: Any,
    tmp_path: Path,
    deliver: Any,
    make_app: Any,
    make_record: Any,
    until: Any,
    write_secret: Any,
    observe: Any,
) -> None:
    """The record waits; neither message nor state holds the password."""
    passwords = _passwords(tmp_path, runner="right-hunter2", observer="observer")
    broker = make_broker("allow_anonymous false", f"password_file {passwords}")
    observer = observe(broker, username="observer", password="observer")
    write_secret("mqtt", username="runner", password="wrong-hunter3")
    deliveries = deliver(make_app("red-car", _mqtt(broker, secret="mqtt")))
    deliveries.write(make_record(0))
    until(lambda: "refuses the connection: Not authorized" in deliveries.states()[0].message, "the fault is shown")
    assert "hunter" not in repr(deliveries.states())
    assert not deliveries.states()[0].connected
    write_secret("mqtt", password="right-hunter2\n")
    observer.wait(lambda: observer.numbers(TOPIC) == [0], "it arrives")
    until(lambda: deliveries.states()[0].connected, "the fault is gone")


def test_a_topic_that_the_broker_forbids_keeps_its_records(
    make_broker: Any, tmp_path: Path, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """With MQTT 5 the broker says so; the records wait until somebody changes its access list."""
    rules = tmp_path / "rules"
    rules.write_text("topic write traffic/red-car/availability\ntopic write allowed/#\n")
    broker = make_broker("allow_anonymous true", f"acl_file {rules}")
    deliveries = deliver(
        make_app("red-car", _mqtt(broker)), make_app("bus", _mqtt(broker, topic="allowed/bus")), random=lambda: 0.0
    )
    for app in ("traffic/red-car", "traffic/bus"):
        deliveries.write(make_record(0, app=app))
    until(
        lambda: any("refuses topic 'traffic/red-car'" in state.message for state in deliveries.states()), "it is told"
    )
    until(lambda: deliveries.states()[0].delivered == 1, "the other sink delivers")
    assert deliveries.states()[1].queued == 1


def test_a_record_that_is_too_large_for_the_broker_does_not_block_the_rest(
    make_broker: Any, observe: Any, deliver: Any, make_app: Any, make_record: Any, until: Any
) -> None:
    """It would lose the connection each time it is sent."""
    broker = make_broker("allow_anonymous true", "max_packet_size 3000")
    observer = observe(broker)
    deliveries = deliver(make_app("red-car", _mqtt(broker)))
    deliveries.write(make_record(0, snapshot="x" * 5000))
    deliveries.write(make_record(1))
    observer.wait(lambda: observer.numbers(TOPIC) == [1], "the next one arrives")
    until(lambda: deliveries.states()[0].delivered == 1, "it is counted")
    (state,) = deliveries.states()
    assert state.dropped == 1
    assert "larger than the broker takes" in state.message


def test_home_assistant_finds_a_sensor_that_follows_the_events(
    broker: Any, observer: Any, observe: Any, deliver: Any, make_app: Any, make_record: Any
) -> None:
    """Discovery, state and availability are retained; the sensor is on while an event is open."""
    app = make_app("red-car", _mqtt(broker, homeAssistant=True))
    deliveries = deliver(app)
    state = f"{TOPIC}/state"
    observer.wait(lambda: observer.payloads(state) == [b"OFF"], "it begins with OFF")
    deliveries.write(make_record(1, kind="started"))
    deliveries.write(make_record(1, kind="ended"))
    deliveries.write(make_record(2, kind="started"))
    observer.wait(lambda: observer.payloads(state) == [b"OFF", b"ON", b"OFF", b"ON"], "it follows")
    observer.wait(lambda: len(observer.records(TOPIC)) == 3, "the events arrive, too")
    late = observe_late(observe, broker, observer)
    (topic,) = [topic for topic, _, retained in late.messages if topic.startswith("homeassistant/") and retained]
    assert topic.startswith("homeassistant/binary_sensor/mainstream-gate-3/traffic_red-car_")
    assert topic.endswith("/config")
    config = json.loads(late.payloads(topic)[0])
    assert config["availability_topic"] == f"{TOPIC}/availability"
    assert config["state_topic"] == state
    assert (config["payload_on"], config["payload_off"]) == ("ON", "OFF")
    assert config["unique_id"].startswith("mainstream_gate-3_")
    assert config["device"] == {
        "identifiers": ["mainstream_gate-3"],
        "name": "Mainstream gate-3",
        "manufacturer": "Mainstream",
        "model": "EdgeNode",
    }
    assert (state, b"ON", True) in late.messages

    deliveries.exchange([])
    late.wait(lambda: late.payloads(topic)[-1] == b"", "the sensor is removed with its app")
    late.wait(lambda: late.payloads(state)[-1] == b"", "its state, too")
    late.wait(lambda: late.payloads(f"{TOPIC}/availability")[-1] == b"offline", "it is offline")


def observe_late(observe: Any, broker: Any, observer: Any) -> Any:
    """An observer that comes now, and knows what is retained."""
    observer.close()
    late = observe(broker, name="late")
    late.wait(lambda: len(late.messages) >= 3, "it gets what is retained")
    return late


def test_a_sensor_is_off_after_a_crash_in_the_middle_of_an_event(
    broker: Any, observer: Any, tmp_path: Path, deliver: Any, make_app: Any, make_record: Any
) -> None:
    """The event that the killed process began never ends; what it still had queued does not switch the sensor on."""
    app = make_app("red-car", _mqtt(broker, homeAssistant=True))
    state = f"{TOPIC}/state"
    with _runner(tmp_path / "killed", app) as runner:
        print(json.dumps(make_record(0)), file=runner.stdin, flush=True)
        observer.wait(lambda: observer.payloads(state) == [b"OFF", b"ON"], "it is on")
        broker.stop()
        print(json.dumps(make_record(1)), file=runner.stdin, flush=True)
        assert [runner.stdout.readline() for _ in range(2)] == ["written\n"] * 2
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    broker.start()
    deliver(app, folder="killed")
    observer.wait(lambda: 1 in observer.numbers(TOPIC), "what was queued arrives")
    assert observer.payloads(state)[-1] == b"OFF"


def test_home_assistant_switched_off_removes_the_sensor_and_keeps_the_queue(
    broker: Any, observer: Any, deliver: Any, make_app: Any, make_record: Any
) -> None:
    """A change of the same sink."""
    deliveries = deliver(make_app("red-car", _mqtt(broker, homeAssistant=True)))
    observer.wait(lambda: observer.payloads(f"{TOPIC}/availability") == [b"online"], "it is online")
    deliveries.exchange([make_app("red-car", _mqtt(broker))])
    deliveries.write(make_record(0))
    observer.wait(lambda: observer.numbers(TOPIC) == [0], "it delivers")
    configs = [payload for topic, payload, _ in observer.messages if topic.startswith("homeassistant/")]
    assert configs[-1] == b""
    assert observer.payloads(f"{TOPIC}/availability") == [b"online", b"offline", b"online"]


@pytest.mark.parametrize("client_certificate", [False, True])
def test_tls_with_a_private_ca(
    client_certificate: bool,
    make_broker: Any,
    certificates: Any,
    deliver: Any,
    make_app: Any,
    make_record: Any,
    until: Any,
    write_secret: Any,
) -> None:
    """The broker's certificate is verified by ca.crt; where the broker asks for one, ours is shown."""
    broker = make_broker(
        "allow_anonymous true",
        f"cafile {certificates.ca}",
        f"certfile {certificates.server}",
        f"keyfile {certificates.server_key}",
        f"require_certificate {str(client_certificate).lower()}",
    )
    write_secret("mqtt", ca_crt=certificates.stranger.read_text())
    deliveries = deliver(make_app("red-car", _mqtt(broker, tls=True, secret="mqtt")))
    deliveries.write(make_record(0))
    until(lambda: "certificate is not trusted" in deliveries.states()[0].message, "a stranger's CA is not enough")
    if client_certificate:
        write_secret("mqtt", ca_crt=certificates.ca.read_text())
        until(lambda: "not trusted" not in deliveries.states()[0].message, "the broker is trusted")
        assert deliveries.states()[0].delivered == 0
        write_secret("mqtt", tls_crt=certificates.client.read_text())
        until(lambda: "only one of tls.crt and tls.key" in deliveries.states()[0].message, "half a pair is told")
        write_secret("mqtt", tls_key=certificates.client_key.read_text())
    write_secret("mqtt", ca_crt=certificates.ca.read_text())
    until(lambda: deliveries.states()[0].delivered == 1, "it is delivered")


def test_no_thread_is_left_behind(broker: Any, deliver: Any, make_app: Any, make_record: Any, until: Any) -> None:
    """After closing, neither the delivery's nor the library's."""
    tasks = Path("/proc/self/task")
    before = len(list(tasks.iterdir()))
    deliveries = deliver(make_app("red-car", _mqtt(broker)))
    deliveries.write(make_record(0))
    until(lambda: deliveries.states()[0].delivered == 1, "it is delivered")
    deliveries.close(5)
    until(lambda: len(list(tasks.iterdir())) <= before, "all threads end")
