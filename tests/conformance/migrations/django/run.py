"""Makes and applies migrations, asks as an application does, and reads the schema back."""

import datetime
import os
import shutil
import sys
import tempfile
import uuid

# What is made goes elsewhere than into the source.
own = tempfile.mkdtemp()
shutil.copytree(os.path.join(os.path.dirname(os.path.abspath(__file__)), "shop"), os.path.join(own, "shop"))
sys.path.insert(0, own)
# Paths are told as they are from here.
os.chdir(own)

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
    }},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
                    "django.contrib.admin", "django.contrib.messages", "django.contrib.postgres", "shop"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SECRET_KEY="x",
)
django.setup()

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Prefetch, Sum
from django.contrib.auth.models import Permission, User
from shop.models import Customer, Label, Order

call_command("makemigrations", "shop", verbosity=1, no_color=True)
call_command("migrate", no_color=True)
call_command("showmigrations", no_color=True)
call_command("sqlmigrate", "shop", "0001", no_color=True)
call_command("migrate", "shop", "zero", no_color=True)
call_command("migrate", no_color=True)
call_command("makemigrations", "--check", "--dry-run", no_color=True)
call_command("inspectdb", no_color=True)

ann = Customer.objects.create(name="Ann", email="ann@example.com", tags=["a", "b"], extra={"x": [1, None]},
                              born=datetime.date(1990, 1, 1))
label = Label.objects.create(id=uuid.UUID(int=1), text="one")
when = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
orders = Order.objects.bulk_create([Order(customer=ann, total=n, placed=when) for n in range(200)], batch_size=60)
orders[0].labels.add(label)
print(Customer.objects.filter(tags__contains=["a"], extra__x__0=1).values_list("name", "born"))
print(Order.objects.aggregate(Sum("total"), Count("id")))
print(Order.objects.filter(total__lt=10).update(total=F("total") + 1))
print(list(Customer.objects.annotate(n=Count("orders")).values_list("name", "n")))
print([len(c.orders.all()) for c in Customer.objects.prefetch_related(Prefetch("orders"))])
print(sum(order.total for order in Order.objects.iterator(chunk_size=33)))
print(Order.objects.select_related("customer").select_for_update().filter(total=5).count())
with transaction.atomic():
    try:
        with transaction.atomic():
            Customer.objects.create(name="x", email="ann@example.com")
    except IntegrityError as error:
        print(type(error.__cause__).__name__, error.__cause__.diag.constraint_name)
print(Customer.objects.update_or_create(email="ann@example.com", defaults={"name": "Anna"})[1])
Customer.objects.bulk_create([Customer(name="y", email="ann@example.com")], update_conflicts=True,
                             unique_fields=["email"], update_fields=["name"])
print(Customer.objects.get().name)
print(Customer.objects.filter(pk=ann.pk).explain().split("(")[0])
user = User.objects.create_user("u", password="p")
user.user_permissions.set(Permission.objects.order_by("codename")[:3])
print(sorted(user.get_all_permissions()))
print(ann.delete())
print(sorted(connection.introspection.table_names()))
shutil.rmtree(own)
