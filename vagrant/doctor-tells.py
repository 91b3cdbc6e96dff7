#!/usr/bin/env python3
"""`weir doctor` tells the tier that this kernel allows, and the one that a gateway really has here. As root:
doctor-tells.py PATH-OF-WEIR"""

import json, os, shutil, subprocess, sys, tempfile, time

weir, folder = sys.argv[1], tempfile.mkdtemp(prefix="weir-scenario-")
listed = "bpf" in open("/sys/kernel/security/lsm").read().strip().split(",")


def doctor(config):
    said = subprocess.run([weir, "--config", config, "doctor", "--json"], capture_output=True, text=True)
    return [(one["area"], one["level"], one["text"]) for one in json.loads(said.stdout)["findings"]]


def check(found, *expected):
    for area, level, part in expected:
        told = [one for one in found if one[:2] == (area, level) and part in one[2]]
        assert told, f"no {level} of {area} says {part!r}: {json.dumps(found, indent=1)}"


def main():
    config = f"{folder}/weir.toml"
    with open(config, "w") as file:
        file.write(f"""[gateway]\ninstance = "doctor{os.getpid()}"\nstate_dir = "{folder}/state"
control = "{folder}/control.sock"\n[record]\ndir = "{folder}/record"\nclass = "process"
min_free_bytes = 1048576\n[[issuer]]\nissuer = "http://127.0.0.1:1"\naudience = ["weir"]\n""")
    takes = ("kernel", "ok", "the verifier takes all")
    if listed:
        check(doctor(config), takes, ("kernel", "ok", "BPF LSM is listed"), ("enforcement", "ok", "tier T3 can be reached here"))
    else:
        check(doctor(config), takes, ("kernel", "warn", "BPF LSM is not active"), ("enforcement", "warn", "tier T3 is not there"),
              ("enforcement", "ok", "tier T1 (cgroup programs) can be reached here"))
    with open(f"{folder}/gateway.log", "wb") as log:
        gateway = subprocess.Popen([weir, "--config", config, "gateway"], stderr=log, stdout=log)
    try:
        end = time.time() + 60
        while subprocess.run([weir, "--config", config, "holds", "--json"], capture_output=True).returncode:
            assert time.time() < end and gateway.poll() is None, open(f"{folder}/gateway.log").read()
            time.sleep(0.1)
        found = doctor(config)
        if listed:
            check(found, ("enforcement", "ok", "runs in tier T3"), ("enforcement", "ok", "LSM programs attached"))
        else:
            check(found, ("enforcement", "ok", "runs in tier T1"), ("enforcement", "warn", "bpf is not among the kernel's security modules"))
        print(f"weir doctor tells tier {'T3' if listed else 'T1'}, as it is")
    finally:
        gateway.terminate()
        gateway.wait()


main()
shutil.rmtree(folder)
