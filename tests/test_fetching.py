"""Downloads from a server of our own, over HTTPS, that does all that a server can do wrong."""
import gzip
import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from npgan.datasets import fetching, finding
from npgan.files import DataError

PAGE = np.random.RandomState(2014).bytes(3000) + bytes(3000)
KNOWN = {"set/page": (len(PAGE), hashlib.md5(PAGE).hexdigest())}
GOOD = gzip.compress(PAGE)


class Handler(BaseHTTPRequestHandler):
    """Answers as the first part of the path says."""

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.split("/")[1])()

    def answer(self, body, length=None, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", len(body) if length is None else length)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.answer(GOOD)

    def slow(self):
        self.answer(GOOD[:1000], len(GOOD))
        time.sleep(.7)
        self.wfile.write(GOOD[1000:])

    def missing(self):
        self.answer(b"<html>", status=404)

    def broken(self):
        self.answer(b"<html>", status=500)

    def moved(self):
        self.answer(b"", status=302, Location="/good/page.gz")

    def circle(self):
        self.answer(b"", status=302, Location=self.path + "x")

    def plain(self):
        self.answer(b"", status=301, Location=f"http://localhost:{self.server.server_port}/good/page.gz")

    def local(self):
        self.answer(b"", status=302, Location="file:///etc/passwd")

    def nowhere(self):
        self.answer(b"", status=302, Location="https://[")

    def unspeakable(self):
        self.answer(b"", status=302, Location="https://" + "x" * 300 + "/")

    def stalls(self):
        self.server.over.wait(20)

    def stalls_midway(self):
        self.answer(GOOD[:1000], len(GOOD))
        self.server.over.wait(20)

    def drips(self):
        self.answer(GOOD[:1], len(GOOD))
        for byte in GOOD[1:]:
            time.sleep(.1)
            self.wfile.write(bytes([byte]))

    def drips_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.drip()

    def drips_sizes(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
        self.drip()

    def drips_then_moves(self):
        self.wfile.write(b"HTTP/1.1 302 Found\r\nX-Slow: ")
        self.drip(4)
        self.wfile.write(f"\r\nLocation: {self.path}x\r\n\r\n".encode())

    def drip(self, times=300):
        while times and not self.server.over.wait(.05):
            self.wfile.write(b"x")
            times -= 1

    def moved_endlessly(self):
        self.answer(b"", 10**15, status=302, Location="/good/page.gz")
        while not self.server.over.is_set():
            self.wfile.write(bytes(2**16))

    def truncated(self):
        self.answer(GOOD[:-100], len(GOOD))

    def says_less(self):
        self.answer(GOOD, 100)

    def says_more(self):
        self.answer(b"<html>", 10**15)

    def says_nonsense(self):
        self.answer(GOOD[:-1], "-3e9")

    def endless(self):
        self.answer(b"", 10**15)
        while not self.server.over.is_set():
            self.wfile.write(bytes(2**16))

    def garbage(self):
        self.answer(np.random.RandomState(1).bytes(5000))

    def page(self):
        self.answer(b"<html>moved</html>")

    def other(self):
        self.answer(gzip.compress(PAGE[::-1]))

    def bomb(self):
        self.answer(gzip.compress(bytes(10**7)))

    def chunks(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"zz\r\n" + GOOD)

    def no_http(self):
        self.wfile.write(b"\0\1\2\3\r\n\r\n" + GOOD)

    def hangs_up(self):
        pass

    def headers_without_end(self):
        self.send_response(200)
        for i in range(300):
            self.send_header(f"X-{i}", "x" * 100)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that gives up is what is tested."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Key and certificate of localhost, made here."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    made = subprocess.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key "
                          "-out certificate -days 9 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(),
                          cwd=folder, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"openssl makes no certificate: {made.stderr}")
    return folder


@pytest.fixture
def server(certificate, folders, monkeypatch):
    """A server whose certificate is trusted, and an empty cache."""
    made = Server(("localhost", 0), Handler)
    made.asked, made.over = [], threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate", certificate / "key")
    made.socket = context.wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": .02}, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate"))
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setattr(fetching, "TIMEOUT", 20)
    made.url = f"https://localhost:{made.server_port}/"
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()


