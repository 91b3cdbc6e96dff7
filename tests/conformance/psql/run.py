"""Runs psql's cases and writes what each printed into a folder, a file each.

usage: run.py FOLDER CASES LABEL=PSQL...; the first psql, which has readline, is also run in a terminal.
"""

import os
import pathlib
import re
import subprocess
import sys

import pexpect

folder, cases, labels = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
programs = dict(label.split("=", 1) for label in labels)
environment = dict(os.environ, PAGER="cat", PSQL_PAGER="cat", TERM="dumb", LC_ALL="C.UTF-8",
                   PSQL_HISTORY="/dev/null", PGDATABASE="psql", COLUMNS="200", LINES="50")
# What no two sessions share.
CHANGES = [
    (re.compile(r"(PID|pid) \d+"), r"\1 N"),
    (re.compile(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}"), "NOW"),
    (re.compile(r"\w{3} \d\d \w{3} \d{4} \d\d:\d\d:\d\d [AP]M [A-Z+\d]+"), "NOW"),
    (re.compile(r"'\d{5,6}'"), "'N'"),
    (re.compile(r"^ +\d{5,6} +\| postgres", re.M), " N | postgres"),
    (re.compile(r"lo_(import|unlink) \d+"), r"lo_\1 N"),
    (re.compile(r"^(HOST|PORT|LASTOID|SERVICEFILE) = .*$", re.M), r"\1"),
    (re.compile(r"\b127\.88\.\d+\.5\b|\bconformance\.internal\b"), "SERVER"),
    (re.compile(r"connection to server at \"SERVER\"( \([^)]*\))?"), "connection to SERVER"),
]


def keep(name, text):
    for pattern, instead in CHANGES:
        text = pattern.sub(instead, text)
    (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")


def scripts():
    parts = re.split(r"^--- (.+)\n", cases.read_text(), flags=re.M)
    return zip(parts[1::2], parts[2::2])


def run(label, psql):
    for name, script in scripts():
        work = folder / "work"
        work.mkdir(exist_ok=True)
        done = subprocess.run([psql, "-X", "-a"], input=script, text=True, errors="backslashreplace", cwd=work,
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        keep(f"{label}-{name}", f"{done.stdout}\nstatus {done.returncode}\n")
        for left in work.iterdir():
            left.unlink()
        work.rmdir()


COMPLETIONS = [
    "select * from cus", "select * from app.", "select * from pg_catalog.pg_stat_a", "\\d ev",
    "\\df app.", "insert into or", "update customers set ", "alter table orders ",
    "alter table customers drop column ", "drop ta", "drop view ", "create ind", "set sea",
    "set search_path to ", "set work_", "show max_", "grant select on ", "\\c p", "\\dx ", "\\dn a",
    "vacuum an", "comment on col", "drop function ad", "drop trigger touched on ",
    "delete from customers whe", "\\set VERB", "\\pset fo", "\\copy cust", "refresh materialized view ",
    "alter type mood rename value ", "alter role rea", "copy customers ", "explain (an", "\\ef ad",
    "select * from nowhere_at_a", "lock table ", "execute ", "\\sv ri", "create policy own on ",
]


class Terminal:
    """psql in a terminal, whose every answer ends with an echo of our own."""

    def __init__(self, psql):
        inputrc = folder / "inputrc"
        inputrc.write_text("set bell-style none\nset completion-query-items -1\nset page-completions off\n"
                           "set enable-bracketed-paste off\nset completion-display-width 1\n")
        self.child = pexpect.spawn(psql, ["-X"], env=dict(environment, INPUTRC=str(inputrc)),
                                   encoding="utf-8", codec_errors="backslashreplace", timeout=60, dimensions=(50, 200))
        self.count = 0
        self.said("\\set PROMPT1 '> '")

    def mark(self):
        self.count += 1
        self.child.sendline(f"\\echo 'END' '{self.count}'")
        self.child.expect(rf"(?:^|\n)END {self.count}\r\n")
        return self.child.before

    def said(self, line):
        self.child.sendline(line)
        return self.mark()

    def quiet(self):
        """What comes until half a second brings nothing more."""
        text = ""
        while True:
            try:
                text += self.child.read_nonblocking(65536, timeout=0.5)
            except pexpect.TIMEOUT:
                return text

    def completes(self, text):
        self.child.send(text + "\t\t")
        said = self.quiet()
        self.child.send("\x15")
        self.quiet()
        self.mark()
        return said.removeprefix("> ")


def interact(psql):
    terminal = Terminal(psql)
    for number, text in enumerate(COMPLETIONS):
        word = re.sub(r"[^a-z_]+", "-", text).strip("-")
        keep(f"complete-{number:02}-{word}", terminal.completes(text))
    keep("terminal-prompt", terminal.said("\\set PROMPT1 '%n@%/%R%#%x> '") + terminal.said("begin;")
         + terminal.said("select 1 / 0;") + terminal.said("rollback;"))
    terminal.child.sendline("select pg_sleep(60);")
    terminal.quiet()
    terminal.child.sendintr()
    terminal.child.expect("canceling statement due to user request")
    keep("terminal-cancel", terminal.mark() + terminal.said("select 'still here';"))
    terminal.child.sendline("select 42 as answer \\watch 0.2")
    for _ in range(3):
        terminal.child.expect(r"42\r\n")
    terminal.child.sendintr()
    terminal.quiet()
    keep("terminal-watch", terminal.mark() + terminal.said("select 'still here';"))
    terminal.child.sendline("\\password writer")
    terminal.child.expect("password")
    terminal.child.sendline("secret")
    terminal.child.expect("again")
    terminal.child.sendline("secret")
    keep("terminal-password", terminal.quiet() + terminal.mark())
    terminal.child.sendline("\\q")
    terminal.child.expect(pexpect.EOF)


def watch(psql):
    script = "select 7 as n \\watch c=3 i=0.05\nselect 8 where false \\watch m=1 c=2 i=0.05\nselect 1/0 \\watch c=2\n"
    done = subprocess.run([psql, "-X", "-a"], input=script, text=True, env=environment, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    keep("watch-counted", done.stdout)


for label, psql in programs.items():
    run(label, psql)
interact(next(iter(programs.values())))
watch(list(programs.values())[-1])
