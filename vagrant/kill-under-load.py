#!/usr/bin/env python3
"""kill -9 of the gateway under load: while it is gone an agent reaches nothing, and with the next one it
goes on. As root: kill-under-load.py PATH-OF-WEIR"""

import os, shutil, signal, socket, subprocess, sys, tempfile, threading, time

weir, folder = sys.argv[1], tempfile.mkdtemp(prefix="weir-scenario-")
accepted = 0

# What the agent does, for ever: connect, say something, hear it again.
AGENT = """
import socket, sys, time
while True:
    try:
        with socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5) as s:
            s.sendall(b'x'); print('heard' if s.recv(1) == b'x' else 'cut', flush=True)
    except OSError as error: print(type(error).__name__, flush=True); time.sleep(0.01)
"""


def serve(server):
    global accepted
    while True:
        stream, _ = server.accept()
        accepted += 1
        threading.Thread(target=echo, args=(stream,), daemon=True).start()


def echo(stream):
    with stream:
        try:
            while data := stream.recv(64):
                stream.sendall(data)
        except OSError:
            pass


def until(what, true, seconds=60):
    end = time.time() + seconds
    while not true():
        if time.time() > end:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def gateway(config):
    log = open(f"{folder}/gateway.log", "ab")
    child = subprocess.Popen([weir, "--config", config, "gateway"], stderr=log, stdout=log)
    ask = [weir, "--config", config, "holds", "--json"]
    until("the gateway is up", lambda: subprocess.run(ask, capture_output=True).returncode == 0)
    return child


def main():
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    port = server.getsockname()[1]
    issue = [weir, "dev", "issuer", "--listen", "127.0.0.1:0", "--print-url", "--state", f"{folder}/issuer"]
    issuer = subprocess.Popen(issue, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    url = issuer.stdout.readline().strip()
    config = f"{folder}/weir.toml"
    with open(config, "w") as file:
        file.write(f"""[gateway]\ninstance = "scenario{os.getpid()}"\nstate_dir = "{folder}/state"
control = "{folder}/control.sock"\n[record]\ndir = "{folder}/record"\nclass = "process"
min_free_bytes = 1048576\n[[issuer]]\nissuer = "{url}"\naudience = ["weir"]
[[target]]\nname = "echo"\nprotocol = "tcp"\naddresses = ["127.0.0.1"]\nport = {port}\nenvironment = "dev"\n""")
    mint = [weir, "dev", "token", "--issuer-state", f"{folder}/issuer", "--subject", "alice", "--audience", "weir"]
    with open(f"{folder}/token", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(subprocess.run(mint, check=True, capture_output=True, text=True).stdout)
    first = gateway(config)
    run = [weir, "--config", config, "run", "--token-file", f"{folder}/token", "--", "python3", "-c", AGENT, str(port)]
    agent = subprocess.Popen(run, stdout=subprocess.PIPE, text=True, stderr=open(f"{folder}/agent.log", "wb"))
    said = []
    threading.Thread(target=lambda: said.extend(iter(agent.stdout.readline, "")), daemon=True).start()
    try:
        until("the agent is served", lambda: said.count("heard\n") > 50)
        first.send_signal(signal.SIGKILL)
        first.wait()
        time.sleep(0.5)
        before, mark = accepted, len(said)
        time.sleep(3)
        down = said[mark:]
        assert len(down) > 20, "the agent stopped trying"
        assert "heard\n" not in down and accepted == before, f"something got through: {set(down)}"
        second, mark = gateway(config), len(said)
        until("the agent is served again", lambda: said[mark:].count("heard\n") > 50)
        print(f"{len(down)} connections refused while the gateway was gone, none got through")
    finally:
        agent.terminate()
        agent.wait()
        for child in (locals().get("second"), first, issuer):
            if child and child.poll() is None:
                child.terminate()
                child.wait()


main()
shutil.rmtree(folder)
