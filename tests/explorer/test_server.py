"""The server of `lstm-probe serve`: who may read, what is served, and what becomes of a log."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tab_logs
from werkzeug.test import Client, TestResponse

from lstm_probe import LstmProbeError
from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.server import Access, Application, Serving, new_token
from lstm_probe.logs.stored.format import unpack

RUN = "a/lstm_probe"
STEPS = [0, 7, 300]
HOSTILE = "<img src=x onerror=alert(1)>/../../etc"
ROUTES = [
    "runs",
    "layers",
    "steps",
    "timeline",
    "sentences",
    "capture",
    "weights",
    "series",
    "history",
    "download",
]
#: What a request may be answered with.
STATUSES = {200, 400, 403, 404, 405}
SECRET = "the content of a file outside the log directory"
TOKEN = "abcdefgh-12345678"


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("served")
    (directory / "secret.txt").write_text(SECRET)
    tab_logs.write_run(directory / "logs" / "a", STEPS, layers=("memory", HOSTILE))
    (directory / "logs" / "notes.txt").write_text(SECRET)
    return directory / "logs"


@pytest.fixture(scope="module")
def captures(log_dir: Path) -> Iterator[LogCaptures]:
    with LogCaptures(log_dir) as captures:
        yield captures


@pytest.fixture(scope="module")
def client(captures: LogCaptures) -> Client:
    return Client(Application(captures, Access("127.0.0.1")))


# -- the page ----------------------------------------------------------------------------------


def test_page_names_every_module_that_it_needs_and_no_other_origin(client: Client) -> None:
    answer = client.get("/")
    assert answer.content_type == "text/html; charset=utf-8"
    ahead = re.findall(r'<link rel="modulepreload" href="\.(/static/\w+\.js)">', answer.text)
    needed, left = {"/static/serve.js"}, ["/static/serve.js"]
    while left:
        script = client.get(left.pop())
        assert script.status_code == 200
        found = {f"/static/{name}" for name in re.findall(r'from "\./(\w+\.js)"', script.text)}
        left += found - needed
        needed |= found
    assert set(ahead) == needed
    assert "://" not in answer.text


def test_every_answer_has_the_headers_that_keep_a_page_safe(client: Client) -> None:
    for address in ("/", "/static/app.js", "/runs", "/capture", "/nothing"):
        headers = client.get(address).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe-eval" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
        assert "no-cache" in headers["Cache-Control"]


def test_long_texts_are_compressed_for_those_who_take_that(client: Client) -> None:
    plain = client.get("/static/app.js")
    packed = client.get("/static/app.js", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data) / 2
    assert client.head("/static/app.js").data == b""


# -- who may read ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("localhost:6007", 200),
        ("127.0.0.1", 200),
        ("[::1]:6007", 200),
        ("LOCALHOST:80", 200),
        ("evil.example:6007", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:6007@evil.example", 403),
        ("", 403),
    ],
)
def test_without_a_token_only_the_names_of_this_machine_are_answered(
    client: Client, name: str, status: int
) -> None:
    assert client.get("/runs", headers={"Host": name}).status_code == status


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, {}, 200),
        ({}, {"token": TOKEN}, 200),
        ({}, {}, 403),
        ({}, {"token": ""}, 403),
        ({}, {"token": TOKEN[:-1]}, 403),
        ({}, {"token": "é" * 17}, 403),
        ({"Authorization": f"Basic {TOKEN}"}, {}, 403),
        ({"Authorization": f"Bearer {TOKEN}x"}, {"token": TOKEN}, 403),
    ],
)
def test_with_a_token_whoever_has_it_may_read(
    captures: LogCaptures, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    client = Client(Application(captures, Access("0.0.0.0", TOKEN)))
    answer = client.get("/runs", query_string=query, headers={"Host": "far.example", **headers})
    assert answer.status_code == status
    if status == 403:
        assert "?token=" in answer.json["error"]
        assert TOKEN not in answer.text
    assert client.get("/").status_code == 200  # the page itself tells nothing


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_another_host_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(LstmProbeError, match=r"Received: --host .*--read-only-token"):
        Access(host)
    assert Access(host, new_token()).token


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machines_own_addresses_need_no_token(host: str) -> None:
    assert Access(host).token is None


@pytest.mark.parametrize("token", ["", "short", "x" * 129, "with a space in it ok", "ä" * 20])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(LstmProbeError, match="The token is not one"):
        Access("127.0.0.1", token)


def test_a_host_that_does_not_exist_is_refused() -> None:
    with pytest.raises(LstmProbeError, match="There is no such host"):
        Access("no-such-host.invalid")


# -- the port ----------------------------------------------------------------------------------


def test_the_next_port_is_taken_if_one_is_in_use(captures: LogCaptures) -> None:
    application = Application(captures, Access("127.0.0.1"))
    with Serving(application, "127.0.0.1", 0) as one:
        with Serving(application, "127.0.0.1", one.port) as other:
            assert one.port < other.port <= one.port + 100
            assert ask(other.port, "/runs")[0] == 200
        assert ask(one.port, "/runs")[0] == 200


def test_no_free_port_is_said_in_words(captures: LogCaptures) -> None:
    application = Application(captures, Access("127.0.0.1"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(LstmProbeError, match=r"No port is free. Received: --port 65535"):
            Serving(application, "127.0.0.1", 65535)


def test_an_address_of_another_machine_cannot_be_bound(captures: LogCaptures) -> None:
    application = Application(captures, Access("192.0.2.1", TOKEN))
    with pytest.raises(LstmProbeError, match=r"cannot be bound. Received: --host 192.0.2.1"):
        Serving(application, "192.0.2.1", 0)


# -- the routes --------------------------------------------------------------------------------


def ask(port: int, address: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, address, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def get(client: Client, path: str, **parameters: Any) -> TestResponse:
    return client.get(f"/{path}", query_string=parameters)


def test_routes_answer_what_numpy_computed(client: Client) -> None:
    assert get(client, "runs").json["runs"] == [
        {"name": RUN, "layers": [HOSTILE, "memory"], "weights": [HOSTILE, "memory"], "last": 300}
    ]
    assert get(client, "steps", run=RUN, layer="memory").json == {"steps": STEPS}
    capture = unpack(get(client, "capture", run=RUN, layer="memory", step=7).data)
    trace = tab_logs.analysis(7, step=7).trace
    for letter in "ifgoch":
        expected = trace[letter].astype(np.float16)
        np.testing.assert_array_equal(capture.arrays[f"gates/{letter}"], expected)


def test_no_request_brings_anything_but_the_log(
    captures: LogCaptures, log_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """2,500 random requests, over the network."""
    rng = np.random.default_rng(23)
    seen: dict[int, int] = {}
    with Serving(Application(captures, Access("127.0.0.1")), "127.0.0.1", 0) as serving:
        for _ in range(2500):
            address, method, headers = random_request(rng, log_dir)
            status, content = ask(serving.port, address, method, **headers)
            assert status in STATUSES, (method, address)
            assert SECRET.encode() not in content, address
            assert b"root:" not in content
            assert b"Traceback" not in content
            seen[status] = seen.get(status, 0) + 1
        assert ask(serving.port, "/runs")[0] == 200
    assert set(seen) == STATUSES, seen
    assert capfd.readouterr().err == ""


def random_request(rng: np.random.Generator, log_dir: Path) -> tuple[str, str, dict[str, str]]:
    def pick(*choices: str) -> str:
        return choices[int(rng.integers(len(choices)))]

    def noise(length: int = 12) -> str:
        return "".join(f"%{byte:02x}" for byte in rng.integers(0, 256, rng.integers(1, length)))

    def value(name: str) -> str:
        known = {
            "run": RUN.replace("/", "%2F"), "layer": "memory", "step": "7", "format": "csv",
            "name": "horizon", "sequence": "0", "timestep": "0", "unit": "0",
        }  # fmt: skip
        if rng.random() < 0.7:
            return known[name]
        long = "9" * int(rng.integers(1, 3000))
        return pick(noise(), "-1", long, "", "..%2f..%2fsecret.txt", "%00", "nan", "1e3", "²"[:0])

    if rng.random() < 0.6:
        path = "/" + pick(*ROUTES)
    else:
        outside = pick("secret.txt", "notes.txt", "etc/passwd", "logs/notes.txt", "routes.py")
        steps = pick("../", "..%2f", "%2e%2e/", "..%5c", "//", "./", "") * int(rng.integers(1, 6))
        path = pick("/", "/static/", "/static/../", "//", f"/{log_dir}/") + steps + outside
        path = pick(path, "/" + noise(), "/static/" + noise(), "/static/app.js", "/")
    fields = ["run", "layer", "step", "format", "name", "sequence", "timestep", "unit"]
    chosen = [name for name in fields if rng.random() < 0.9]
    query = "&".join(f"{name}={value(name)}" for name in chosen)
    headers = {"Host": pick("evil.example", noise())} if rng.random() < 0.05 else {}
    if rng.random() < 0.1:
        headers["Authorization"] = pick("Bearer", "Bearer " + noise(), noise())
    others = ["GET"] * 6 + ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"]
    return f"{path}?{query}", pick(*others), headers


@pytest.mark.parametrize(
    "line",
    [b"\x16\x03\x01\x02", b"GET", b"GET / HTTP/9.9", b"GET /" + b"a" * 70_000 + b" HTTP/1.1"],
)
def test_what_is_no_request_is_refused(captures: LogCaptures, line: bytes) -> None:
    with (
        Serving(Application(captures, Access("127.0.0.1")), "127.0.0.1", 0) as serving,
        socket.create_connection(("127.0.0.1", serving.port), timeout=20) as connection,
    ):
        connection.sendall(line + b"\r\n\r\n")
        answer = connection.makefile("rb").read()
        assert b" 400 " in answer[:100] or b"Error code: 400" in answer
        assert ask(serving.port, "/runs")[0] == 200


def test_twenty_readers_and_a_growing_log_are_served_together(tmp_path: Path) -> None:
    tab_logs.write_small_run(tmp_path / "a", range(50))
    with (
        LogCaptures(tmp_path) as captures,
        Serving(Application(captures, Access("127.0.0.1")), "127.0.0.1", 0) as serving,
        ThreadPoolExecutor(20) as readers,
    ):
        place = "run=a&layer=memory"

        def read(reader: int) -> list[int]:
            found = []
            for step in range(reader, 50, 10):
                found += [
                    ask(serving.port, f"/steps?{place}")[0],
                    ask(serving.port, f"/capture?{place}&step={step}")[0],
                    ask(serving.port, "/timeline?run=a")[0],
                ]
            return found

        asked = [readers.submit(read, reader) for reader in range(20)]
        for step in range(50, 70):
            tab_logs.write_small_run(tmp_path / "a", range(step, step + 1))
        assert {status for each in asked for status in each.result()} == {200}
        last = f"/capture?{place}&step=69"
        tab_logs.wait_until(lambda: ask(serving.port, last)[0] == 200)


def test_package_has_the_servers_scripts() -> None:
    there = {file.name for file in files("lstm_probe.explorer.server").iterdir()}
    assert {"serve.js", "server_source.js"} <= there
