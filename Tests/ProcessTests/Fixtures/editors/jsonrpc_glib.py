"""jsonrpc-glib: glib.py PROGRAM…"""

import sys

import gi

gi.require_version("Jsonrpc", "1.0")
from gi.repository import Gio, GLib, Jsonrpc

pipes = Gio.SubprocessFlags.STDIN_PIPE | Gio.SubprocessFlags.STDOUT_PIPE
process = Gio.Subprocess.new(sys.argv[1:], pipes)
stream = Gio.SimpleIOStream.new(process.get_stdout_pipe(), process.get_stdin_pipe())
client = Jsonrpc.Client.new(stream)
loop = GLib.MainLoop()


def of_key(tag):
    return GLib.Variant("a{sv}", {"keyTag": GLib.Variant("s", tag)})


def ask(method, params=None):
    done, answer = client.call(method, params, None)
    assert done
    return answer.unpack() if answer else None


assert ask("getPublicKey", of_key("demo-ec"))["keyType"] == "EC"
try:
    ask("getPublicKey", of_key("nobody"))
    raise AssertionError("no error")
except GLib.Error as error:
    # The code is in the text alone.
    assert "'code': <int64 1004>" in error.message, error
# It writes null for no params.
assert ask("getStatus")["pid"] > 0

left = 100


def answered(source, result):
    global left
    assert source.call_finish(result)[1].unpack()["keyTag"] == "demo-ec"
    left -= 1
    if left == 0:
        loop.quit()


for _ in range(100):
    client.call_async("getPublicKey", of_key("demo-ec"), None, answered)
GLib.timeout_add_seconds(60, lambda: sys.exit("not all are answered"))
loop.run()
assert ask("shutdown") is None
client.send_notification("exit", None, None)
process.wait(None)
assert process.get_exit_status() == 0
