"""Runs a program as protocol/systemd has it run, without systemd as the init: activate.py PROGRAM, in the emulator.

systemd-socket-activate starts a process for each connection, as Accept=yes does; each has the unit's filter of system
calls, no capabilities, no new privileges, and no memory that can be written and executed.
"""
import ctypes
import json
import os
import re
import socket
import subprocess
import sys
import tempfile

UNIT = os.path.join(os.path.dirname(__file__), "../../protocol/systemd/ncloud-kms-rpc@.service")
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 24, 38, 65, 1
SCMP_ACT_ALLOW, SCMP_ACT_EPERM = 0x7FFF0000, 0x00050000 | 1


def system_calls(name):
    """The members of a set of systemd's, such as @system-service."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name], check=True, capture_output=True, text=True).stdout
    words = (line.split("#")[0].strip() for line in text.splitlines())
    return set().union(*(system_calls(word) for word in words if word and word != name))


def allowed_system_calls():
    allowed = set()
    with open(UNIT) as unit:
        for tilde, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit.read(), re.M):
            for name in names.split():
                allowed = allowed - system_calls(name) if tilde else allowed | system_calls(name)
    return allowed


def harden_and_run(command):
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    libc = ctypes.CDLL(None, use_errno=True)
    filter = ctypes.c_void_p(seccomp.seccomp_init(SCMP_ACT_EPERM))
    for name in sorted(allowed_system_calls()):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            assert seccomp.seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0, name
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        print("this kernel has no MemoryDenyWriteExecute of its own (Linux 6.3)", file=sys.stderr)
    assert seccomp.seccomp_load(filter) == 0
    os.execv(command[0], command)


def ask(path, identifier):
    """One request and its answer, over a connection of its own."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        request = {"jsonrpc": "2.0", "id": identifier, "method": "getPublicKey", "params": {"keyTag": "demo-ec"}}
        connection.sendall(json.dumps(request).encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers:
            return json.loads(answers.read())


def main(program):
    variables = ["NCLOUD_KMS_ENDPOINT", "NCLOUD_KMS_CA_FILE", "NCLOUD_ACCESS_KEY_ID", "NCLOUD_SECRET_ACCESS_KEY", "PATH"]
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/socket"
        server = subprocess.Popen(
            ["systemd-socket-activate", "--accept", "--inetd", "--listen", path,
             *(f"--setenv={name}" for name in variables),
             sys.executable, "-B", os.path.abspath(__file__), "--hardened", os.path.abspath(program)],
            stderr=subprocess.PIPE, text=True)
        try:
            # It has the socket when it says so.
            assert "Listening" in server.stderr.readline()
            for identifier in range(3):
                answer = ask(path, identifier)
                assert answer["id"] == identifier and answer["result"]["keyType"] == "EC", answer
        finally:
            server.terminate()
            log = server.stderr.read()
        assert log.count('"reason":"end of stdin"') == 3, log


if sys.argv[1] == "--hardened":
    harden_and_run(sys.argv[2:])
main(sys.argv[1])
