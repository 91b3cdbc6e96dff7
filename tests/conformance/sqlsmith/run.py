"""Runs a file of statements one by one, each in a transaction that is rolled back, and writes a line
about each: what it gave, or which error.

usage: run.py STATEMENTS ANSWERS DATABASE COUNT SECONDS MILLISECONDS

COUNT and SECONDS bound all statements, MILLISECONDS each of them.
"""

import hashlib
import pathlib
import re
import sys
import time

import psycopg

statements, answers, database, count, seconds, milliseconds = sys.argv[1:]


def connect():
    connection = psycopg.connect(dbname=database, autocommit=True)
    # Who is no superuser can't end others' sessions or write files.
    connection.execute("set session authorization fuzz")
    connection.execute(f"set statement_timeout = {milliseconds}")
    connection.execute("set client_min_messages = error")
    return connection


def ask(connection, statement):
    # A sample is another one each time unless it is asked for the same.
    statement = re.sub(r"tablesample \w+ \([0-9.]+\)", r"\g<0> repeatable (1)", statement)
    connection.execute("begin")
    try:
        # Encoded at once, since not all that it returns has a type that the driver knows.
        result = connection.pgconn.exec_params(statement.encode(), None)
        error = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        if error:
            message = result.error_field(psycopg.pq.DiagnosticField.MESSAGE_PRIMARY)
            return f"error {error.decode()} {hashlib.md5(message).hexdigest()}"
        rows = sorted(
            b"|".join(result.get_value(row, column) or b"" for column in range(result.nfields))
            for row in range(result.ntuples)
        )
        columns = [(result.fname(n), result.ftype(n)) for n in range(result.nfields)]
        digest = hashlib.md5(repr((columns, rows)).encode()).hexdigest()
        return f"{result.command_status.decode()} {digest}"
    finally:
        connection.execute("rollback")


def main():
    connection = connect()
    end = time.monotonic() + float(seconds)
    with open(answers, "w") as out:
        for statement in pathlib.Path(statements).read_text().split(";\n")[:int(count)]:
            if time.monotonic() > end:
                break
            try:
                answer = ask(connection, statement)
            except psycopg.OperationalError:
                answer = "the connection is lost"
                connection = connect()
            print(answer, file=out, flush=True)


main()
