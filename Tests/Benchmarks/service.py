"""What stands in for the service: keys, a certificate authority, nginx and the emulator. All of it in one folder."""
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

SYSTEM_FOLDER = Path("/etc/ssl/certs")
SYSTEM_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
FAULT = json.dumps({"error": {"errorCode": "500", "message": "Endpoint Error", "details": "benchmark"}})


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Keys:
    """Two real keys, for the tags whose last digit is even or odd, and what an answer to each has to hold."""

    def __init__(self, folder):
        algorithms = [["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]]
        self.pems = []
        for number, algorithm in enumerate(algorithms):
            private = folder / f"key{number}.pem"
            run("openssl", "genpkey", "-algorithm", *algorithm, "-out", str(private))
            self.pems.append(run("openssl", "pkey", "-in", str(private), "-pubout"))
        self.ders = ["".join(pem.split("\n")[1:-2]) for pem in self.pems]

    @property
    def escaped(self):
        """As a JSON string has them, without the line feed at the end, which some strip."""
        return [json.dumps(pem.strip())[1:-1] for pem in self.pems]


def make_authority(folder):
    """A certificate for this machine that is its own authority; and the same beside all that the system trusts, as a
    file and as a folder that stands in for the system's."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout", str(folder / "server.key"), "-out", str(folder / "ca.pem"))
    bundle = next((Path(path) for path in SYSTEM_BUNDLES if Path(path).exists()), None)
    if bundle:
        (folder / "bundle.pem").write_text((folder / "ca.pem").read_text() + bundle.read_text())
        shutil.copytree(SYSTEM_FOLDER, folder / "certs", ignore_dangling_symlinks=True)
        name = run("openssl", "x509", "-subject_hash", "-noout", "-in", str(folder / "ca.pem")).strip()
        shutil.copy(folder / "ca.pem", folder / "certs" / f"{name}.0")


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Nginx:
    """TLS 1.3 with keep-alive on one core. `port` always answers; `faulty_port` fails one request in twenty;
    `closing_port` takes one request on a connection, and a whole handshake for each; `slow_port` answers one at a time
    after 2 ms, so that whoever asks has to wait, even under strace."""

    def __init__(self, folder, keys, cpu):
        ports = [free_port() for _ in range(5)]
        self.port, self.faulty_port, self.closing_port, self.slow_port, self.status_port = ports
        kms = [json.dumps({"code": "SUCCESS", "data": {"publicKey": pem}}) for pem in keys.pems]
        aws = [json.dumps({"KeyId": "benchmark", "PublicKey": der, "KeyUsage": "SIGN_VERIFY"}) for der in keys.ders]
        temporary = " ".join(
            f"{name}_temp_path {folder}/{name};" for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        locations = "location /kms/ { return 200 $kms; } location = / { return 200 $aws; }"
        (folder / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log notice;
            events {{ worker_connections 4096; }}
            http {{
                {temporary}
                access_log off; default_type application/json; keepalive_requests 1000000000; keepalive_timeout 600s;
                ssl_protocols TLSv1.3; ssl_certificate {folder}/ca.pem; ssl_certificate_key {folder}/server.key;
                map "$uri$http_x_bench_tag" $parity {{ "~[02468](/get-pub-key)?$" even; default odd; }}
                map $parity $kms {{ even {quoted(kms[0])}; odd {quoted(kms[1])}; }}
                map $parity $aws {{ even {quoted(aws[0])}; odd {quoted(aws[1])}; }}
                split_clients $request_id $fault {{ 5% 1; * ""; }}
                server {{ listen 127.0.0.1:{self.port} ssl; {locations} }}
                server {{
                    listen 127.0.0.1:{self.faulty_port} ssl;
                    if ($fault) {{ return 503 {quoted(FAULT)}; }}
                    {locations}
                }}
                server {{
                    listen 127.0.0.1:{self.closing_port} ssl; keepalive_timeout 0; ssl_session_tickets off;
                    {locations}
                }}
                limit_req_zone $server_port zone=turns:32k rate=500r/s;
                server {{
                    listen 127.0.0.1:{self.slow_port} ssl;
                    location / {{ limit_req zone=turns burst=9; try_files /none @answer; }}
                    location @answer {{ return 200 $kms; }}
                }}
                server {{ listen 127.0.0.1:{self.status_port}; location = / {{ stub_status; }} }}
            }}""")
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(folder), "-e", f"{folder}/nginx.log", "-c", str(folder / "nginx.conf")],
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}), stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.requests()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"nginx does not start: {(folder / 'nginx.log').read_text()}")

    def requests(self):
        """Requests answered so far, this one included."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/") as answer:
            return int(re.search(r"\n\s*\d+ \d+ (\d+)", answer.read().decode()).group(1))

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Engine:
    """A Redis server on a Unix socket, which stores nothing."""

    PROGRAM = "/usr/bin/redis-server"

    def __init__(self, folder, cpu):
        path, log = folder / "engine.sock", folder / "engine.log"
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [self.PROGRAM, "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""],
                preexec_fn=lambda: os.sched_setaffinity(0, {cpu}), stdout=output)
        for _ in range(200):
            if "eady to accept connections" in log.read_text(): break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{self.PROGRAM} does not start: {log.read_text()}")
        # A benchmark is not about its time-outs.
        self.flags = ["--shared", f"unix://{path}", "--shared-timeout", "10000"]

    @classmethod
    def is_installed(cls): return os.access(cls.PROGRAM, os.X_OK)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Emulator:
    """The project's own emulator, for what nginx can't do: it answers late, and counts what has come over connections
    that are closed."""

    def __init__(self, program, folder, keys, cpu, latency_ms):
        seed = folder / "seed.json"
        seed.write_text(json.dumps({
            "accessKeys": [{"id": "BENCHMARK", "secret": "benchmark-secret", "permissions": ["get-pub-key"]}],
            "keys": [{"keyTag": f"t{number}", "keyType": ["RSA2048", "ECDSA"][number % 2],
                      "versions": [{"version": 1, "publicKey": keys.pems[number % 2]}]} for number in range(1000)]}))
        self.process = subprocess.Popen(
            [program, "--seed", str(seed), "--latency", str(latency_ms)], stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        self.facts = json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
