"""Migrates up and down, asks as an application does, and reads the schema back."""

import os
import sys

from alembic import autogenerate, command, config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, create_engine, func, inspect, select, text
from sqlalchemy.orm import Session, joinedload, selectinload

from models import Base, Customer, Mood, Order

for driver in ["psycopg", "psycopg2"]:
    url = URL.create(f"postgresql+{driver}", os.environ["PGUSER"], os.environ["PGPASSWORD"],
                     os.environ["PGHOST"], int(os.environ["PGPORT"]), os.environ["PGDATABASE"])
    engine = create_engine(url)
    settings = config.Config(stdout=sys.stdout)
    settings.set_main_option("script_location", os.path.dirname(os.path.abspath(__file__)))
    settings.attributes["engine"] = engine
    command.upgrade(settings, "head")
    command.downgrade(settings, "-1")
    command.upgrade(settings, "+1")
    command.current(settings, verbose=False)
    print(driver, "head")
    with engine.connect() as connection:
        print(autogenerate.compare_metadata(MigrationContext.configure(connection), Base.metadata))
    look = inspect(engine)
    for table in sorted(look.get_table_names()):
        print(table, look.get_table_comment(table), look.get_pk_constraint(table))
        for found in [look.get_columns(table), look.get_foreign_keys(table), look.get_indexes(table),
                      look.get_unique_constraints(table), look.get_check_constraints(table)]:
            for one in found:
                print(" ", {key: str(value) for key, value in one.items()})
    print(look.get_enums())
    with Session(engine) as session:
        ann = Customer(name="Ann", mood=Mood.ok, tags=["a", "b"], extra={"x": [1, None]},
                       key="6f2b0e0e-0000-4000-8000-000000000000")
        ann.orders = [Order(total=n + 0.5, placed="2020-01-01T00:00:00Z") for n in range(150)]
        session.add(ann)
        session.commit()
        print(session.scalar(select(func.sum(Order.total)).join(Customer).where(Customer.name == "Ann")))
        for options in [selectinload(Customer.orders), joinedload(Customer.orders)]:
            asked = select(Customer).options(options).where(Customer.tags.contains(["a"]))
            print([(c.name, len(c.orders), c.extra, c.mood, c.key) for c in session.scalars(asked).unique()])
        print(session.scalars(select(Order.id).order_by(Order.id).execution_options(yield_per=20)).all()[-1])
        session.delete(ann)
        nested = session.begin_nested()
        session.execute(text("insert into customer (name, email) values ('x', 'x@example.com')"))
        nested.rollback()
        session.commit()
        print(session.scalar(select(func.count()).select_from(Order)))
        try:
            session.add_all([Customer(name="x", email="0@example.com")])
            session.commit()
        except Exception as error:
            print(type(error).__name__, getattr(error.orig, "sqlstate", getattr(error.orig, "pgcode", "")))
    # The last one's schema stays, to be looked at.
    if driver != "psycopg2":
        command.downgrade(settings, "base")
    engine.dispose()