def left(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


BAD = {
    "missing": "HTTP Error 404", "broken": "HTTP Error 500", "circle": "HTTP Error 302", "nowhere": "Invalid IPv6 URL",
    "plain": "unknown url type: http", "local": "unknown url type|not allowed", "unspeakable": "page",
    "stalls": "timed out", "stalls_midway": "timed out", "truncated": "unreadable data|IncompleteRead",
    "says_less": "unreadable data", "says_more": "a web page|IncompleteRead", "says_nonsense": "unreadable data",
    "endless": "gave more", "garbage": "unreadable data", "page": "a web page", "other": "gave 6000 bytes with",
    "bomb": "gave more", "chunks": "page", "no_http": "page", "hangs_up": "page",
    "drips": "not all received within|timed out",
    "drips_headers": "not all received within|timed out", "drips_sizes": "not all received within|timed out",
    "drips_then_moves": "not all received within|timed out",
    "headers_without_end": "got more than 100 headers"}


@pytest.mark.parametrize("way", BAD)
def test_what_a_mirror_does_wrong_is_told_and_the_next_one_asked(way, server, monkeypatch):
    if "stalls" in way:
        monkeypatch.setattr(fetching, "TIMEOUT", .4)
    if "drips" in way:
        monkeypatch.setattr(fetching, "DEADLINE", .3)
        monkeypatch.setattr(fetching, "SLOWEST", 10**9)
    start = time.monotonic()
    with pytest.raises(DataError, match=f"{server.url}{way}/.*({BAD[way]})") as told:
        fetching.fetch("set/page", KNOWN, [f"{server.url}{way}/"])
    assert "\n" not in str(told.value) and not left(finding.cache())
    if "drips" in way:
        assert time.monotonic() - start < 10                        # the drops would last for 15 s
    path = fetching.fetch("set/page", KNOWN, [f"{server.url}{way}/", f"{server.url}good/"])
    assert left(finding.cache()) == [path] and finding.read(path, *KNOWN["set/page"]) == PAGE
    assert server.asked[-1] == "/good/page.gz" and time.monotonic() - start < 15


def test_a_mirror_that_moved_is_followed(server):
    path = fetching.fetch("set/page", KNOWN, [f"{server.url}moved/"])
    assert finding.read(path, *KNOWN["set/page"]) == PAGE and server.asked == ["/moved/page.gz", "/good/page.gz"]


def test_what_comes_with_a_redirection_is_not_read(server):
    path = fetching.fetch("set/page", KNOWN, [f"{server.url}moved_endlessly/"])
    assert finding.read(path, *KNOWN["set/page"]) == PAGE


def test_all_mirrors_are_asked_once_in_their_order_and_each_is_told(server):
    with pytest.raises(DataError) as told:
        fetching.fetch("set/page", KNOWN, [f"{server.url}{way}/" for way in ("missing", "other", "page")])
    assert server.asked == ["/missing/page.gz", "/other/page.gz", "/page/page.gz"]
    assert all(part in str(told.value) for part in ("404", "gave 6000 bytes with", "gave a web page"))


def test_a_cache_that_cannot_be_written_to_is_no_fault_of_a_mirrors(server, monkeypatch):
    for place in (__file__, "/proc/nowhere"):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        with pytest.raises(DataError, match=f"^{place}/npgan/set: expected a folder .* that can be written to, found No"
                                            ".* XDG_CACHE_HOME, .* NPGAN_DATA_PATH"):
            fetching.fetch("set/page", KNOWN, [f"{server.url}good/"])
    assert not server.asked


def test_a_stranger_is_not_trusted(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DataError, match="CERTIFICATE_VERIFY_FAILED"):
        fetching.fetch("set/page", KNOWN, [f"{server.url}good/"])
    assert not server.asked


def test_processes_that_fetch_at_once_do_no_harm(server):
    """Two that end, and one that is killed in the midst; all begin before any ends."""
    root = Path(__file__).resolve().parents[1]
    code = ("from npgan.datasets import fetching; print('ready', flush=True); input(); "
            f"print(fetching.fetch('set/page', {KNOWN!r}, ['{server.url}slow/']))")
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    processes = [subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    while len(server.asked) < 3:
        time.sleep(.01)
    time.sleep(.2)
    processes[2].send_signal(signal.SIGKILL)
    told = [process.communicate(timeout=60)[0].strip() for process in processes]
    path = finding.find("set/page")
    assert told == [str(path), str(path), ""] and finding.read(path, *KNOWN["set/page"]) == PAGE
    assert len(left(finding.cache())) <= 2                          # and what the killed one had begun
    for file in left(finding.cache()):
        if file != path:
            os.utime(file, (0, 0))
    fetching.fetch("set/page", KNOWN, [f"{server.url}good/"])
    assert left(finding.cache()) == [path]
