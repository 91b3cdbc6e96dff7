"""An application's tables."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower


class Customer(models.Model):
    name = models.CharField(max_length=80)
    email = models.EmailField(unique=True, null=True)
    tags = ArrayField(models.TextField(), default=list)
    extra = models.JSONField(null=True)
    born = models.DateField(null=True)

    class Meta:
        db_table_comment = "people"
        indexes = [GinIndex(fields=["tags"], name="customer_tags"), models.Index(Lower("name"), name="customer_name")]


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")
    total = models.DecimalField(max_digits=10, decimal_places=2)
    placed = models.DateTimeField(null=True)
    labels = models.ManyToManyField("Label")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(total__gte=0), name="order_total")]


class Label(models.Model):
    id = models.UUIDField(primary_key=True)
    text = models.TextField(db_index=True)
